"""Every process is killed, again and again: no event is lost, and each wallet's come in order."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
import socketio

from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table
from tests.integration.receiver import Receiver, operator, receiver
from tests.sizes import sized

KILLS = sized("CHAOS_KILLS", 2, 20)
SETTINGS: dict[str, Any] = {
    "WEBHOOKS__PRIVATE": "true",
    "WEBHOOKS__RETRY_SECONDS": "0.2," * 50,
    "WEBHOOKS__BREAKER_SECONDS": 0.2,
    "WEBHOOKS__BREAKER_LONGEST_SECONDS": 0.5,
    "WEBHOOKS__TIMEOUT_SECONDS": 2,
    "JOBS__LOCK_SECONDS": 3,
    "NODES__HEARTBEAT_SECONDS": 0.5,
    "NODES__LEASE_SECONDS": 4.5,
}


@pytest.mark.chaos
@pytest.mark.timeout(120 + 30 * KILLS)
async def test_events_survive_the_death_of_every_process(emptied: Stores, table: Table) -> None:
    settings = on(emptied, **SETTINGS)
    server = await Server(**settings).start()
    async with receiver() as mine:
        admin = await operator(table, server.url)
        await admin.subscribe(mine, "wallet.posted")
        ann, bob = [(await table.guest(server.url, name)).tokens for name in ("ann", "bob")]
        sent = 0
        for _ in range(KILLS):
            sent += await _pay_until_killed(server, ann, bob, sent, mine)
            server = await Server(**settings).start()
        try:
            truth = await _ledger(server.url, ann)
            await mine.until(lambda: {one["id"] for one in truth} <= _told(mine, ann), 60)
        finally:
            await server.stop()
    _check_order(mine, ann, truth)


async def _pay_until_killed(
    server: Server, ann: dict[str, Any], bob: dict[str, Any], sent: int, mine: Receiver
) -> int:
    """Transfers, in several hands, until the server is killed in the middle; how many."""
    mine.answers = [500] * random.randrange(3)
    payer = await Player(server.url, ann).connect()
    keys = [f"{sent + n}" for n in range(200)]

    async def hand(mine: list[str]) -> None:
        with suppress(socketio.exceptions.SocketIOError, aiohttp.ClientError, AssertionError):
            for key in mine:
                to = bob["character"]["id"]
                await payer.socket.call(
                    "wallet:transfer", {"to": to, "amount": 1, "key": key}, timeout=5
                )

    hands = [asyncio.create_task(hand(keys[n::4])) for n in range(4)]
    await asyncio.sleep(random.uniform(0.3, 1.5))
    await server.kill()
    await asyncio.gather(*hands)
    await payer.leave()
    return len(keys)


async def _ledger(url: str, tokens: dict[str, Any]) -> list[dict[str, Any]]:
    """All entries of a wallet, the oldest first."""
    async with _connected(url, tokens) as player:
        entries: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await player.do("wallet:ledger", limit=100, **cursor)
            entries += page["entries"]
            if page["next_before"] is None:
                return entries[::-1]
            cursor = {"before": page["next_before"]}


class _connected:  # noqa: N801 - used as a function
    def __init__(self, url: str, tokens: dict[str, Any]) -> None:
        self._player = Player(url, tokens)

    async def __aenter__(self) -> Player:
        return await self._player.connect()

    async def __aexit__(self, *_: object) -> None:
        await self._player.leave()


def _told(mine: Receiver, tokens: dict[str, Any]) -> set[str]:
    who = tokens["character"]["id"]
    return {one["data"]["posting_id"] for one in mine.of("wallet.posted", player_id=who)}


def _check_order(mine: Receiver, tokens: dict[str, Any], truth: list[dict[str, Any]]) -> None:
    who = tokens["character"]["id"]
    told = [one["data"]["posting_id"] for one in mine.of("wallet.posted", player_id=who)]
    once = list(dict.fromkeys(told))  # at least once: what was under way may come again
    assert once == [one["id"] for one in truth]
    print(f"{len(once)} events, {len(told) - len(once)} twice, {KILLS} kills")  # noqa: T201
