"""Where e-mails and push messages arrive, for tests: a relay with TLS, and a browser's service."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import http_ece
import jwt
import orjson
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

PATIENCE = 20.0


class Relay:
    """An SMTP server that demands TLS; `refuse` are its next answers to RCPT."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.refuse: list[str] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, __: Any, envelope: Any, address: str, ___: list[str]
    ) -> str:
        """Take an address, or not."""
        if self.refuse:
            return self.refuse.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take an e-mail."""
        assert session.ssl is not None
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    async def next(self, to: str, number: int = 1) -> EmailMessage:
        """The last of so many e-mails to an address."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [mail for mail in self.mails if mail["To"] == to]
                if len(found) >= number:
                    return found[number - 1]
                await asyncio.sleep(0.02)


@contextmanager
def relay(folder: Path) -> Iterator[Relay]:
    """One that listens, with a certificate in `folder`/cert.pem."""
    certify(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    one = Relay()
    controller = Controller(
        one, "127.0.0.1", 0, tls_context=context, require_starttls=True, ready_timeout=20
    )
    controller.port = _free_port()
    controller.start()
    one.port = controller.port
    try:
        yield one
    finally:
        controller.stop()
        # It closes its loop over open connections: they are found here, not by a later test.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def _free_port() -> int:
    import socket  # noqa: PLC0415 - here only

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certify(folder: Path) -> None:
    """A certificate of 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(private)


class Browser:
    """A push subscription and its service: reads messages as RFC 8291 says, with another's code."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: list[dict[str, Any]] = []
        self.status = 201
        self.trusts = ""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        self._news = asyncio.Event()

    @property
    def subscription(self) -> dict[str, Any]:
        """What a page sends to the server."""
        public = self._key.public_key()
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": self.url, "keys": {"p256dh": _text(point), "auth": _text(self._auth)}}

    async def receive(self, request: web.Request) -> web.Response:
        """POST /push."""
        self._check_vapid(request.headers["Authorization"], f"http://{request.host}")
        assert request.headers["TTL"].isdigit()
        assert request.headers["Content-Encoding"] == "aes128gcm"
        body = await request.read()
        if self.status < 300:
            text = http_ece.decrypt(
                body, private_key=self._key, auth_secret=self._auth, version="aes128gcm"
            )
            self.messages.append(orjson.loads(text))
        self._news.set()
        return web.Response(status=self.status)

    def _check_vapid(self, header: str, origin: str) -> None:
        kind, _, rest = header.partition(" ")
        fields = dict(part.strip().split("=", 1) for part in rest.split(","))
        assert (kind, fields["k"]) == ("vapid", self.trusts)
        raw = urlsafe_b64decode(fields["k"] + "=")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
        claims = jwt.decode(fields["t"], key, algorithms=["ES256"], audience=origin)
        assert claims["sub"].startswith("mailto:")

    async def until(self, number: int) -> None:
        """Wait until so many messages came."""
        async with asyncio.timeout(PATIENCE):
            while len(self.messages) < number:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """One that listens."""
    one = Browser()
    app = web.Application()
    app.router.add_post("/push", one.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/push"
        yield one
    finally:
        await runner.cleanup()


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
