"""Friends, requests and blocks, in MongoDB.

| collection | document | indexes |
| --- | --- | --- |
| `ties` | `{_id: "<owner>/<other>", owner, other, state, since}` | a |
| `circles` | `{_id: owner, friend, incoming, outgoing, blocked}` | none |

a: `owner, state` and `other`.

A tie is one side's: `state` is friend, incoming, outgoing or blocked. Both sides, and how
many ties of each state the two have, change in one transaction. Who is blocked has no tie
that says so, so nothing grows that a player has no hand in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import Any, get_args

from config.sections import Social
from game.errors import Forbidden
from game.friends import BLOCKED, Bounds, Counts, Pair, Side, Tie, TieState
from state.connect import Question
from state.copies import key_of, of_requests
from state.documents import Document, DocumentStore, Transaction

AT_ONCE = 1_000  # ids in a query
STATES: tuple[TieState, ...] = get_args(TieState)

Rule = Callable[[Pair, int, Bounds], Pair]


@dataclass(frozen=True, slots=True)
class Related:
    """Somebody, and what he is to the player who is asked about."""

    player_id: str
    tie: Tie


@dataclass(frozen=True, slots=True)
class Change:
    """Two players as they were, and as they are now."""

    before: Pair
    after: Pair


class Friends:
    """Who is what to whom.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(self, documents: DocumentStore, settings: Social, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now
        self._bounds = Bounds(settings.friends, settings.requests, settings.blocks)
        self._most = settings.friends + 2 * settings.requests + settings.blocks

    async def change(self, player_id: str, other_id: str, rule: Rule) -> Change:
        """Let a player do something to another one, by a rule of game/friends.py.

        Raises:
            GameError: the rule refuses.
            StaleVersion: others were faster all the time.
        """

        async def work(tx: Transaction) -> Change:
            before = Pair(
                await _side(tx, player_id, other_id), await _side(tx, other_id, player_id)
            )
            after = rule(before, self._now(), self._bounds)
            for one in (player_id, other_id):
                await tx.spoil(of_requests(one))
            await _save(tx, player_id, other_id, before.mine, after.mine)
            await _save(tx, other_id, player_id, before.theirs, after.theirs)
            return Change(before, after)

        return await self._documents.transaction(work)

    async def of(self, player_id: str) -> list[Related]:
        """Everybody who is something to a player, friends first, then by when that began."""
        query = {"owner": player_id}
        found = await self._documents.find("ties", query, sort=[("state", 1)], limit=self._most)
        related = [Related(one["other"], _tie(one)) for one in found]
        return sorted(related, key=lambda one: (one.tie.state != "friend", one.tie.since))

    def ask_requests(self, player_id: str) -> Question:
        """What is kept of how many wait for a player's answer, to be asked with others."""
        return Question(("GET", key_of(of_requests(player_id))), _as_it_is)

    async def requests(self, player_id: str, kept: str | None) -> int:
        """How many wait for a player's answer, by what is kept of that."""
        read, copies = partial(self._requests, player_id), self._documents.copies
        count: int = await (copies.use(kept, of_requests(player_id), read) if copies else read())
        return count

    async def expect(self, player_id: str) -> None:
        """Let a player who is about to come find a copy of how many wait for his answer."""
        if copies := self._documents.copies:
            await copies.renew(of_requests(player_id), partial(self._requests, player_id))

    async def _requests(self, player_id: str) -> int:
        found = await self._documents.call("circles", "find_one", {"_id": player_id})
        return int(found.get("incoming", 0)) if found else 0

    async def is_blocked(self, one: str, other: str) -> bool:
        """Whether one of the two has blocked the other: the newest word, from any node."""
        return bool(await self.blocked_pairs([one, other]))

    async def refuse_blocked(self, one: str, other: str) -> None:
        """Let pairs pass of which nobody has blocked the other.

        Raises:
            Forbidden: one has.
        """
        if await self.is_blocked(one, other):
            raise Forbidden(BLOCKED)

    async def blocked_pairs(self, player_ids: Iterable[str]) -> set[frozenset[str]]:
        """The pairs among these players of which one has blocked the other.

        Looks up each pair both ways: 2 ms for 30 players, 50 ms for 100.
        """
        wanted = [_id(one, other) for one, other in permutations(player_ids, 2)]
        pairs: set[frozenset[str]] = set()
        for start in range(0, len(wanted), AT_ONCE):
            # By nothing but the id: SecantusDB scans for the ids and a state together.
            query = {"_id": {"$in": wanted[start : start + AT_ONCE]}}
            found = await self._documents.find("ties", query, sort=[("_id", 1)], limit=AT_ONCE)
            pairs |= {
                frozenset((one["owner"], one["other"]))
                for one in found
                if one["state"] == "blocked"
            }
        return pairs

    async def forget(self, player_id: str) -> Sequence[str]:
        """Take a player out of everybody's ties; returns who had one that he may know of."""
        known = await self.of(player_id)
        query = {"other": player_id}
        others = [
            one["owner"] async for one in self._documents.each("ties", query, sort=[("_id", 1)])
        ]
        for other in {*others, *(one.player_id for one in known)}:
            await self.change(player_id, other, _nothing)
        await self._documents.call("circles", "delete_one", {"_id": player_id}, hint="_id_")
        return [one.player_id for one in known if one.tie.state != "blocked"]


def _as_it_is(kept: str | None) -> str | None:
    return kept


def _nothing(pair: Pair, at: int, _: Bounds) -> Pair:
    return Pair(pair.mine.become(None, at), pair.theirs.become(None, at))


async def _side(tx: Transaction, owner: str, other: str) -> Side:
    tie = await tx.call("ties", "find_one", {"_id": _id(owner, other)})
    circle = await tx.call("circles", "find_one", {"_id": owner}) or {}
    counts: Counts = {state: circle.get(state, 0) for state in STATES}
    return Side(_tie(tie) if tie else None, counts)


async def _save(tx: Transaction, owner: str, other: str, before: Side, after: Side) -> None:
    if before == after:
        return
    which = {"_id": _id(owner, other)}
    if after.tie is None:
        await tx.call("ties", "delete_one", which, hint="_id_")
    else:
        tie = {"owner": owner, "other": other, "state": after.tie.state, "since": after.tie.since}
        await _put(tx, "ties", {**which, **tie})
    await _put(tx, "circles", {"_id": owner, **after.counts})


async def _put(tx: Transaction, collection: str, document: Document) -> None:
    which = {"_id": document["_id"]}
    await tx.call(collection, "replace_one", which, document, upsert=True, hint="_id_")


def _tie(document: dict[str, Any]) -> Tie:
    return Tie(document["state"], document["since"])


def _id(owner: str, other: str) -> str:
    return f"{owner}/{other}"
