"""How many things each owner has open, which is bounded.

| collection | document | indexes |
| --- | --- | --- |
| `tabs` | `{_id: "<what>/<owner>", open}` | none |

Counted by a document of its own that every change reads and writes, so that two who open
something at once meet there. (A unique index of `open_for` would do, but SecantusDB keeps the
entry of a field that was taken away, and refuses the next one.)
"""

from __future__ import annotations

from game.errors import Conflict
from state.documents import Document, Transaction


async def open_one(tx: Transaction, tab: str, most: int) -> None:
    """Count one more.

    Raises:
        Conflict: so many are open already.
    """
    count = await _count(tx, tab)
    if count >= most:
        raise Conflict(f"At most {most} can be open at a time.")
    if count:
        await _set(tx, tab, count + 1)
    else:
        await tx.call("tabs", "insert_one", {"_id": tab, "open": 1})


async def close_one(tx: Transaction, tab: str) -> None:
    """Count one less."""
    count = await _count(tx, tab)
    if count > 1:
        await _set(tx, tab, count - 1)
    else:
        await tx.call("tabs", "delete_one", {"_id": tab}, hint="_id_")


async def _count(tx: Transaction, tab: str) -> int:
    found: Document | None = await tx.call("tabs", "find_one", {"_id": tab})
    return int(found["open"]) if found else 0


async def _set(tx: Transaction, tab: str, count: int) -> None:
    change = {"$set": {"open": count}}
    await tx.call("tabs", "update_one", {"_id": tab}, change, hint="_id_")
