"""The indexes of ratings."""

from __future__ import annotations

from state.documents import DocumentStore


async def run(documents: DocumentStore) -> None:
    """Make them, unless they are there."""
    for field in ("season", "player"):
        await documents.call("ratings", "create_index", [(field, 1)])
    await documents.call("rated", "create_index", [("expires_at", 1)], expireAfterSeconds=0)
