"""The indexes of batches of transfers and of withdrawals."""

from __future__ import annotations

from state.documents import Document, DocumentStore

INDEXES: tuple[tuple[str, list[tuple[str, int]], Document], ...] = (
    ("batches", [("payer", 1)], {}),
    ("batches", [("check_at", 1)], {"sparse": True}),
    ("batches", [("ended_at", 1)], {"sparse": True}),
    ("withdrawals", [("player_id", 1)], {}),
    ("withdrawals", [("status", 1), ("_id", -1)], {}),
    ("withdrawals", [("check_at", 1)], {"sparse": True}),
)


async def run(documents: DocumentStore) -> None:
    """Make them; those that are there stay."""
    for collection, keys, options in INDEXES:
        await documents.call(collection, "create_index", keys, **options)
    for collection in ("batch_items", "tabs"):
        await documents.make(collection)
