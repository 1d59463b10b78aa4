"""The index of what operators did."""

from __future__ import annotations

from state.documents import DocumentStore


async def run(documents: DocumentStore) -> None:
    """Make it, unless it is there."""
    keys = [("by.account_id", 1), ("_id", -1)]
    await documents.call("operations_log", "create_index", keys)
