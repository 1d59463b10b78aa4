"""Friends and blocks: what two players are to each other, from both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from game.errors import Conflict, Forbidden, NotFound, ValidationFailed

BLOCKED = "One of you has blocked the other."

TieState = Literal["friend", "incoming", "outgoing", "blocked"]
Counts: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Tie:
    """What a player is to another one, from that one's side; `since` in milliseconds."""

    state: TieState
    since: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many a player may have of each; requests count apart, sent and received."""

    friends: int
    requests: int
    blocks: int

    def of(self, state: TieState) -> int:
        """The bound of a state."""
        return {"friend": self.friends, "blocked": self.blocks}.get(state, self.requests)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: what the other is to him, and how many of each he has."""

    tie: Tie | None = None
    counts: Counts = field(default_factory=dict)

    @property
    def state(self) -> TieState | None:
        """What the other is to him."""
        return self.tie.state if self.tie else None

    def become(self, state: TieState | None, at: int) -> Side:
        """Let the other be something else, or nothing; the same, nothing changes."""
        if state == self.state:
            return self
        counts = dict(self.counts)
        if self.state:
            counts[self.state] -= 1
        if state:
            counts[state] = counts.get(state, 0) + 1
        return Side(Tie(state, at) if state else None, counts)


@dataclass(frozen=True, slots=True)
class Pair:
    """Who acts, and the other one.

    What holds always: a friend's friend is a friend, whoever asked was asked, and who is
    blocked is nothing else, nor has anything but a block of his own.
    """

    mine: Side
    theirs: Side

    def turn(self) -> Pair:
        """The same from the other side."""
        return Pair(self.theirs, self.mine)


def add(pair: Pair, at: int, bounds: Bounds) -> Pair:
    """Ask to be friends, or agree when the other has asked.

    Raises:
        Forbidden: the other has blocked him.
        Conflict: he has blocked the other, or one of the two has as many as may be.
    """
    if pair.mine.state == "blocked":
        raise Conflict("Unblock the player first.")
    if pair.theirs.state == "blocked":
        raise Forbidden("The player does not want to hear from you.")
    if pair.mine.state == "incoming":
        return accept(pair, at, bounds)
    if pair.mine.state is not None:
        return pair
    asked = Pair(pair.mine.become("outgoing", at), pair.theirs.become("incoming", at))
    return _within(pair, asked, bounds)


def accept(pair: Pair, at: int, bounds: Bounds) -> Pair:
    """Agree to be friends; being friends already is no error.

    Raises:
        NotFound: the other has not asked.
        Conflict: one of the two has as many friends as may be.
    """
    if pair.mine.state == "friend":
        return pair
    if pair.mine.state != "incoming":
        raise NotFound("The player has not asked.")
    friends = Pair(pair.mine.become("friend", at), pair.theirs.become("friend", at))
    return _within(pair, friends, bounds)


def remove(pair: Pair, at: int, _: Bounds) -> Pair:
    """End a friendship, take a request back, or decline one; a block stays."""
    if pair.mine.state in {None, "blocked"}:
        return pair
    return Pair(pair.mine.become(None, at), pair.theirs.become(None, at))


def block(pair: Pair, at: int, bounds: Bounds) -> Pair:
    """Have nothing to do with the other any more.

    Raises:
        Conflict: he has blocked as many as may be.
    """
    theirs = pair.theirs if pair.theirs.state == "blocked" else pair.theirs.become(None, at)
    return _within(pair, Pair(pair.mine.become("blocked", at), theirs), bounds)


def unblock(pair: Pair, at: int, _: Bounds) -> Pair:
    """Take a block away; what was before it does not come back."""
    if pair.mine.state != "blocked":
        return pair
    return replace(pair, mine=pair.mine.become(None, at))


def other_than(player_id: str, other_id: str) -> str:
    """The other one.

    Raises:
        ValidationFailed: it is the player himself.
    """
    if player_id == other_id:
        raise ValidationFailed.of("player_id", "That is you.", "oneself")
    return other_id


def _within(before: Pair, after: Pair, bounds: Bounds) -> Pair:
    """Let changes pass that make nobody have more than he may."""
    sides = ((before.mine, after.mine, "You have"), (before.theirs, after.theirs, "The player has"))
    for old, new, who in sides:
        if new.state and new.state != old.state and new.counts[new.state] > bounds.of(new.state):
            raise Conflict(f"{who} as many as may be.")
    return after
