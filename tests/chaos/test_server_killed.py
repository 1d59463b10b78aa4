"""kill -9 of the server in the middle of duels: both come back and go on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from game.deal import commitment
from tests.chaos.chaos_kit import Probe, finish, quick, started, unharmed
from tests.harness import Player, Server, Table

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

SLACK_MS = 1_000  # a heartbeat, and a machine that is busy
DEAD_SECONDS = 2.0  # at least, so that a clock that went on would show
ROUND_SECONDS = 60
AWAY_SECONDS = 12  # more than a start takes on a machine that is busy


class Fight:
    """A duel of two players, and what is known of it across crashes."""

    def __init__(self, table: Table, ann: Player, bob: Player, duel: dict[str, Any]) -> None:
        self.table = table
        self.fighters = [ann, bob]
        self.id: str = duel["id"]
        self.views: list[dict[str, Any]] = []
        self.left_ms = ROUND_SECONDS * 1000.0

    async def look(self) -> None:
        """Note what each of the two sees, and how long the round still lasts."""
        self.views = [(await one.do("duel:get", duel_id=self.id))["duel"] for one in self.fighters]
        if self.views[0]["deadline"] is not None:
            self.left_ms = self.views[0]["deadline"] - time.time() * 1000

    async def come_back(self, server: Server, *seats: int) -> list[dict[str, Any]]:
        """Some of the two, one after the other; what `session:ready` shows them."""
        shown = []
        for seat in seats:
            self.fighters[seat] = self.table.player(server.url, self.fighters[seat].tokens)
            shown.append((await self.fighters[seat].connect()).ready)
        return shown

    def check_waiting(self, ready: dict[str, Any], seat: int) -> None:
        """One is back: all is as it was, and nothing runs before the other is."""
        shown = ready["resume"]["duel"]
        _same(shown, self.views[seat])
        assert shown["deadline"] is None
        assert [one["connected"] for one in shown["players"]] == [seat == 0, seat == 1]

    def check_running(self, ready: dict[str, Any], seat: int) -> None:
        """Both are back: the clock goes on where it stood."""
        shown = ready["resume"]["duel"]
        _same(shown, self.views[seat])
        assert abs(shown["deadline"] - ready["server_time"] - self.left_ms) < SLACK_MS


def _same(view: dict[str, Any], before: dict[str, Any]) -> None:
    for name in ("id", "status", "round", "rounds", "commitment", "you", "opponent_played"):
        assert view[name] == before[name], name
    scores = [[one["score"] for one in shown["players"]] for shown in (view, before)]
    assert scores[0] == scores[1]


async def begin(table: Table, server: Server, name: str) -> Fight:
    ann = await table.seat(server.url, f"ann {name}")
    bob = await table.seat(server.url, f"bob {name}")
    return Fight(table, ann, bob, await table.duel(ann, bob))


async def crash(server: Server, fights: list[Fight]) -> None:
    """Kill it, and leave it dead for a while."""
    for fight in fights:
        await fight.look()
    await server.kill()
    await asyncio.sleep(DEAD_SECONDS)


async def test_duels_survive_kills_of_the_server_at_whatever_point(
    tmp_path: Path, table: Table
) -> None:
    settings = quick(DATA_DIR=tmp_path, DUELS__ROUND_SECONDS=ROUND_SECONDS)
    async with started(**settings) as server:
        fresh = await begin(table, server, "fresh")
        half = await begin(table, server, "half")
        await half.fighters[0].do("duel:play", duel_id=half.id, round=1, hold=[0, 1])
        later = await begin(table, server, "later")
        for one in later.fighters:
            await one.do("duel:play", duel_id=later.id, round=1, hold=[4])
        fights = [fresh, half, later]
        await crash(server, fights)

    async with started(**settings) as server:
        for fight in (fresh, later):
            first, second = await fight.come_back(server, 0, 1)
            fight.check_waiting(first, 0)
            fight.check_running(second, 1)
            assert (await fight.fighters[0].next("duel:opponent"))["connected"]
        # Killed again while one of two is away.
        (second,) = await half.come_back(server, 1)
        half.check_waiting(second, 1)
        await crash(server, [fresh, later])

    async with started(**settings) as server:
        for fight in fights:
            first, second = await fight.come_back(server, 0, 1)
            fight.check_waiting(first, 0)
            fight.check_running(second, 1)
        for fight in fights:
            end = await finish(fight.fighters[0], fight.fighters[1], fight.id)
            assert end["end_reason"] in {"score", "draw"}
            assert commitment(end["seed"]) == end["commitment"] == fight.views[0]["commitment"]
        await Probe(table).green(server)
        unharmed(server)


async def test_a_fighter_who_does_not_come_back_after_a_crash_loses_in_time(
    tmp_path: Path, table: Table
) -> None:
    settings = quick(DATA_DIR=tmp_path, DUELS__RECONNECT_SECONDS=AWAY_SECONDS)
    async with started(**settings) as server:
        left = await begin(table, server, "left")
        both = await begin(table, server, "both")
        killed = time.time()
        await server.kill()
    async with started(**settings) as server:
        (ready,) = await left.come_back(server, 0)
        assert ready["resume"]["duel"]["status"] == "active"
        dead = time.time() - killed
        await left.fighters[0].next("duel:ended", seconds=2 * AWAY_SECONDS)
        # The time while the server was dead counts for who is away: he may be back in it.
        assert AWAY_SECONDS - SLACK_MS / 1000 < time.time() - killed < AWAY_SECONDS + dead / 2
        end = (await left.fighters[0].do("duel:get", duel_id=left.id))["duel"]
        assert (end["end_reason"], end["winner_id"]) == ("forfeit", left.fighters[0].id)
        view = (await left.fighters[0].do("duel:get", duel_id=both.id))["duel"]
        assert (view["status"], view["end_reason"]) == ("finished", "abandoned")
        unharmed(server)
