"""A write that is made only if the document still is what was read, on both drivers."""

from __future__ import annotations

import asyncio

from state.documents import DocumentStore

DOCUMENT = {"_id": "one", "rev": 1, "text": "a"}


async def test_a_guarded_write_is_made_only_while_the_guard_holds(documents: DocumentStore) -> None:
    await documents.call("things", "insert_one", dict(DOCUMENT))
    assert await documents.update_guarded("things", {"_id": "one", "rev": 1}, {"rev": 2})
    assert not await documents.update_guarded("things", {"_id": "one", "rev": 1}, {"rev": 3})
    assert not await documents.update_guarded("things", {"_id": "two"}, {"rev": 3})
    found = await documents.call("things", "find_one", {"_id": "one"})
    assert found == {**DOCUMENT, "rev": 2}


async def test_of_many_guarded_writes_at_once_one_is_made(documents: DocumentStore) -> None:
    await documents.call("things", "insert_one", dict(DOCUMENT))
    guard = {"_id": "one", "rev": 1}
    writes = (
        documents.update_guarded("things", guard, {"rev": 2, "text": str(number)})
        for number in range(12)
    )
    assert sorted(await asyncio.gather(*writes)) == [False] * 11 + [True]
