"""Withdrawals on a real store, and their job against an outside ledger over HTTP."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from config.sections import Economy
from config.settlement import Settlement
from game.errors import Conflict, DependencyUnavailable, InsufficientFunds
from game.withdrawals import Verdict, Withdrawal, hear, pause
from handlers.withdrawals import Settle
from jobs.base import GiveUpError, JobContext, LostError
from jobs.tasks.withdrawals import settle
from server.settlement import HttpLedger
from state.audit import Audit
from state.documents import DocumentStore
from state.ledger import Ledger
from state.withdrawals import FIRST_LOOK_MS, Withdrawals
from tests.contract.accounts_kit import Clock
from tests.contract.economy_kit import START, check_books, new_ledger
from tests.integration.outside import KEY, outside


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(documents: DocumentStore, clock: Clock) -> Ledger:
    return await new_ledger(documents, clock)


@pytest.fixture
def withdrawals(documents: DocumentStore, ledger: Ledger) -> Withdrawals:
    return Withdrawals(documents, ledger, Economy(open_withdrawals=2, transfer_daily=600))


async def held(withdrawals: Withdrawals, amount: int = 100, key: str = "k") -> Withdrawal:
    done = await withdrawals.create("ann", "acc", "there", amount, key)
    return await withdrawals.get(done.answer)


async def test_coins_are_held_once_for_a_key_and_within_limits(
    withdrawals: Withdrawals, ledger: Ledger, documents: DocumentStore, clock: Clock
) -> None:
    made = await asyncio.gather(*(held(withdrawals) for _ in range(10)))
    assert len({one.id for one in made}) == 1
    assert await ledger.balance("ann") == START - 100
    with pytest.raises(InsufficientFunds):
        await Withdrawals(documents, ledger, Economy()).create("ann", "acc", "x", START, "l")
    with pytest.raises(Conflict):
        await held(withdrawals, 501, "m")
    second = await held(withdrawals, 1, "n")
    with pytest.raises(Conflict):
        await held(withdrawals, 1, "o")
    assert await withdrawals.find("held", None, 1) == [max(made[0], second, key=lambda w: w.id)]
    clock.forward(FIRST_LOOK_MS / 1000)
    assert {one.id for one in await withdrawals.left()} == {made[0].id, second.id}
    await withdrawals.look_later(second.id)
    assert await withdrawals.left() == [made[0]]
    assert (await Audit(documents).run()).ok
    await check_books(documents)


@pytest.mark.parametrize(("says", "balance"), [("confirmed", START - 100), ("failed", START)])
async def test_the_coins_leave_or_come_back_once(
    withdrawals: Withdrawals, ledger: Ledger, documents: DocumentStore, says: Any, balance: int
) -> None:
    one = await held(withdrawals)
    pending = await asyncio.gather(*(withdrawals.heard(one, Verdict("pending")) for _ in range(5)))
    assert {done.answer.polls for done in pending} == {1}
    verdicts = [Verdict(says, "ref", "why")] * 10 + [Verdict("pending")] * 2
    await asyncio.gather(*(withdrawals.heard(one, verdict) for verdict in verdicts))
    other = "failed" if says == "confirmed" else "confirmed"
    late = (await withdrawals.heard(one, Verdict(cast("Any", other)))).answer
    assert (late.status, late.reference, late.reason) == (says, "ref", "why")
    assert await ledger.balance("ann") == balance
    assert await withdrawals.left() == []
    await held(withdrawals, 1, "l")
    await held(withdrawals, 1, "m")  # its place is free again
    assert (await Audit(documents).run()).ok
    await check_books(documents)


async def test_only_the_outside_ledgers_own_word_counts() -> None:
    one = Withdrawal("w", "ann", "acc", "there", 5, 0)
    async with outside() as out:
        ledger = HttpLedger(out.url + "/", KEY, 0.3)
        assert await ledger.submit(one) == Verdict("pending", "r-w")
        with pytest.raises(DependencyUnavailable, match="404"):
            await ledger.ask(Withdrawal("x", "ann", "acc", "there", 5, 0))
        with pytest.raises(DependencyUnavailable, match="500"):  # another body for the same key
            await ledger.submit(Withdrawal("w", "ann", "acc", "there", 6, 0))
        bad = Withdrawal("b", "ann", "acc", "bad", 5, 0)
        assert await ledger.submit(bad) == Verdict("failed", None, "no such account")
        out.lost = 1
        with pytest.raises(DependencyUnavailable, match="does not answer"):
            await ledger.submit(one)
    with pytest.raises(DependencyUnavailable, match="does not answer"):
        await ledger.ask(one)


async def test_one_that_is_pending_for_too_long_is_given_up_with_its_coins_held(
    withdrawals: Withdrawals, ledger: Ledger, documents: DocumentStore, clock: Clock
) -> None:
    one, ordered = await held(withdrawals), []

    async def enqueue(payload: Settle, *, key: str, delay: float) -> None:
        ordered.append((payload.withdrawal_id, key, delay))

    async def nothing(*_: object) -> None: ...

    async with outside() as out:
        limits = Settlement(first_seconds=3, give_up_seconds=60)
        world = SimpleNamespace(
            economy=SimpleNamespace(withdrawals=withdrawals),
            settlement=HttpLedger(out.url, KEY, 5.0),
            settings=SimpleNamespace(settlement=limits),
            jobs=SimpleNamespace(enqueue=enqueue),
            publisher=SimpleNamespace(emit=nothing),
            react=nothing,
            now=clock,
        )
        grip = SimpleNamespace(hold=AsyncMock(return_value=True))
        ctx = JobContext(cast("Any", world), "job", 1, False, cast("Any", grip))
        for _ in range(3):
            assert await settle(Settle(withdrawal_id=one.id), ctx) == {"status": "submitted"}
        keys = [f"{one.id}/{polls}" for polls in (1, 2, 3)]
        assert ordered == [(one.id, *more) for more in zip(keys, (3.0, 6.0, 12.0), strict=True)]
        clock.forward(61)
        with pytest.raises(GiveUpError):
            await settle(Settle(withdrawal_id=one.id), ctx)
        assert await ledger.balance("ann") == START - 100
        assert (await Audit(documents).run()).ok
        out.transfers[one.id]["address"] = "good"  # and then it says something after all
        assert await settle(Settle(withdrawal_id=one.id), ctx) == {"status": "confirmed"}
        assert (out.submits[one.id], out.asked[one.id]) == (1, 4)
        # One that somebody else has now, and may have decided, is not submitted.
        other = await held(withdrawals, 1, "other")
        grip.hold.return_value = False
        with pytest.raises(LostError):
            await settle(Settle(withdrawal_id=other.id), ctx)
        decided = await withdrawals.decide(other.id, Verdict("failed", None, "no"), "acc", "k")
        assert decided.answer == other.id
        assert await settle(Settle(withdrawal_id=other.id), ctx) == {"status": "failed"}
        assert out.submits[other.id] == 0
        with pytest.raises(Conflict):
            await withdrawals.decide(other.id, Verdict("confirmed", "r"), "acc", "l")
        assert await ledger.balance("ann") == START - 100
        assert (await Audit(documents).run()).ok


def test_pauses_are_doubled_up_to_the_longest() -> None:
    assert [pause(n, 2, 900) for n in (0, 1, 8, 9, 10_000)] == [2, 4, 512, 900, 900]


def test_what_was_refused_cannot_be_confirmed_any_more() -> None:
    one = Withdrawal("w", "ann", "acc", "there", 5, 0)
    failed = hear(one, Verdict("failed", None, "no"), 0, 7)
    assert (failed.status, failed.ended_at) == ("failed", 7)
    assert hear(failed, Verdict("confirmed"), 0, 8) is failed
