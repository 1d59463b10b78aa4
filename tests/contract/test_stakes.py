"""Stakes: held once, paid once, whatever happened to the duel."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from game import duels as rules
from game.duels import Duel
from game.errors import Conflict, InsufficientFunds
from state.connect import RedisStore
from state.documents import DocumentStore
from state.duels import Duels
from state.ledger import Done, Ledger
from state.stakes import Stakes
from tests.contract.accounts_kit import Clock
from tests.contract.economy_kit import SETTINGS, START, balances, check_books, new_ledger

POT = "escrow:duel:d1"


@pytest.fixture
async def ledger(documents: DocumentStore) -> Ledger:
    return await new_ledger(documents, Clock())


@pytest.fixture
def duels(redis: RedisStore) -> Duels:
    return Duels(redis, SETTINGS)


@pytest.fixture
def stakes(documents: DocumentStore, ledger: Ledger, duels: Duels) -> Stakes:
    return Stakes(documents, ledger, duels)


def challenge(ledger: Ledger, stake: int = 400) -> Duel:
    two = ("ann", "Ann"), ("bob", "Bob")
    return rules.challenge("d1", *two, "5eed" * 16, ledger.now(), rules.Rules(), stake)


async def offered(ledger: Ledger, duels: Duels) -> Duel:
    duel = challenge(ledger)
    await duels.create(duel, "k", [], {})
    return duel


async def end(duels: Duels, ledger: Ledger, loser: str = "bob") -> None:
    async def begin(duel: Duel) -> Duel:
        return rules.accept(duel, "bob", {"ann": True, "bob": True}, ledger.now())

    async def forfeit(duel: Duel) -> Duel:
        return rules.forfeit(duel, loser, ledger.now())

    await duels.step("d1", begin)
    await duels.step("d1", forfeit)


async def test_held_by_many_at_once_is_held_once(
    stakes: Stakes, ledger: Ledger, documents: DocumentStore
) -> None:
    done = await asyncio.gather(*(stakes.hold(challenge(ledger)) for _ in range(20)))
    assert sum(any(p.reason == "stake" for p in one.postings) for one in done) == 1
    assert (await balances(documents))[POT] == 800
    await check_books(documents)


async def test_if_one_cannot_cover_it_nothing_is_taken_from_the_other(
    stakes: Stakes, ledger: Ledger, documents: DocumentStore
) -> None:
    await ledger.balance("ann")
    with pytest.raises(InsufficientFunds):
        await stakes.hold(challenge(ledger, START + 1))
    assert await ledger.balance("ann") == START
    assert POT not in await balances(documents)


async def test_the_winner_is_paid_once_by_one_of_many(
    stakes: Stakes, ledger: Ledger, duels: Duels, documents: DocumentStore
) -> None:
    await stakes.hold(await offered(ledger, duels))
    assert (await stakes.settle_left("d1")).postings == ()  # not accepted yet
    await end(duels, ledger)
    assert [duel.id for duel in await duels.ended()] == ["d1"]
    assert await duels.ended() == []  # lent to the one who asked first
    done = await asyncio.gather(*(stakes.settle_left("d1") for _ in range(20)))
    assert sum(bool(one.postings) for one in done) == 1
    await duels.settled("d1")
    assert await ledger.balance("ann") == START + 400
    assert await ledger.balance("bob") == START - 400
    assert POT not in await balances(documents)
    with pytest.raises(Conflict):
        await stakes.hold(challenge(ledger))
    await check_books(documents)


async def test_a_duel_with_a_stake_is_remembered_until_it_is_paid(
    ledger: Ledger, duels: Duels, redis: RedisStore
) -> None:
    await offered(ledger, duels)
    await end(duels, ledger)
    assert await redis.call("TTL", "{duels}:duel:d1") == -1
    await duels.settled("d1")
    assert await redis.call("TTL", "{duels}:duel:d1") > 0
    assert not await redis.call("EXISTS", "{duels}:outbox")


async def test_a_duel_without_a_winner_or_without_a_beginning_gives_both_theirs_back(
    stakes: Stakes, ledger: Ledger, duels: Duels, documents: DocumentStore
) -> None:
    duel = await offered(ledger, duels)
    await stakes.hold(duel)

    async def cancel(duel: Duel) -> Duel:
        return rules.cancel(duel, "ann", ledger.now())

    await duels.step("d1", cancel)
    await stakes.settle_left("d1")
    assert await ledger.balance("ann") == await ledger.balance("bob") == START
    await check_books(documents)


async def test_what_is_held_for_a_duel_that_redis_lost_is_found_and_given_back(
    documents: DocumentStore, duels: Duels
) -> None:
    clock = Clock()
    ledger = await new_ledger(documents, clock)
    stakes = Stakes(documents, ledger, duels)
    await stakes.hold(challenge(ledger))
    await stakes.hold(replace(challenge(ledger), id="d2"))
    clock.forward(9)
    assert await stakes.left() == []
    clock.forward(1)
    assert sorted(await stakes.left()) == ["d1", "d2"]
    await stakes.look_later("d2")
    assert await stakes.left() == ["d1"]
    done: Done = await stakes.settle_left("d1")
    assert [posting.reason for posting in done.postings] == ["stake_returned"]
    assert await stakes.left() == []
    await stakes.look_later("d1")  # too late
    clock.forward(3_600)
    assert await stakes.left() == ["d2"]
    await check_books(documents)
