"""Robberies on a real store: settled whole, also two of one victim at once."""

from __future__ import annotations

import asyncio

import pytest

from game.errors import Conflict, RateLimited
from game.rob import SIDES
from state.documents import DocumentStore
from state.goods import load
from state.ledger import Ledger
from state.robberies import Robberies
from state.shop import Shop
from tests.contract.accounts_kit import Clock
from tests.contract.economy_kit import SETTINGS, START, check_books, new_ledger

WIN, LOSE = (0, SIDES - 1), (SIDES - 1, 0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(documents: DocumentStore, clock: Clock) -> Ledger:
    return await new_ledger(documents, clock)


@pytest.fixture
def robberies(ledger: Ledger) -> Robberies:
    return Robberies(ledger, SETTINGS.rob)


async def test_of_two_robbers_at_once_one_robs_and_the_victim_is_then_safe(
    robberies: Robberies, ledger: Ledger, documents: DocumentStore
) -> None:
    tries = (robberies.attempt(robber, "ann", "k", WIN) for robber in ("bob", "eve"))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert len([one for one in outcomes if isinstance(one, Conflict)]) == 1
    assert await ledger.balance("ann") == START - 150
    assert await ledger.balance("bob") + await ledger.balance("eve") == 2 * START + 150
    await check_books(documents)


async def test_two_robbers_who_fail_at_once_both_pay(
    robberies: Robberies, ledger: Ledger, documents: DocumentStore
) -> None:
    tries = (robberies.attempt(robber, "ann", "k", LOSE) for robber in ("bob", "eve"))
    await asyncio.gather(*tries)
    assert await ledger.balance("ann") == START + 200
    await check_books(documents)


async def test_two_attempts_of_one_robber_at_once_are_one(
    robberies: Robberies, clock: Clock
) -> None:
    tries = (robberies.attempt("ann", victim, victim, LOSE) for victim in ("bob", "eve"))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert len([one for one in outcomes if isinstance(one, RateLimited)]) == 1
    clock.forward(SETTINGS.rob.cooldown_seconds)
    await robberies.attempt("ann", "bob", "again", LOSE)


async def test_a_padlock_protects_and_a_lockpick_helps(
    robberies: Robberies, ledger: Ledger, documents: DocumentStore
) -> None:
    shop = Shop(documents, ledger, load(None))
    for player, item in (("ann", "padlock"), ("bob", "lockpick")):
        await shop.buy(player, item, 1, "b")
        await shop.use(player, item, "u")
    with pytest.raises(Conflict):
        await robberies.attempt("bob", "ann", "k", WIN)
    done = await robberies.attempt("bob", "eve", "l", (54 * SIDES // 100, 0))
    assert (done.answer["success"], done.answer["odds"]) == (True, 55)
    again = await robberies.attempt("bob", "eve", "l", LOSE)
    assert (again.answer, again.fresh, again.postings) == (done.answer, False, ())
