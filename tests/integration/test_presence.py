"""Presence: who is there, and who is told of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from config.sections import Limits, Redis
from state.connect import RedisStore
from state.live import Live
from tests.fixtures import Stores
from tests.harness import Player, Server, Table
from tests.integration.chat_kit import Pair
from tests.integration.wire import until

OFFLINE = {"status": "offline", "last_seen": None, "in_duel": False}


async def shown(asker: Player, player_id: str) -> dict[str, Any]:
    """How a player is seen."""
    answer = await asker.do("presence:query", player_ids=[player_id])
    view: dict[str, Any] = answer["presence"][player_id]
    return view


async def told(watcher: Player, player_id: str, **expected: object) -> dict[str, Any]:
    """What a watcher is told of a player, once it is as expected."""

    def fits(news: dict[str, Any]) -> bool:
        view: dict[str, Any] = news["presence"].get(player_id, {})
        return view.items() >= expected.items()

    news = await watcher.next("presence:changed", fits)
    view: dict[str, Any] = news["presence"][player_id]
    return view


async def test_a_player_is_seen_from_every_server(pair: Pair, table: Table) -> None:
    ann, bob = await table.seat(pair[0].url), await table.seat(pair[1].url)
    view = await shown(bob, ann.id)
    assert view.keys() == {"status", "last_seen", "in_duel"}
    assert (view["status"], view["in_duel"]) == ("online", False)
    assert abs(view["last_seen"] - time.time() * 1000) < 30_000
    for status in ("away", "busy", "online"):
        assert await ann.do("presence:set", status=status) == {"status": status}
        assert (await shown(bob, ann.id))["status"] == status


async def test_100_players_are_asked_for_at_once_known_or_not(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    unknown = [f"{number:020x}" for number in range(99)]
    answer = await ann.do("presence:query", player_ids=[*unknown, ann.id])
    assert answer["presence"].pop(ann.id)["status"] == "online"
    assert answer["presence"] == dict.fromkeys(unknown, OFFLINE)
    assert await ann.do("presence:query", player_ids=[]) == {"presence": {}}


@pytest.mark.parametrize(
    "fields",
    [
        {"player_ids": [f"{number:020x}" for number in range(101)]},
        {"player_ids": [7]},
        {"player_ids": ["x" * 65]},
        {"player_ids": ["{live}:nodes"]},
        {"player_ids": "abc"},
        {"player_ids": None},
        {},
    ],
)
async def test_what_is_no_list_of_players_is_refused(
    lone: Server, table: Table, fields: dict[str, object]
) -> None:
    ann = await table.seat(lone.url)
    for event in ("presence:query", "presence:watch", "presence:unwatch"):
        assert (await ann.ask(event, fields))["error"]["code"] == "validation_failed"


async def test_nobody_shows_himself_as_something_else(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    for status in ("offline", "invisible", "", None, 7):
        assert await ann.fails("presence:set", status=status) == "validation_failed"


async def test_a_watcher_is_told_within_a_second(pair: Pair, table: Table) -> None:
    ann, bob = await table.seat(pair[0].url), await table.guest(pair[1].url)
    before = await ann.do("presence:watch", player_ids=[bob.id])
    assert before == {"presence": {bob.id: OFFLINE}}
    await bob.connect()
    assert (await told(ann, bob.id, status="online")).keys() == OFFLINE.keys()
    started = time.monotonic()
    await bob.do("presence:set", status="busy")
    await told(ann, bob.id, status="busy")
    # Half a second is the batch; the rest is this machine's, which does other things too.
    assert time.monotonic() - started < 5
    await bob.leave()
    view = await told(ann, bob.id, status="offline")
    assert abs(view["last_seen"] - time.time() * 1000) < 30_000


async def test_many_changes_are_told_together(pair: Pair, table: Table) -> None:
    ann = await table.seat(pair[0].url)
    others = [await table.seat(pair[i % 2].url) for i in range(8)]
    ids = [other.id for other in others]
    await ann.do("presence:watch", player_ids=ids)
    for status in ("away", "online", "busy"):
        await asyncio.gather(*(other.do("presence:set", status=status) for other in others))
    last: dict[str, str] = {}
    async with asyncio.timeout(10):
        while last != dict.fromkeys(ids, "busy"):
            news = (await ann.next("presence:changed"))["presence"]
            last |= {player: view["status"] for player, view in news.items()}
    assert len(ann.seen("presence:changed")) < 8  # of 24 changes


async def test_a_player_is_there_until_his_last_device_is_gone(pair: Pair, table: Table) -> None:
    bob = await table.seat(pair[0].url)
    phone = await table.guest(pair[0].url)
    await phone.connect()
    await bob.do("presence:watch", player_ids=[phone.id, bob.id])
    tablet = await table.player(pair[1].url, phone.tokens).connect()
    await bob.do("presence:set", status="away")
    await told(bob, bob.id, status="away")
    assert not any(phone.id in news["presence"] for news in bob.seen("presence:changed"))
    await tablet.do("presence:set", status="busy")
    await told(bob, phone.id, status="busy")
    await phone.leave()
    assert (await shown(bob, phone.id))["status"] == "busy"
    await tablet.leave()
    await told(bob, phone.id, status="offline")
    again = await table.player(pair[1].url, phone.tokens).connect()
    assert (await shown(again, phone.id))["status"] == "online"
    changes = [news["presence"] for news in bob.seen("presence:changed")]
    statuses = [one[phone.id]["status"] for one in changes if phone.id in one]
    assert statuses[:2] == ["busy", "offline"]


async def test_who_watches_no_more_is_told_no_more(pair: Pair, table: Table) -> None:
    ann, bob = await table.seat(pair[0].url), await table.seat(pair[1].url)
    eve = await table.seat(pair[1].url)
    await ann.do("presence:watch", player_ids=[bob.id, eve.id])
    answer = await ann.do("presence:unwatch", player_ids=[bob.id])
    assert answer["presence"][bob.id]["status"] == "online"
    await bob.do("presence:set", status="away")
    await eve.do("presence:set", status="away")
    await told(ann, eve.id, status="away")
    assert all(bob.id not in news["presence"] for news in ann.seen("presence:changed"))


async def test_a_connection_watches_a_bounded_number_of_players(
    strict: Server, table: Table
) -> None:
    ann, bob = await table.seat(strict.url), await table.seat(strict.url)
    first = [f"{number:020x}" for number in range(100)]
    await ann.do("presence:watch", player_ids=first)
    more = [f"{number:020x}" for number in range(100, 151)]
    assert await ann.fails("presence:watch", player_ids=more) == "conflict"
    await ann.do("presence:watch", player_ids=[*first[:50], bob.id])
    await bob.do("presence:set", status="away")
    await told(ann, bob.id, status="away")
    await ann.do("presence:unwatch", player_ids=first)
    await ann.do("presence:watch", player_ids=more)


async def test_a_duel_is_seen_from_its_beginning_to_its_end(pair: Pair, table: Table) -> None:
    ann, bob = await table.seat(pair[0].url), await table.seat(pair[1].url)
    eve = await table.seat(pair[1].url)
    await eve.do("presence:watch", player_ids=[ann.id, bob.id])
    duel = await table.duel(ann, bob)
    for player in (ann, bob):
        assert (await shown(eve, player.id))["in_duel"] is True
    await until(lambda: shown(eve, bob.id), lambda view: view["in_duel"])
    await told(eve, ann.id, in_duel=True)
    await bob.do("duel:forfeit", duel_id=duel["id"])
    await told(eve, ann.id, in_duel=False)
    assert (await shown(eve, bob.id))["in_duel"] is False


async def test_a_departure_is_told_though_who_noticed_it_told_nobody(
    pair: Pair, table: Table, shared_stores: Stores
) -> None:
    """Its answer was lost with Redis' connection, or it died in between."""
    ann, bob = await table.seat(pair[0].url), await table.seat(pair[1].url)
    await bob.do("presence:watch", player_ids=[ann.id])
    async with RedisStore(shared_stores.redis_url, Redis()) as redis:
        record = await redis.call("HGETALL", f"{{live}}:player:{ann.id}")
        (connection,) = [field[2:] for field in record if field.startswith("s:")]
        assert await Live(redis, Limits(), "elsewhere", 10.0).vacate(connection)
        await ann.leave()
        await told(bob, ann.id, status="offline")
        seats = f"{{live}}:node:{connection.partition('.')[0]}"
        await until(lambda: redis.call("HEXISTS", seats, connection), lambda there: not there)
