"""Blackjack as it is stored: whole steps, once, and given back once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from game import blackjack as rules
from game.blackjack import Game
from game.errors import Conflict, GameError, InsufficientFunds, NotFound
from state.blackjack import Blackjack, Table
from state.documents import DocumentStore
from state.ledger import Ledger
from tests.contract.accounts_kit import Clock, second_documents
from tests.contract.economy_kit import SETTINGS, START, balances, check_books, new_ledger
from tests.fixtures import Stores
from tests.unit.test_blackjack import seed_of

PAIR = seed_of(("8", "6", "8", "."))
NATURAL = seed_of(("A", "6", "K", "."))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(documents: DocumentStore, clock: Clock) -> Ledger:
    return await new_ledger(documents, clock)


@pytest.fixture
def blackjack(documents: DocumentStore, ledger: Ledger) -> Blackjack:
    return Blackjack(documents, ledger, SETTINGS.blackjack)


@pytest.fixture
async def elsewhere(
    stores: Stores, request: pytest.FixtureRequest, ledger: Ledger, clock: Clock
) -> AsyncIterator[Blackjack]:
    assert ledger.starting_balance
    async with second_documents(stores, request) as documents:
        yield Blackjack(documents, Ledger(documents, SETTINGS, clock), SETTINGS.blackjack)


def view(table: Table) -> Any:
    return [table.id, table.game.status, table.balance]


def stand(game: Game) -> Game:
    return rules.act(game, "stand")


async def deal(blackjack: Blackjack, seed: str = PAIR, key: str = "k", bet: int = 100) -> str:
    done = await blackjack.start("ann", bet, seed, key, view)
    game_id: str = done.answer[0]
    return game_id


async def test_bets_are_in_escrow_until_the_game_is_over(
    blackjack: Blackjack, elsewhere: Blackjack, ledger: Ledger, documents: DocumentStore
) -> None:
    game_id = await deal(blackjack)
    await elsewhere.step("ann", game_id, "s", "split", lambda g: rules.act(g, "split"), view)
    assert (await balances(documents))[f"escrow:blackjack:{game_id}"] == 200
    assert await ledger.balance("ann") == START - 200
    table = await blackjack.get("ann", None)
    assert table
    while not table.game.over:
        await blackjack.step("ann", game_id, f"s{table.version}", "stand", stand, view)
        table = await elsewhere.get("ann", game_id)
        assert table
    assert await ledger.balance("ann") == START - 200 + rules.payout(table.game)
    assert f"escrow:blackjack:{game_id}" not in await balances(documents)
    assert await blackjack.get("ann", None) is None
    await check_books(documents)


async def test_a_natural_is_paid_in_the_step_that_dealt_it(
    blackjack: Blackjack, documents: DocumentStore
) -> None:
    done = await blackjack.start("ann", 100, NATURAL, "k", view)
    assert done.answer[1:] == ["finished", START + 150]
    again = await blackjack.start("ann", 100, PAIR, "k", view)
    assert again.answer == done.answer
    await check_books(documents)


async def test_a_player_has_one_open_game_however_many_he_starts(
    blackjack: Blackjack, elsewhere: Blackjack, ledger: Ledger, documents: DocumentStore
) -> None:
    nodes = (blackjack, elsewhere) * 10
    outcomes = await asyncio.gather(
        *(deal(node, key=f"k{i}") for i, node in enumerate(nodes)), return_exceptions=True
    )
    assert len([one for one in outcomes if isinstance(one, Conflict)]) == 19
    assert await ledger.balance("ann") == START - 100
    await check_books(documents)


async def test_the_same_step_in_parallel_is_one(
    blackjack: Blackjack, elsewhere: Blackjack, ledger: Ledger
) -> None:
    game_id = await deal(blackjack)
    outcomes = await asyncio.gather(
        *(
            node.step("ann", game_id, "d", "double", lambda g: rules.act(g, "double"), view)
            for node in (blackjack, elsewhere) * 5
        )
    )
    assert sum(done.fresh for done in outcomes) == 1
    table = await blackjack.get("ann", game_id)
    assert table
    assert (table.version, table.game.staked) == (2, 200)
    assert await ledger.balance("ann") == START - 200 + rules.payout(table.game)


async def test_what_cannot_be_paid_leaves_the_game_as_it_was(blackjack: Blackjack) -> None:
    with pytest.raises(InsufficientFunds):
        await deal(blackjack, bet=START + 1)
    game_id = await deal(blackjack, bet=600)
    with pytest.raises(InsufficientFunds):
        await blackjack.step("ann", game_id, "d", "d", lambda g: rules.act(g, "double"), view)
    table = await blackjack.get("ann", game_id)
    assert table
    assert (table.version, table.game.staked) == (1, 600)


async def test_another_players_game_is_not_there(blackjack: Blackjack) -> None:
    game_id = await deal(blackjack)
    with pytest.raises(NotFound):
        await blackjack.step("bob", game_id, "k", "stand", stand, view)
    with pytest.raises(NotFound):
        await blackjack.get("bob", game_id)


async def test_a_game_left_alone_is_given_back_once_by_one_of_many(
    blackjack: Blackjack,
    elsewhere: Blackjack,
    ledger: Ledger,
    clock: Clock,
    documents: DocumentStore,
) -> None:
    game_id = await deal(blackjack)
    clock.forward(SETTINGS.blackjack.idle_seconds - 1)
    await blackjack.step("ann", game_id, "s", "split", lambda g: rules.act(g, "split"), view)
    clock.forward(SETTINGS.blackjack.idle_seconds - 1)
    assert await blackjack.give_back() == []
    clock.forward(1)
    given = await asyncio.gather(*(node.give_back() for node in (blackjack, elsewhere) * 4))
    assert sum(map(len, given)) == 1
    assert await ledger.balance("ann") == START
    with pytest.raises(GameError):
        await blackjack.step("ann", game_id, "t", "stand", stand, view)
    await check_books(documents)
