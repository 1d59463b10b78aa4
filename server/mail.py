"""E-mail (handlers.ways.Mailer) over SMTP."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

import aiosmtplib
from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from config.logging import get_logger
from config.outbound import Email
from game.errors import DependencyUnavailable
from handlers.ways import Mail

PERMANENT = 500  # RFC 5321, 4.2.1: 5yz will not be otherwise the next time

log = get_logger(__name__)


class Smtp:
    """Hands e-mails to a relay; one connection for each, since they are rare."""

    def __init__(self, settings: Email, count: Callable[[str], None]) -> None:
        self._settings = settings
        self._count = count
        self._tls = settings.tls
        self._domain = parseaddr(settings.sender)[1].partition("@")[2] or "localhost"

    async def send(self, mail: Mail) -> bool:
        """Hand one over; False if the relay will never take it.

        Raises:
            DependencyUnavailable: the relay does not answer, or not now.
        """
        try:
            await self._send(self._message(mail))
        except SMTPRecipientsRefused as refused:
            return self._judge(max(one.code for one in refused.recipients))
        except SMTPResponseException as refused:
            return self._judge(refused.code)
        except (SMTPException, OSError) as error:
            self._count("none")
            log.warning("smtp_away", error=type(error).__name__)
            raise DependencyUnavailable(retry_after=5.0) from error
        self._count("2xx")
        return True

    def _judge(self, code: int) -> bool:
        self._count(f"{code // 100}xx")
        log.warning("smtp_refused", code=code)
        if code >= PERMANENT:
            return False
        raise DependencyUnavailable(retry_after=5.0)

    async def _send(self, message: EmailMessage) -> None:
        knobs = self._settings
        context = ssl.create_default_context(cafile=knobs.ca_file)
        await aiosmtplib.send(
            message,
            hostname=knobs.host,
            port=knobs.port,
            username=knobs.username,
            password=knobs.password.get_secret_value() if knobs.password else None,
            use_tls=self._tls == "implicit",
            start_tls=self._tls == "starttls",
            tls_context=None if self._tls == "none" else context,
            timeout=knobs.timeout_seconds,
        )

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{mail.id}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no robot answers it
        if mail.stop_url:
            message["List-Unsubscribe"] = f"<{mail.stop_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        message.set_content(mail.text)
        return message
