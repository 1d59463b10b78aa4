"""A crowd of stock JavaScript clients in one room, some of whom talk without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from tests.chaos.chaos_kit import LEASE, quick, until
from tests.chaos.history import check, check_pieces
from tests.fixtures import Stores, on
from tests.harness import Server, Table
from tests.sizes import sized
from tests.stock import Client, Clients, Proxy, proxied

CLIENTS = sized("CHAOS_CLIENTS", 24, 500)
SECONDS = sized("CHAOS_SECONDS", 2, 30)
ROOM = "room:crowd"
TOGETHER = 20
PAUSE = 0.05  # between two messages of a speaker
PATIENCE = 3.0  # for an answer; then it is said again with the same client_id


class Crowd:
    """Clients in one room behind proxies, some of whom talk without end."""

    def __init__(self, stock: Clients, table: Table, proxies: list[Proxy]) -> None:
        self.proxies = proxies
        self.members: list[Client] = []
        self.said: dict[str, list[str]] = {}
        self.refused: list[str] = []
        self._stock = stock
        self._table = table
        self._over = asyncio.Event()
        self._talking: list[asyncio.Task[None]] = []

    async def gather(self, count: int, speakers: int = 4) -> None:
        """Enter, a few at a time; the first ones begin to talk."""
        for first in range(0, count, TOGETHER):
            some = range(first, min(count, first + TOGETHER))
            self.members += await asyncio.gather(*map(self._enter, some))
        for member in self.members[:speakers]:
            self.said[member.name] = []
            self._talking.append(asyncio.create_task(self._talk(member)))

    async def _enter(self, n: int) -> Client:
        proxy = self.proxies[n % len(self.proxies)]
        assert isinstance(proxy.target, Server)
        tokens = (await self._table.guest(proxy.target.url, f"m{n}")).tokens
        transports = ["polling", "websocket"] if n % 10 == 7 else ["websocket"]
        member = await self._stock.open(proxy.url, tokens, transports=transports)
        await member.ok("chat:join", room=ROOM)
        return member

    async def _talk(self, member: Client) -> None:
        said = self.said[member.name]
        while not self._over.is_set():
            text = f"{member.name} {len(said)}"
            await self._say(member, text)
            said.append(text)
            await asyncio.sleep(PAUSE)

    async def _say(self, member: Client, text: str) -> None:
        """Say it until it is acknowledged."""
        while True:
            key = text.replace(" ", "-")
            answer = await member.ask("chat:send", PATIENCE, room=ROOM, text=text, client_id=key)
            if answer and answer["ok"]:
                return
            if answer and answer["error"]["code"] == "forbidden":
                await self._come_in(member)  # a fresh session is in no room
            elif answer:
                assert answer["error"]["retryable"], answer
                self.refused.append(answer["error"]["code"])
                await asyncio.sleep(PAUSE)

    async def _come_in(self, member: Client) -> None:
        await member.ask("chat:join", PATIENCE, room=ROOM)

    async def all_back(self) -> None:
        """Whoever was shown the truth is in the room again."""

        async def back(member: Client) -> bool:
            answer = await member.ask("chat:join", PATIENCE, room=ROOM)
            return bool(answer and answer["ok"])

        for member in self.members:
            await until(partial(back, member), bool)

    async def calm(self, seconds: float) -> None:
        """Let some time pass in which everybody says something."""
        before = await self._counts()
        await asyncio.sleep(seconds)
        await until(self._counts, lambda now: all(now[name] > before[name] for name in now))

    async def _counts(self) -> dict[str, int]:
        return {name: len(said) for name, said in self.said.items()}

    async def judge(self) -> int:
        """Everybody falls silent; how much was said, and all of that is as it must be."""
        self._over.set()
        await asyncio.gather(*self._talking)
        for member in self.members:
            for said in self.said.values():
                last = said[-1]
                await member.event("chat:message", partial(_says, last))
        everything = check(self.said, {member.name: member.texts() for member in self.members})
        return len(everything)

    async def judge_pieces(self) -> int:
        """Everybody falls silent; how many pieces were heard, each without a gap."""
        self._over.set()
        await asyncio.gather(*self._talking)
        for member in self.members:
            for said in self.said.values():
                await member.event("chat:message", partial(_says, said[-1]))
        pieces = {member.name: _pieces(member) for member in self.members}
        check_pieces(self.said, pieces)
        return sum(map(len, pieces.values()))

    def connects(self) -> list[bool]:
        """Whether each connection, but each member's first, was a recovered one."""
        return [
            told["recovered"]
            for member in self.members
            for told in [x for x in member.told if x["at"] == "connect"][1:]
        ]


def _pieces(member: Client) -> list[list[str]]:
    """What it heard, in one piece for each session: a fresh one has told it of a gap."""
    pieces: list[list[str]] = []
    for told in member.told:
        if told["at"] == "connect" and not told["recovered"]:
            pieces.append([])
        if told["at"] == "event" and told["event"] == "chat:message":
            pieces[-1].append(told["args"][0]["text"])
    return pieces


def _says(text: str, message: dict[str, Any]) -> bool:
    return bool(message["text"] == text)


@asynccontextmanager
async def behind(*servers: Server) -> AsyncIterator[list[Proxy]]:
    """A proxy in front of each."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(proxied(server)) for server in servers]


def settings(stores: Stores, **more: object) -> dict[str, object]:
    return on(stores, **quick(NODES__LEASE_SECONDS=LEASE, **more))
