"""The shop through the front door."""

from __future__ import annotations

from tests.harness import Server, Table


async def test_buying_using_and_selling(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    items = {item["id"]: item for item in (await ann.do("shop:list"))["items"]}
    price = items["padlock"]["price"]
    bought = await ann.do("shop:buy", item="padlock", count=2, key="b")
    assert bought == {"balance": 1_000 - 2 * price, "price": 2 * price, "owned": 2}
    assert (await ann.next("wallet:changed"))["reason"] == "shop_buy"
    used = await ann.do("inventory:use", item="padlock", key="u")
    assert (used["kind"], used["owned"]) == ("shield", 1)
    sold = await ann.do("inventory:sell", item="padlock", key="s")
    assert sold["owned"] == 0
    inventory = await ann.do("inventory:list")
    assert inventory["items"] == []
    assert [boost["kind"] for boost in inventory["boosts"]] == ["shield"]


async def test_what_cannot_be_bought_is_refused(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    assert await ann.fails("shop:buy", item="golden-deck", key="k") == "insufficient_funds"
    assert await ann.fails("shop:buy", item="castle", key="k") == "not_found"
    assert await ann.fails("shop:buy", item="padlock", count=0, key="k") == "validation_failed"
    assert await ann.fails("inventory:use", item="padlock", key="k") == "conflict"
    assert await ann.fails("inventory:sell", item="padlock", key="k") == "conflict"
