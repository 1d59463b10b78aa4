"""All that has to do with what leaves the server by itself, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from config.settings import Settings
from state.contacts import Contacts
from state.deliveries import Deliveries
from state.documents import DocumentStore
from state.mailboxes import Mailboxes
from state.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Outbound:
    """What the handlers of webhooks and notifications work with."""

    webhooks: Webhooks
    deliveries: Deliveries
    mailboxes: Mailboxes
    contacts: Contacts

    @classmethod
    def build(cls, documents: DocumentStore, settings: Settings, now: Callable[[], int]) -> Self:
        """Put it together; `now` is in milliseconds, the same on every node."""
        return cls(
            webhooks=Webhooks(documents, settings.webhooks, now),
            deliveries=Deliveries(documents, settings.webhooks, now),
            mailboxes=Mailboxes(documents, settings.notifications, now),
            contacts=Contacts(documents, now),
        )
