"""The indexes of the ledger and of what is built on it."""

from __future__ import annotations

from state.documents import Document, DocumentStore

INDEXES: tuple[tuple[str, list[tuple[str, int]], Document], ...] = (
    ("postings", [("accounts", 1), ("_id", -1)], {}),
    ("postings", [("once", 1)], {"unique": True, "sparse": True}),
    ("postings", [("untold", 1)], {"sparse": True}),
    ("requests", [("expires_at", 1)], {"expireAfterSeconds": 0}),
    ("inventory", [("player", 1)], {}),
    ("blackjack", [("open_for", 1)], {"unique": True, "sparse": True}),
    ("blackjack", [("due_at", 1)], {"sparse": True}),
    ("stakes", [("check_at", 1)], {"sparse": True}),
)
COLLECTIONS = ("wallets", "stock", "boosts", "robberies")
"""Without one of their own: made now, since a transaction does not always make them."""


async def run(documents: DocumentStore) -> None:
    """Make them; those that are there stay."""
    for collection, keys, options in INDEXES:
        await documents.call(collection, "create_index", keys, **options)
    for collection in COLLECTIONS:
        await documents.make(collection)
