"""What leaves the server: webhooks and notifications."""

from __future__ import annotations

from state.documents import Document, DocumentStore

INDEXES: tuple[tuple[str, list[tuple[str, int]], Document], ...] = (
    ("events", [("expires_at", 1)], {"expireAfterSeconds": 0}),
    ("deliveries", [("queued", 1)], {"sparse": True}),
    ("deliveries", [("expires_at", 1)], {"expireAfterSeconds": 0}),
    ("lanes", [("due_at", 1)], {"sparse": True}),
    ("lanes", [("webhook", 1)], {}),
    ("mailboxes", [("expires_at", 1)], {"expireAfterSeconds": 0}),
    ("mailboxes", [("items.by.id", 1)], {}),
)
COLLECTIONS = ("webhooks", "contacts")
"""Without one of their own: made now, since a transaction does not always make them."""


async def run(documents: DocumentStore) -> None:
    """Make them; those that are there stay."""
    for collection, keys, options in INDEXES:
        await documents.call(collection, "create_index", keys, **options)
    for collection in COLLECTIONS:
        await documents.make(collection)
