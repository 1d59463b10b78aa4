"""Robbery through the front door."""

from __future__ import annotations

from tests.harness import Server, Table
from tests.integration.hosting import Host


async def test_the_victim_is_told_and_the_coins_stay_the_same(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.seat(other.url, "bob")
    outcome = await ann.do("rob:attempt", victim_id=bob.id, key="k")
    news = await bob.next("notification")
    assert news["kind"] == ("robbed" if outcome["success"] else "robbery_failed")
    assert news["by"] == {"id": ann.id, "name": "ann"}
    assert news["amount"] == outcome["amount"]
    gain = outcome["amount"] if outcome["success"] else -outcome["amount"]
    assert outcome["balance"] == 1_000 + gain
    assert (await bob.next("wallet:changed"))["balance"] == 1_000 - gain
    assert await ann.do("rob:attempt", victim_id=bob.id, key="k") == outcome
    answer = await ann.ask("rob:attempt", victim_id=bob.id, key="l")
    assert answer["error"]["code"] == "rate_limited"
    assert 0 < answer["error"]["retry_after"] <= 3_600


async def test_who_cannot_be_robbed(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    assert await ann.fails("rob:attempt", victim_id=ann.id, key="k") == "validation_failed"
    assert await ann.fails("rob:attempt", victim_id="f" * 20, key="k") == "not_found"


async def test_the_odds_are_a_setting(host: Host, table: Table) -> None:
    server = host.start(ROB__ODDS_PERCENT=0)
    ann, bob = await table.seat(server.url, "ann"), await table.seat(server.url, "bob")
    outcome = await ann.do("rob:attempt", victim_id=bob.id, key="k")
    assert (outcome["success"], outcome["amount"], outcome["balance"]) == (False, 100, 900)
