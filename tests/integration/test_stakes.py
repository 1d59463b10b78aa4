"""Duels for coins, through the front door and through crashes."""

from __future__ import annotations

import asyncio

import pytest

from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table, serving
from tests.integration.hosting import Host
from tests.sizes import LONG

START = 1_000
DELAYS = (0.0, 0.004, 0.008, 0.012) if LONG else (0.004, 0.012)


async def balance(player: Player) -> int:
    found: int = (await player.do("wallet:get"))["balance"]
    return found


async def offer(ann: Player, bob: Player, stake: int = 400) -> str:
    made = await ann.do("duel:challenge", opponent_id=bob.id, stake=stake, key=f"{stake}")
    assert made["duel"]["stake"] == stake
    duel_id: str = made["duel"]["id"]
    return duel_id


async def until_balance(player: Player, wanted: int, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while await balance(player) != wanted:  # noqa: ASYNC110 - told or not is the question
            await asyncio.sleep(0.2)


async def test_the_winner_takes_both_stakes(pair: tuple[Server, Server], table: Table) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.seat(other.url, "bob")
    duel_id = await offer(ann, bob)
    assert await balance(ann) == START  # nothing is held before it is accepted
    await bob.do("duel:accept", duel_id=duel_id)
    assert await balance(ann) == await balance(bob) == START - 400
    await bob.do("duel:forfeit", duel_id=duel_id)
    paid = await ann.next("wallet:changed", lambda news: news["reason"] == "stake_paid")
    assert (paid["balance"], paid["ref"]) == (START + 400, duel_id)
    assert await balance(bob) == START - 400


async def test_a_stake_that_one_cannot_cover_begins_no_duel(lone: Server, table: Table) -> None:
    ann, bob, eve = [await table.seat(lone.url, name) for name in ("ann", "bob", "eve")]
    refused = {"opponent_id": bob.id, "stake": START + 1, "key": "k"}
    assert await ann.fails("duel:challenge", **refused) == "insufficient_funds"
    duel_id = await offer(ann, bob, stake=700)
    await bob.do("wallet:transfer", to=eve.id, amount=500, key="gone")
    assert await bob.fails("duel:accept", duel_id=duel_id) == "insufficient_funds"
    assert await balance(ann) == START
    assert (await ann.do("duel:active"))["duel"]["status"] == "challenged"


async def test_accepting_twice_at_once_takes_one_stake(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.seat(one.url, "bob")
    phone = await table.player(other.url, bob.tokens).connect()
    duel_id = await offer(ann, bob)
    answers = await asyncio.gather(
        *(device.ask("duel:accept", duel_id=duel_id) for device in (bob, phone) for _ in range(5))
    )
    assert sum(answer["ok"] for answer in answers) == 1
    assert await balance(ann) == await balance(bob) == START - 400
    await ann.do("duel:forfeit", duel_id=duel_id)
    await until_balance(bob, START + 400)


async def test_a_draw_gives_both_theirs_back(host: Host, table: Table) -> None:
    server = host.start(DUELS__ROUND_SECONDS=0.3)
    ann, bob = await table.seat(server.url, "ann"), await table.seat(server.url, "bob")
    duel_id = await offer(ann, bob)
    await bob.do("duel:accept", duel_id=duel_id)  # and nobody plays
    await until_balance(ann, START)
    await until_balance(bob, START)


@pytest.mark.chaos
async def test_a_node_killed_while_it_begins_or_ends_a_duel_loses_no_coin(
    emptied: Stores, table: Table
) -> None:
    lease = {"NODES__LEASE_SECONDS": 4.5, "NODES__HEARTBEAT_SECONDS": 0.5}
    settings = on(emptied, DUELS__CHALLENGE_SECONDS=3, **lease)
    async with serving(**settings) as witness:
        for delay in DELAYS:
            async with serving(**settings) as doomed:
                ann = await table.seat(witness.url, "ann")
                bob = await table.seat(doomed.url, "bob")
                duel_id = await offer(ann, bob)
                pending = asyncio.create_task(bob.ask("duel:accept", duel_id=duel_id))
                await asyncio.sleep(delay)
                await doomed.kill()
                pending.cancel()
                again = await table.player(witness.url, bob.tokens).connect()
                duel = (await ann.do("duel:get", duel_id=duel_id))["duel"]
                if duel["status"] == "active":
                    await again.do("duel:forfeit", duel_id=duel_id)
                    await until_balance(ann, START + 400, 60)
                    await until_balance(again, START - 400)
                else:
                    await until_balance(ann, START, 60)
                    await until_balance(again, START)
