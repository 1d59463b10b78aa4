"""A bounded number of open things for each owner, by a unique and sparse index of `open_for`."""

from __future__ import annotations

from game.errors import Conflict
from state.documents import Transaction


async def take_slot(tx: Transaction, collection: str, owner: str, most: int) -> str:
    """A free value of `open_for` (`<owner>/<number>`), which the next document gets.

    Two who take the same meet in the index; the slower one's transaction is tried again.

    Raises:
        Conflict: all are taken.
    """
    slots = [f"{owner}/{number}" for number in range(most)]
    taken = {one["open_for"] async for one in tx.each(collection, {"open_for": {"$in": slots}})}
    free = [slot for slot in slots if slot not in taken]
    if not free:
        raise Conflict(f"At most {most} can be open at a time.")
    return free[0]
