"""Whatever is done with coins, in whatever order and at once: none is made, none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from game import blackjack as card_rules
from game import duels as duel_rules
from game.errors import GameError
from game.rob import SIDES
from state.audit import Audit
from state.blackjack import Blackjack
from state.connect import RedisStore
from state.documents import DocumentStore
from state.duels import Duels
from state.goods import load
from state.ledger import Ledger
from state.robberies import Robberies
from state.shop import Shop
from state.stakes import Stakes
from tests.contract.accounts_kit import Clock
from tests.contract.economy_kit import SETTINGS, START, check_books, new_ledger, send
from tests.sizes import DRIVERS, sized

ITEMS = ("padlock", "lockpick", "golden-deck")
WHO = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("send"), WHO, WHO, st.integers(1, 2 * START)),
    st.tuples(st.just("buy"), WHO, st.integers(0, 2), st.integers(1, 3)),
    st.tuples(st.just("sell"), WHO, st.integers(0, 2), st.integers(1, 3)),
    st.tuples(st.just("use"), WHO, st.integers(0, 2), st.just(0)),
    st.tuples(st.just("rob"), WHO, WHO, st.integers(0, SIDES - 1)),
    st.tuples(st.just("deal"), WHO, st.integers(1, START), st.integers(0, 2**32)),
    st.tuples(st.just("card"), WHO, st.integers(0, 4), st.just(0)),
    st.tuples(st.just("hold"), WHO, WHO, st.integers(1, START)),
    st.tuples(st.just("settle"), st.integers(0, 5), WHO, st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 8_000), WHO, st.just(0)),
)
runs = count()


class Everything:
    """All that can be done with coins, by number."""

    def __init__(self, documents: DocumentStore, ledger: Ledger, duels: Duels) -> None:
        run = next(runs)
        self.players = [f"p{run}-{i}" for i in range(3)]
        self.clock = Clock()
        self.clock.forward(run * 100_000)
        ledger.now = self.clock
        self.ledger = ledger
        self.duels = duels
        self.shop = Shop(documents, ledger, load(None))
        self.robberies = Robberies(ledger, SETTINGS.rob)
        self.blackjack = Blackjack(documents, ledger, SETTINGS.blackjack)
        self.stakes = Stakes(documents, ledger, duels)
        self.held: list[str] = []
        self.count = 0

    async def do(self, step: tuple[str, int, int, int]) -> None:
        """One step; a refusal is as good as anything else."""
        name, *arguments = step
        self.count += 1
        with suppress(GameError):
            await getattr(self, name)(*arguments, f"k{self.count}")

    async def send(self, who: int, to: int, amount: int, key: str) -> None:
        await self._twice(
            lambda: send(self.ledger, self.players[who], self.players[to], amount, key)
        )

    async def buy(self, who: int, item: int, number: int, key: str) -> None:
        await self._twice(lambda: self.shop.buy(self.players[who], ITEMS[item], number, key))

    async def sell(self, who: int, item: int, number: int, key: str) -> None:
        await self._twice(lambda: self.shop.sell(self.players[who], ITEMS[item], number, key))

    async def use(self, who: int, item: int, _: int, key: str) -> None:
        await self.shop.use(self.players[who], ITEMS[item], key)

    async def rob(self, who: int, victim: int, roll: int, key: str) -> None:
        if who != victim:
            rolls = (roll, roll)
            await self.robberies.attempt(self.players[who], self.players[victim], key, rolls)

    async def deal(self, who: int, bet: int, seed: int, key: str) -> None:
        player, view = self.players[who], str
        await self._twice(
            lambda: self.blackjack.start(player, bet, f"{seed:064x}", key, lambda t: view(t.id))
        )

    async def card(self, who: int, which: int, _: int, key: str) -> None:
        table = await self.blackjack.get(self.players[who], None)
        if table is None:
            return
        can = card_rules.actions(table.game)
        action = can[which % len(can)]

        def rule(game: card_rules.Game) -> card_rules.Game:
            if game.status == "insurance" and which:
                return card_rules.insure(game, take=True)
            return card_rules.act(game, action)

        await self._twice(
            lambda: self.blackjack.step(
                self.players[who], table.id, key, action, rule, lambda after: after.id
            )
        )

    async def hold(self, who: int, other: int, stake: int, key: str) -> None:
        if who == other:
            return
        duel_id = f"{self.players[who]}{key}"
        two = ((self.players[who], "A"), (self.players[other], "B"))
        duel = duel_rules.challenge(duel_id, *two, "s", self.clock.now, duel_rules.Rules(), stake)
        await self._twice(lambda: self.stakes.hold(duel))
        self.held.append(duel_id)

    async def settle(self, which: int, *_: Any) -> None:
        if self.held:
            duel_id = self.held[which % len(self.held)]
            await self._twice(lambda: self.stakes.settle_left(duel_id))

    async def wait(self, seconds: int, *_: Any) -> None:
        self.clock.forward(seconds)
        await self.blackjack.give_back()

    async def _twice(self, ask: Any) -> None:
        """Asked twice at once, as clients do that are not sure."""
        both: list[Awaitable[Any]] = [ask(), ask()]
        answers = await asyncio.gather(*both, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, GameError):
                raise answer


@pytest.mark.slow
@pytest.mark.parametrize("documents", DRIVERS, indirect=True)
@settings(
    max_examples=sized("CONSERVATION_LAWS", 12, 200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=3, max_size=25))
async def test_any_sequence_of_steps_keeps_every_coin(
    documents: DocumentStore, redis: RedisStore, steps: list[tuple[str, int, int, int]]
) -> None:
    ledger = await new_ledger(documents, Clock())
    everything = Everything(documents, ledger, Duels(redis, SETTINGS))
    for player in everything.players:
        await ledger.balance(player)
    for step in steps:
        await everything.do(step)
    await check_books(documents)
    report = await Audit(documents).run()
    assert report.ok, report.findings
    assert report.minted % (3 * START) == 0
