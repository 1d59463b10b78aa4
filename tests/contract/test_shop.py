"""The shop on a real store: one buyer for the last item, and nothing half bought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.settings import SettingsError
from game.errors import Conflict, GameError, InsufficientFunds, NotFound
from game.shop import Effect, Item
from state import goods
from state.documents import DocumentStore
from state.ledger import Ledger
from state.shop import Shop
from tests.contract.accounts_kit import Clock, second_documents
from tests.contract.economy_kit import SETTINGS, START, check_books, new_ledger
from tests.fixtures import Stores

HOUR = 3_600_000
ITEMS = {
    item.id: item
    for item in (
        Item("last", "Last one", "", 10, stock=1),
        Item("pair", "Pair", "", 10, limit=2),
        Item("milk", "Milk", "", 10, keeps_ms=HOUR, resale_permille=500),
        Item("luck", "Luck", "", 10, effect=Effect("luck", HOUR, 15)),
        Item("more", "More luck", "", 10, effect=Effect("luck", HOUR, 30)),
        Item("gone", "Gone", "", 10, closes=1),
        Item("dear", "Dear", "", START + 1),
    )
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def shop(documents: DocumentStore, clock: Clock) -> Shop:
    return Shop(documents, await new_ledger(documents, clock), ITEMS)


@pytest.fixture
async def elsewhere(
    stores: Stores, request: pytest.FixtureRequest, shop: Shop, clock: Clock
) -> AsyncIterator[Shop]:
    assert shop.items
    async with second_documents(stores, request) as documents:
        yield Shop(documents, Ledger(documents, SETTINGS, clock), ITEMS)


async def test_a_hundred_who_want_the_last_item_are_one_buyer(
    shop: Shop, elsewhere: Shop, documents: DocumentStore
) -> None:
    tries = [
        node.buy(f"p{i}{j}", "last", 1, "k")
        for i, node in enumerate((shop, elsewhere))
        for j in range(50)
    ]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert len([one for one in outcomes if isinstance(one, Conflict)]) == 99
    assert [one for one in outcomes if not isinstance(one, GameError)]
    assert await shop.sold() == {"last": 1}
    await check_books(documents)


async def test_a_players_limit_holds_in_parallel_and_after_he_sold_some(
    shop: Shop, elsewhere: Shop
) -> None:
    tries = [node.buy("ann", "pair", 1, f"{i}") for i, node in enumerate((shop, elsewhere) * 5)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert len([one for one in outcomes if isinstance(one, Conflict)]) == 8
    (owned,) = await shop.inventory("ann")
    assert (owned.bought, owned.lots[0].count) == (2, 2)


async def test_what_cannot_be_paid_or_is_not_for_sale_changes_nothing(shop: Shop) -> None:
    with pytest.raises(InsufficientFunds):
        await shop.buy("ann", "dear", 1, "k")
    for item in ("gone", "nonsense"):
        with pytest.raises(NotFound):
            await shop.buy("ann", item, 1, "k")
    assert await shop.inventory("ann") == []


async def test_items_stack_are_sold_and_expire(
    shop: Shop, clock: Clock, documents: DocumentStore
) -> None:
    await shop.buy("ann", "milk", 2, "1")
    await shop.buy("ann", "milk", 1, "2")
    clock.forward(1)
    bought = await shop.buy("ann", "milk", 1, "3")
    assert bought.answer == {"balance": START - 40, "price": 10, "owned": 4}
    sold = await shop.sell("ann", "milk", 3, "4")
    assert sold.answer == {"balance": START - 25, "price": 15, "owned": 1}
    (owned,) = await shop.inventory("ann")
    assert [lot.expires_at for lot in owned.lots] == [clock.now + HOUR]  # the fresher one
    clock.forward(3_600)
    assert (await shop.inventory("ann"))[0].lots == ()
    with pytest.raises(Conflict):
        await shop.sell("ann", "milk", 1, "5")
    await check_books(documents)


async def test_a_boost_of_one_strength_lasts_longer_and_another_must_wait(
    shop: Shop, clock: Clock
) -> None:
    for key in "12":
        await shop.buy("ann", "luck", 1, key)
        await shop.use("ann", "luck", "use" + key)
    again = await shop.use("ann", "luck", "use2")  # a key that was used is no second use
    assert again.answer == {
        "kind": "luck",
        "percent": 15,
        "until": clock.now + 2 * HOUR,
        "owned": 0,
    }
    await shop.buy("ann", "more", 1, "m")
    with pytest.raises(Conflict):
        await shop.use("ann", "more", "v")
    clock.forward(7_200)
    assert await shop.boosts("ann") == {}
    assert (await shop.use("ann", "more", "u")).answer["percent"] == 30


def test_a_wrong_file_is_refused_with_a_sentence_that_names_it(tmp_path: Path) -> None:
    for text, why in (
        ("{", "JSON"),
        ('{"items": [{"id": "a"}]}', "name"),
        ('{"items": [{"id": "a", "name": "A", "description": "", "price": 0}]}', "price"),
    ):
        path = tmp_path / "shop.json"
        path.write_text(text)
        with pytest.raises(SettingsError, match=why):
            goods.load(path)
    with pytest.raises(SettingsError, match="SHOP_FILE"):
        goods.load(tmp_path / "none.json")


def test_the_shop_that_comes_with_the_server_is_right() -> None:
    assert {"padlock", "lockpick"} <= goods.load(None).keys()
