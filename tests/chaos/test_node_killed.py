"""Two nodes on the same stores, one of them killed: the other takes everything away from it."""

from __future__ import annotations

import asyncio
import time

import pytest
from socketio.exceptions import ConnectionError as RefusedError

from tests.chaos.chaos_kit import (
    LASTING,
    LEASE,
    finish,
    owned_keys,
    quick,
    started,
    suspended,
    unharmed,
    until,
)
from tests.fixtures import Stores, on
from tests.harness import Player, Table
from tests.sizes import ONLY_LONG

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

ROOM = "room:two"


def nodes_of(found: set[str]) -> set[str]:
    """The nodes that Redis has a seat of."""
    return {key.removeprefix("{live}:node:") for key in found if key.startswith("{live}:node:")}


def node_of(player: Player) -> str:
    """An Engine.IO id begins with the node that it lives on."""
    sid: str = player.socket.eio.sid
    return sid.partition(".")[0]


def settings(stores: Stores, **more: object) -> dict[str, object]:
    return on(stores, **quick(NODES__LEASE_SECONDS=LEASE, **more))


async def test_a_killed_nodes_players_leave_everything_and_may_come_to_another(
    emptied: Stores, table: Table
) -> None:
    async with started(**settings(emptied)) as living, started(**settings(emptied)) as dying:
        ann = await table.seat(dying.url, "ann")
        others = [table.player(dying.url, ann.tokens) for _ in range(4)]
        for other in others:
            await other.connect()
        eve = await table.seat(dying.url, "eve")
        bob = await table.seat(living.url, "bob")
        watcher = await table.seat(living.url, "watcher")
        for player in (ann, others[0], eve, bob):
            await player.do("chat:join", room=ROOM)
        await watcher.do("presence:watch", player_ids=[ann.id, eve.id, bob.id])
        duel = await table.duel(ann, bob)
        before = (await ann.do("duel:get", duel_id=duel["id"]))["duel"]
        gone, stays = node_of(ann), node_of(bob)
        killed_at = time.time() * 1000
        await dying.kill()

        # Bob is told, and the clock stands still since the last beat of ann's node.
        told = await bob.next("duel:opponent")
        assert (told["player_id"], told["connected"]) == (ann.id, False)
        assert abs(told["deadline"] - killed_at - 600_000) < 1_500
        await _hears(watcher, {ann.id: "offline", eve.id: "offline"})
        members = (await bob.do("chat:join", room=ROOM))["members"]
        assert [member["id"] for member in members] == [bob.id]
        await until(lambda: owned_keys(emptied), lambda found: nodes_of(found) == {stays})
        assert not [key for key in await owned_keys(emptied) if gone in key or "{live}:gone" in key]

        # All five of ann's places are free again, and no more than five.
        back = [table.player(living.url, ann.tokens) for _ in range(6)]
        for player in back[:5]:
            await player.connect()
        with pytest.raises(RefusedError):
            await back[5].connect()
        assert back[5].refusal["message"] == "too_many_connections"
        shown = back[0].ready["resume"]["duel"]
        assert shown["you"] == before["you"]
        left = shown["deadline"] - back[0].ready["server_time"]
        assert abs(left - (before["deadline"] - killed_at)) < 1_500
        assert (await bob.next("duel:opponent"))["connected"]
        await _hears(watcher, {ann.id: "online"})
        assert (await finish(back[0], bob, duel["id"]))["status"] == "finished"

        await asyncio.gather(*(one.leave() for one in [*back[:5], bob, watcher]))
        await until(lambda: owned_keys(emptied), LASTING.issuperset)
        unharmed(living)


async def _hears(watcher: Player, expected: dict[str, str], seconds: float = 60.0) -> None:
    """The watcher is told that these players show themselves so, in one event or several."""
    missing = dict(expected)
    async with asyncio.timeout(seconds):
        while missing:
            event = await watcher.next("presence:changed", seconds=seconds)
            for player, view in event["presence"].items():
                if missing.get(player) == view["status"]:
                    del missing[player]


@ONLY_LONG  # it waits for a lease of the usual length
async def test_with_the_usual_settings_it_takes_less_than_a_minute(
    emptied: Stores, table: Table
) -> None:
    async with started(**on(emptied)) as living, started(**on(emptied)) as dying:
        ann = await table.seat(dying.url, "ann")
        watcher = await table.seat(living.url, "watcher")
        await watcher.do("presence:watch", player_ids=[ann.id])
        await dying.kill()
        await _hears(watcher, {ann.id: "offline"})
        unharmed(living)


async def test_a_node_that_stood_still_sends_its_clients_back_and_goes_on(
    emptied: Stores, table: Table
) -> None:
    """The others took it for dead: what it had is gone, and nothing of it may linger."""
    async with started(**settings(emptied)) as living, started(**settings(emptied)) as slow:
        ann = await table.seat(slow.url, "ann")
        watcher = await table.seat(living.url, "watcher")
        await ann.do("chat:join", room=ROOM)
        await watcher.do("presence:watch", player_ids=[ann.id])
        with suspended(slow):
            await _hears(watcher, {ann.id: "offline"})
            await until(lambda: owned_keys(emptied), lambda found: len(nodes_of(found)) == 1)
        farewell = await ann.next("server:disconnect")
        assert (farewell["code"], farewell["reconnect"]) == ("draining", True)
        again = await table.player(slow.url, ann.tokens).connect()
        await _hears(watcher, {ann.id: "online"})
        await again.leave()
        await watcher.leave()
        await until(lambda: owned_keys(emptied), LASTING.issuperset)
        unharmed(living, slow)
