"""Who watches whom on a node, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.sections import Limits, Redis
from game.errors import Conflict, DependencyUnavailable
from server.broadcast import RoomPublisher
from server.watchers import Watchers
from state.connect import RedisStore
from state.live import Live

NOBODY_LISTENS = "redis://127.0.0.1:1/0"
PLAYERS = st.sets(st.sampled_from("abcdef"))
STEPS = st.lists(st.tuples(st.sampled_from(["one", "two"]), st.booleans(), PLAYERS), max_size=30)


def watchers(per_connection: int = 10) -> Watchers:
    live = Live(RedisStore(NOBODY_LISTENS, Redis()), Limits(), "node", 10)
    return Watchers(live, per_connection)


def kept(watching: Watchers) -> list[Any]:
    return [watching._of, watching._by]


def test_a_connection_watches_so_many_players_and_no_more() -> None:
    watching = watchers(3)
    watching.watch("sid", ["a", "b"])
    with pytest.raises(Conflict):
        watching.watch("sid", ["c", "d"])
    watching.watch("sid", ["a", "b", "c"])
    watching.watch("other", ["d", "e", "f"])
    watching.changed(["a", "d", "x"])
    assert watching._changed == {"a", "d"}


@given(STEPS)
def test_nobody_is_watched_who_was_given_up(steps: list[tuple[str, bool, set[str]]]) -> None:
    watching = watchers()
    wanted: dict[str, set[str]] = {"one": set(), "two": set()}
    for sid, watch, players in steps:
        if watch:
            watching.watch(sid, players)
            wanted[sid] |= players
        else:
            watching.unwatch(sid, players)
            wanted[sid] -= players
    assert set(watching._by) == wanted["one"] | wanted["two"]
    for player, sids in watching._by.items():
        assert sids == {sid for sid in wanted if player in wanted[sid]}
    for sid in wanted:
        watching.unwatch(sid)
    assert kept(watching) == [{}, {}]


def test_after_a_gap_everybody_is_looked_at_again() -> None:
    watching = watchers()
    watching.watch("one", "ab")
    watching.watch("two", "bc")
    watching.all_changed()
    assert watching._changed == {"a", "b", "c"}


async def test_while_redis_is_away_changes_are_kept_for_later() -> None:
    watching = watchers()
    watching.watch("one", "ab")
    watching.changed("ab")
    with pytest.raises(DependencyUnavailable):
        await watching.tell()
    assert watching._changed == {"a", "b"}


class Told:
    """A backlog that notes what is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def tell(self, _: str, text: str) -> None:
        self.texts.append(text)


async def test_changes_of_one_turn_of_the_loop_are_told_together_also_if_the_first_is_cut_off() -> (
    None
):
    told = Told()
    publisher = RoomPublisher(cast("Any", None), cast("Any", told), cast("Any", None))
    tasks = [asyncio.create_task(publisher.presence_changed([player])) for player in ("ann", "bob")]
    await asyncio.gather(*tasks)
    await publisher.presence_changed(["eve"])
    first = asyncio.create_task(publisher.presence_changed(["joe"]))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    players = [set(json.loads(text)["players"]) for text in told.texts]
    assert players == [{"ann", "bob"}, {"eve"}, {"joe"}]
