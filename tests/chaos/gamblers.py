"""Players who do everything that has to do with coins, at random, whatever happens around them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import socketio

from tests.harness import Player, Server, Table

ASK_SECONDS = 4.0  # then the answer was lost, or the node is dead
LOST = (TimeoutError, socketio.exceptions.SocketIOError, OSError)


class Gambler:
    """One player; what was not answered is asked again with the same key until it is."""

    def __init__(self, table: Table, first: Player, servers: list[Server], seed: int) -> None:
        self.id = first.id
        self.others: list[str] = []
        self.sent: dict[str, int] = {}  # acknowledged transfers: note -> amount
        self.answers: Counter[str] = Counter()
        self._table = table
        self._player = first
        self._servers = servers
        self._random = random.Random(seed)
        self._count = 0

    async def play(self, until: asyncio.Event) -> None:
        """Gamble until the event is set, then end what is open."""
        while not until.is_set():
            await self._random.choice(
                (self.transfer, self.transfer, self.buy, self.sell, self.rob, self.cards, self.duel)
            )()
        await self.leave_the_duel()

    async def ask(self, event: str, **fields: Any) -> dict[str, Any] | None:
        """The data of an event, None if it was refused; asked until it is answered."""
        while True:
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    answer = await self._player.ask(event, **fields)
            except LOST:
                await self._come_back()
                continue
            if answer["ok"]:
                self.answers[event] += 1
                data: dict[str, Any] = answer["data"]
                return data
            assert answer["error"]["code"] != "internal", (event, self._trace(answer))
            if not answer["error"]["retryable"] or answer["error"]["code"] == "rate_limited":
                self.answers[f"{event} {answer['error']['code']}"] += 1
                return None
            await asyncio.sleep(0.1)

    def _trace(self, answer: dict[str, Any]) -> str:
        """What the servers logged of a request, with the trace that follows."""
        logs = (server.log.partition(answer["error"]["request_id"]) for server in self._servers)
        return "\n".join(found + rest[:6_000] for _, found, rest in logs if found)

    async def _come_back(self) -> None:
        """To whichever node lets him in."""
        tokens = self._player.tokens
        while True:
            await self._player.leave()
            url = self._random.choice(self._servers).url
            self._player = self._table.player(url, tokens)
            try:
                await self._player.connect()
            except LOST:
                await asyncio.sleep(0.2)
            else:
                return

    def key(self) -> str:
        """A key that was not used before."""
        self._count += 1
        return f"{self.id} {self._count}"

    async def transfer(self) -> None:
        """Give something to somebody."""
        amount, note = self._random.randint(1, 50), self.key()
        to = self._random.choice(self.others)
        body = {"to": to, "amount": amount, "key": note, "note": note}
        if await self.ask("wallet:transfer", **body):
            self.sent[note] = amount
            if self._random.random() < 0.2:  # and again, as if the answer had been lost
                assert await self.ask("wallet:transfer", **body)

    async def buy(self) -> None:
        """Buy what helps robbers."""
        if await self.ask("shop:buy", item="lockpick", key=self.key()):
            await self.ask("inventory:use", item="lockpick", key=self.key())

    async def sell(self) -> None:
        """Buy one, sell one."""
        await self.ask("shop:buy", item="padlock", key=self.key())
        await self.ask("inventory:sell", item="padlock", key=self.key())

    async def rob(self) -> None:
        """Rob anybody."""
        await self.ask("rob:attempt", victim_id=self._random.choice(self.others), key=self.key())

    async def cards(self) -> None:
        """A step of blackjack, or a new game."""
        state = await self.ask("blackjack:state")
        game = state and state["game"]
        if not game:
            await self.ask("blackjack:start", bet=self._random.randint(1, 30), key=self.key())
            return
        step = self._random.choice([*game["can"], "stand"])
        await self.ask(f"blackjack:{step}", game_id=game["id"], key=self.key())

    async def duel(self) -> None:
        """Answer a challenge, give up the duel that is on, or challenge somebody."""
        state = await self.ask("duel:active")
        duel = state and state["duel"]
        if not duel:
            opponent = self._random.choice(self.others)
            body = {"opponent_id": opponent, "stake": self._random.randint(1, 40)}
            await self.ask("duel:challenge", **body, key=self.key())
        elif duel["status"] == "active":
            await self.ask("duel:forfeit", duel_id=duel["id"])
        elif duel["players"][0]["id"] != self.id:
            await self.ask("duel:accept", duel_id=duel["id"])

    async def leave_the_duel(self) -> None:
        """End the duel that is on, so that its stake is paid."""
        state = await self.ask("duel:active")
        duel = state and state["duel"]
        if duel and duel["status"] == "active":
            await self.ask("duel:forfeit", duel_id=duel["id"])
