"""Webhooks as Standard Webhooks has them: how they are signed, and what an answer means.

The specification: standard-webhooks.com; its signature is HMAC-SHA256 of `id.timestamp.body`
with the bytes that the secret's text is base64 of.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from game.errors import ValidationFailed

PREFIX = "whsec_"
GONE = 410  # the specification: disable the endpoint
OLDEST = 2  # secrets that sign at once: the new one and the one before

Verdict: TypeAlias = Literal["delivered", "failed", "gone"]


@dataclass(frozen=True, slots=True)
class Secret:
    """Signs until then, in ms; None is for good."""

    text: str
    until: int | None = None


def secret(key: bytes) -> Secret:
    """Of 24 to 64 random bytes."""
    return Secret(PREFIX + b64encode(key).decode())


def rotate(secrets: Sequence[Secret], fresh: Secret, until: int) -> tuple[Secret, ...]:
    """The new one first; the one before signs on for a while."""
    return fresh, Secret(secrets[0].text, until)


def signature(text: str, message_id: str, seconds: int, body: bytes) -> str:
    """`v1,` and the signature by one secret."""
    key = b64decode(text.removeprefix(PREFIX))
    signed = f"{message_id}.{seconds}.".encode() + body
    return "v1," + b64encode(hmac.new(key, signed, "sha256").digest()).decode()


def headers(secrets: Sequence[Secret], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """What goes with a body at this time (ms), signed by every secret that is good."""
    seconds = at // 1000
    good = [one.text for one in secrets if one.until is None or one.until > at]
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signature(one, message_id, seconds, body) for one in good),
    }


def judge(status: int | None) -> Verdict:
    """What an answer's status means; None is no answer. A redirect is a failure."""
    if status == GONE:
        return "gone"
    return "delivered" if status is not None and 200 <= status < 300 else "failed"


def pause(tries: int, table: Sequence[float], jitter: float) -> float | None:
    """Seconds until the next attempt after so many, up to a tenth longer; None: give up."""
    return table[tries - 1] * (1 + jitter / 10) if tries <= len(table) else None


def rest(failures: int, allowed: int, first: float, longest: float) -> float:
    """Seconds for which an endpoint is left alone after so many failures in a row."""
    if failures < allowed:
        return 0.0
    return min(longest, first * 2.0 ** min(failures - allowed, 20))


def check_url(url: str, *, private: bool) -> str:
    """An address that webhooks can be sent to; where it leads to is checked when they are.

    Raises:
        ValidationFailed: it is none.
    """
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise _problem("It is not a URL.") from None
    if not good or parts.username is not None or parts.fragment:
        raise _problem("It needs a host, and no user or fragment.")
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise _problem("It must begin with https://.")
    return url


def _problem(message: str) -> ValidationFailed:
    return ValidationFailed.of("url", message, "url")
