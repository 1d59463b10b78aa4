"""The indexes by which all that belongs to a player is found, and deletions that are due."""

from __future__ import annotations

from state.documents import DocumentStore

INDEXES: tuple[tuple[str, list[tuple[str, int]]], ...] = (
    ("deletions", [("due_at", 1)]),
    ("messages", [("from.id", 1), ("_id", -1)]),
    ("orders", [("player", 1)]),
    ("blackjack", [("player", 1)]),
)


async def run(documents: DocumentStore) -> None:
    """Make them; those that are there stay."""
    for collection, keys in INDEXES:
        await documents.call(collection, "create_index", keys)
