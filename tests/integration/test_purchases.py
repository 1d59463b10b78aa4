"""Coins for money, through the front door."""

from __future__ import annotations

import asyncio

from tests.fixtures import Stores, on
from tests.harness import Server, Table, serving
from tests.integration.hosting import Host
from tests.integration.stripe import KEY, SECRET, Stripe, stripe

START, COINS, PRICE = 1_000, 6_000, 999


def settings(one: Stripe) -> dict[str, object]:
    return {
        "PURCHASES__PROVIDER": "stripe",
        "PURCHASES__STRIPE_URL": one.url,
        "PURCHASES__STRIPE_KEY": KEY,
        "PURCHASES__STRIPE_WEBHOOK_SECRET": SECRET,
    }


async def test_an_order_is_paid_granted_once_and_refunded_once(
    emptied: Stores, table: Table
) -> None:
    async with (
        stripe() as bank,
        serving(**on(emptied, **settings(bank))) as one,
        serving(**on(emptied, **settings(bank))) as other,
    ):
        ann = await table.seat(one.url)
        offer = await ann.do("purchase:packs")
        assert (offer["provider"], offer["notice"]) == ("stripe", "")
        bank.refuse = 1  # the first attempt is cut off; the same key goes on
        assert await ann.fails("purchase:create", pack="purse", key="k") == "dependency_unavailable"
        order = (await ann.do("purchase:create", pack="purse", key="k"))["order"]
        assert order["url"] == f"{bank.url}/pay/cs_{order['id']}"
        assert (await ann.do("purchase:create", pack="purse", key="k"))["order"] == order
        assert list(bank.sessions) == [order["id"]]
        paid = bank.paid(order["id"])
        statuses = await asyncio.gather(
            *(bank.tell(node.url, paid) for node in (one, other) for _ in range(5))
        )
        assert set(statuses) == {200}
        news = await ann.next("purchase:changed")
        assert (news["order"]["status"], news["order"]["url"]) == ("granted", None)
        assert await ann.do("wallet:get") == {"balance": START + COINS}
        bob = await table.seat(other.url, "bob")
        await ann.do("wallet:transfer", to=bob.id, amount=START + 1, key="spent")
        refunded = bank.refunded(order["id"])
        assert {await bank.tell(node.url, refunded) for node in (one, other)} == {200}
        assert await ann.do("wallet:get") == {"balance": 0}  # as much as there was
        assert await bank.tell(one.url, paid) == 200  # late, and without effect
        assert (await ann.do("purchase:get", order_id=order["id"]))["order"]["status"] == "refunded"
        assert await bob.fails("purchase:get", order_id=order["id"]) == "not_found"


async def test_nobody_but_the_provider_is_believed(host: Host, table: Table) -> None:
    async with stripe() as bank:
        server = host.start(Server, **settings(bank))
        ann = await table.seat(server.url)
        order = (await ann.do("purchase:create", pack="purse", key="k"))["order"]
        paid = bank.paid(order["id"])
        assert await bank.tell(server.url, paid, secret="guessed") == 401
        cheap = bank.paid(order["id"])
        cheap["data"]["object"]["amount_total"] = 1
        assert await bank.tell(server.url, cheap) == 409
        paid["data"]["object"]["metadata"]["order_id"] = "unknown"
        assert await bank.tell(server.url, paid) == 404
        assert await bank.tell(server.url, {"type": "x"}) == 400
        assert await ann.do("wallet:get") == {"balance": START}


async def test_the_sandbox_says_that_no_money_moves(host: Host, table: Table) -> None:
    server = host.start(PURCHASES__PROVIDER="sandbox")
    ann = await table.seat(server.url)
    reply = await ann.do("purchase:create", pack="handful", key="k")
    assert "no money moves" in reply["notice"]
    assert reply["order"]["status"] == "granted"
    assert await ann.do("purchase:create", pack="handful", key="k") == reply
    assert await ann.do("wallet:get") == {"balance": 2 * START}
    assert await ann.fails("purchase:create", pack="castle", key="l") == "not_found"


async def test_without_a_provider_nothing_is_sold(host: Host, table: Table) -> None:
    ann = await table.seat(host.start().url)
    assert await ann.fails("purchase:packs") == "not_found"
    assert await ann.fails("purchase:create", pack="handful", key="k") == "not_found"
