"""Pairing: who may meet, who meets, and what holds for every queue."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from game.matchmaking import Bands, Ticket, estimate, may_meet, pairs

BANDS = Bands(start=100, growth=20)
NOW = 1_000_000


def ticket(name: str, rating: int = 1_500, waited: float = 0, **more: object) -> Ticket:
    fields = {"account_id": name, "stake": 0, **more}
    return Ticket(name, name, name, rating=rating, since=NOW - int(waited * 1000), **fields)  # type: ignore[arg-type]


def met(*tickets: Ticket, blocked: frozenset[frozenset[str]] = frozenset()) -> set[str]:
    return {a.id + b.id for a, b in pairs(tickets, NOW, BANDS, blocked)}


def test_the_nearest_rating_is_the_opponent() -> None:
    assert met(ticket("a", 1_500, 2), ticket("b", 1_560, 1), ticket("c", 1_540)) == {"ac"}


def test_a_band_widens_with_waiting() -> None:
    near, far = ticket("a", 1_500, 4), ticket("b", 1_700)
    assert met(near, far) == set()
    assert met(ticket("a", 1_500, 5), far) == {"ab"}


def test_who_has_waited_longer_decides_for_both() -> None:
    assert met(ticket("a", 1_500, 60), ticket("b", 2_500)) == {"ab"}


def test_other_stakes_other_characters_of_one_account_and_blocked_players_never_meet() -> None:
    assert met(ticket("a", waited=99), ticket("b", stake=5)) == set()
    assert met(ticket("a", waited=99, account_id="x"), ticket("b", account_id="x")) == set()
    block = frozenset({frozenset("ab")})
    assert met(ticket("a", waited=99), ticket("b"), blocked=block) == set()
    assert met(ticket("a", waited=99), ticket("b"), ticket("c", 1_600), blocked=block) == {"ac"}


def test_an_estimate_is_the_median_of_some_waits() -> None:
    assert estimate([1, 2]) is None
    assert estimate([9_000, 1_000, 2_000]) == 2_000


@st.composite
def queues(draw: st.DrawFn) -> tuple[list[Ticket], frozenset[frozenset[str]]]:
    tickets = [
        ticket(
            f"p{number}",
            draw(st.integers(0, 3_000)),
            draw(st.integers(0, 90)),
            stake=draw(st.sampled_from([0, 0, 0, 10])),
            account_id=draw(st.sampled_from(["x", "y", f"a{number}"])),
        )
        for number in range(draw(st.integers(0, 12)))
    ]
    two = list(combinations([one.id for one in tickets], 2))
    blocked = draw(st.sets(st.sampled_from(two), max_size=8)) if two else set()
    return tickets, frozenset(map(frozenset, blocked))


@given(queues())
def test_nobody_is_paired_twice_and_no_two_are_left_who_may_meet(
    queue: tuple[list[Ticket], frozenset[frozenset[str]]],
) -> None:
    tickets, blocked = queue
    found = pairs(tickets, NOW, BANDS, blocked)
    paired = [one.id for two in found for one in two]
    assert len(set(paired)) == len(paired)
    assert all(may_meet(a, b, NOW, BANDS, blocked) and a.since <= b.since for a, b in found)
    left = [one for one in tickets if one.id not in paired]
    assert not any(may_meet(a, b, NOW, BANDS, blocked) for a, b in combinations(left, 2))


@given(queues())
def test_the_order_of_the_queue_does_not_matter(
    queue: tuple[list[Ticket], frozenset[frozenset[str]]],
) -> None:
    tickets, blocked = queue
    assert pairs(tickets[::-1], NOW, BANDS, blocked) == pairs(tickets, NOW, BANDS, blocked)


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_a_band_never_gets_narrower(earlier: int, more: int) -> None:
    assert BANDS.width(earlier) <= BANDS.width(earlier + more)
