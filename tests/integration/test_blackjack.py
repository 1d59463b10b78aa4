"""Blackjack through the front door: on any node, and through a kill -9."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from game import blackjack as rules
from game.deal import commitment
from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table, serving
from tests.integration.hosting import Host


async def open_game(player: Player, bet: int = 10) -> dict[str, Any]:
    """A game that was not over with its deal."""
    for number in range(100):
        reply = await player.do("blackjack:start", bet=bet, key=f"start {number}")
        if reply["game"]["can"]:
            return reply
    raise AssertionError


async def test_a_game_goes_on_on_another_node_and_can_be_replayed(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann = await table.seat(one.url)
    phone = await table.player(other.url, ann.tokens).connect()
    reply = await open_game(ann)
    game, version = reply["game"], reply["game"]["version"]
    assert len(game["dealer"]["cards"]) == 1
    assert "seed" not in game
    assert await ann.fails("blackjack:start", bet=1, key="another") == "conflict"
    assert (await phone.do("blackjack:state"))["game"] == game
    while not game.get("seed"):
        version += 1
        reply = await phone.do("blackjack:stand", game_id=game["id"], key=f"stand {version}")
        again = await ann.do("blackjack:stand", game_id=game["id"], key=f"stand {version}")
        game = reply["game"]
        assert again == reply
    assert commitment(game["seed"]) == game["commitment"]
    assert game["hands"][0]["cards"][0] == rules.shoe(game["seed"], 0, 1)[0]
    assert (await ann.do("wallet:get"))["balance"] == reply["balance"]
    assert await ann.fails("blackjack:hit", game_id=game["id"], key="late") == "conflict"
    assert (await ann.do("blackjack:state"))["game"] is None


async def test_a_step_may_leave_the_open_game_unnamed(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann = await table.seat(one.url)
    phone = await table.player(other.url, ann.tokens).connect()
    game = (await open_game(ann))["game"]
    reply = await ann.do("blackjack:stand", key="stand")
    assert (reply["game"]["id"], reply["game"]["status"]) == (game["id"], "finished")
    assert await phone.do("blackjack:stand", key="stand") == reply  # there is no open game now
    assert await ann.fails("blackjack:stand") == "not_found"


async def test_what_cannot_be_bet_is_refused(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    assert await ann.fails("blackjack:start", bet=10_001, key="k") == "validation_failed"
    assert await ann.fails("blackjack:start", bet=1_001, key="k") == "insufficient_funds"
    assert await ann.fails("blackjack:hit", game_id="f" * 20, key="k") == "not_found"
    assert (await ann.do("wallet:get"))["balance"] == 1_000


async def test_a_game_left_alone_is_given_back_and_its_player_is_told(
    host: Host, table: Table
) -> None:
    server = host.start(BLACKJACK__IDLE_SECONDS=1)
    ann = await table.seat(server.url)
    reply = await open_game(ann)
    told = await ann.next("blackjack:ended", seconds=20)
    assert told["game"]["status"] == "refunded"
    assert (await ann.do("wallet:get"))["balance"] == reply["balance"] + 10


@pytest.mark.chaos
async def test_a_killed_server_loses_no_game_and_no_bet(emptied: Stores, table: Table) -> None:
    async with serving(**on(emptied)) as doomed, serving(**on(emptied)) as other:
        ann = await table.seat(doomed.url)
        reply = await open_game(ann)
        game_id = reply["game"]["id"]
        step = {"game_id": game_id, "key": "cut off"}
        pending = asyncio.create_task(ann.ask("blackjack:stand", **step))
        await asyncio.sleep(0)
        await doomed.kill()
        pending.cancel()
        again = await table.player(other.url, ann.tokens).connect()
        for _ in range(30):  # what it had locked is freed when it is buried
            answer = await again.ask("blackjack:stand", **step)
            if answer["ok"]:
                break
            assert answer["error"]["retryable"], answer
        else:
            pytest.fail("the game is stuck")
        balance = answer["data"]["balance"]
        assert (await again.do("wallet:get"))["balance"] == balance
        entries = (await again.do("wallet:ledger", limit=100))["entries"]
        assert sum(entry["amount"] for entry in entries) == balance
        assert sum(entry["ref"] == game_id for entry in entries) <= 2
