"""How something leaves the server: what handlers and jobs know of it; the server is behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from state.contacts import Device


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request to somebody else came to; `status` is None if nobody answered."""

    status: int | None
    text: str
    error: str
    ms: int


class Poster(Protocol):
    """Sends to addresses that others chose, and to none that is not theirs to choose."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """POST a body; whatever goes wrong is in the reply."""

    def slot(self, name: str) -> AbstractContextManager[bool]:
        """A place among those who send to one endpoint from here; False if all are taken."""


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail; `stop_url` ends e-mails of its kind, empty if it is the only one."""

    id: str
    to: str
    subject: str
    text: str
    stop_url: str = ""


class Mailer(Protocol):
    """Sends e-mails."""

    async def send(self, mail: Mail) -> bool:
        """Hand one to the relay; False if it will never take it.

        Raises:
            DependencyUnavailable: the relay does not answer, or not now.
        """


class Pusher(Protocol):
    """Sends to devices."""

    @property
    def public_key(self) -> str:
        """What a browser subscribes with (`applicationServerKey`)."""

    def good(self, device: Device) -> bool:
        """Whether a device's keys are keys."""

    async def send(self, device: Device, body: bytes, topic: str) -> bool:
        """Send a message; False if the device is no more to be reached.

        Raises:
            DependencyUnavailable: its push service does not take it now.
        """


@dataclass(frozen=True, slots=True)
class Ways:
    """All of them. Without a mailer there is no e-mail."""

    webhooks: Poster
    disabled: Callable[[], None]
    """Counts an endpoint that was given up."""
    mail: Mailer | None
    push: Pusher
    secret: str
    """Signs the links in e-mails."""
