"""Links in e-mails: what following one does, in a token that only the server can make."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import asdict, dataclass
from typing import Literal

from game.errors import NotFound

LABEL = b"links in e-mails"  # keeps this use of the secret apart from others
MAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Link:
    """Verify an address, or stop e-mails of a kind; `what` is the address' proof, or the kind.

    `until` is in milliseconds, 0 for good.
    """

    does: Literal["verify", "stop"]
    account: str
    what: str
    until: int = 0


def token(link: Link, secret: str) -> str:
    """URL-safe text."""
    body = json.dumps(asdict(link), separators=(",", ":")).encode()
    return _text(_mac(body, secret) + body)


def read(text: str, secret: str, now: int) -> Link:
    """What a token says.

    Raises:
        NotFound: we did not make it, or it is past its time.
    """
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Error, ValueError):
        raise NotFound("The link is not whole.") from None
    mac, body = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(body, secret)):
        raise NotFound("The link is not whole.")
    link = Link(**json.loads(body))
    if link.until and link.until < now:
        raise NotFound("The link is past its time.")
    return link


def _mac(body: bytes, secret: str) -> bytes:
    key = hmac.new(secret.encode(), LABEL, "sha256").digest()
    return hmac.new(key, body, "sha256").digest()[:MAC_BYTES]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
