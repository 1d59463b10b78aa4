"""Friends and blocks: laws that hold whatever any two do, in whatever order."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game import friends as rules
from game.errors import Conflict, Forbidden, GameError, NotFound, ValidationFailed
from game.friends import Bounds, Pair, Side

BOUNDS = Bounds(friends=2, requests=2, blocks=2)
ACTS = (rules.add, rules.accept, rules.remove, rules.block, rules.unblock)
MIRROR = {"friend": "friend", "incoming": "outgoing", "outgoing": "incoming"}
STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(ACTS)))
STRANGERS = Pair(Side(), Side())


def counts(states: list[str]) -> dict[str, int]:
    return {state: states.count(state) for state in set(states)}


class Village:
    """Four players, each with his sides of three ties."""

    def __init__(self) -> None:
        self.ties = {(a, b): Side() for a in range(4) for b in range(4) if a != b}

    def side(self, a: int, b: int) -> Side:
        mine = [str(side.state) for (who, _), side in self.ties.items() if who == a and side.tie]
        return Side(self.ties[a, b].tie, counts(mine))

    def act(self, a: int, b: int, rule: object, at: int) -> None:
        pair = Pair(self.side(a, b), self.side(b, a))
        after = rule(pair, at, BOUNDS)  # type: ignore[operator]
        self.ties[a, b], self.ties[b, a] = after.mine, after.theirs
        for one, other in ((a, b), (b, a)):  # the counts are kept as they are counted
            now = self.side(one, other)
            kept = {state: count for state, count in now.counts.items() if count}
            mine = after.mine if one == a else after.theirs
            assert {state: count for state, count in mine.counts.items() if count} == kept


@given(STEPS)
def test_ties_are_symmetric_blocked_pairs_are_nothing_else_and_nobody_has_too_many(
    steps: list[tuple[int, int, object]],
) -> None:
    village = Village()
    for at, (a, b, rule) in enumerate(steps):
        if a == b:
            continue
        with suppress(GameError):
            village.act(a, b, rule, at)
        for (one, other), side in village.ties.items():
            mirrored = village.ties[other, one].state
            if side.state == "blocked":
                assert mirrored in {None, "blocked"}
            elif side.state:
                assert mirrored == MIRROR[side.state]
        for one in range(4):
            mine = [s.state for (who, _), s in village.ties.items() if who == one and s.tie]
            assert all(mine.count(state) <= BOUNDS.of(state) for state in mine if state)


def test_asking_who_has_asked_makes_friends() -> None:
    asked = rules.add(STRANGERS, 1, BOUNDS)
    friends = rules.add(asked.turn(), 2, BOUNDS)
    assert (friends.mine.state, friends.theirs.state) == ("friend", "friend")
    assert rules.add(friends, 3, BOUNDS) is friends
    assert rules.accept(friends, 3, BOUNDS) is friends


def test_a_blocked_player_cannot_ask_and_the_blocker_has_to_unblock_first() -> None:
    blocked = rules.block(rules.add(STRANGERS, 1, BOUNDS), 2, BOUNDS)
    assert (blocked.mine.state, blocked.theirs.state) == ("blocked", None)
    with pytest.raises(Conflict):
        rules.add(blocked, 3, BOUNDS)
    with pytest.raises(Forbidden):
        rules.add(blocked.turn(), 3, BOUNDS)
    both = rules.block(blocked.turn(), 3, BOUNDS)
    assert rules.unblock(both, 4, BOUNDS).theirs.state == "blocked"


def test_only_who_was_asked_can_accept_and_nobody_is_his_own_friend() -> None:
    for pair in (STRANGERS, rules.add(STRANGERS, 1, BOUNDS)):
        with pytest.raises(NotFound):
            rules.accept(pair, 2, BOUNDS)
    with pytest.raises(ValidationFailed):
        rules.other_than("ann", "ann")
