"""The indexes of friends and blocks."""

from __future__ import annotations

from state.documents import DocumentStore


async def run(documents: DocumentStore) -> None:
    """Make them; those that are there stay."""
    await documents.call("ties", "create_index", [("owner", 1), ("state", 1)])
    await documents.call("ties", "create_index", [("other", 1)])
    await documents.make("circles")
