"""The index of orders."""

from __future__ import annotations

from state.documents import DocumentStore


async def run(documents: DocumentStore) -> None:
    """Make it, unless it is there."""
    await documents.call("orders", "create_index", [("grant_at", 1)], sparse=True)
