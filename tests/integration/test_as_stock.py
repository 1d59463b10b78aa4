"""Our sockets beside python-engineio's own: the same clients do the same things at random, and
hear the same, message for message, each sender's in his order.

`DIFFERENTIAL_ROUNDS` says how often; each round is another seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import engineio
import pytest
from aiohttp import ClientSession, web
from engineio import packet
from engineio.payload import Payload

from config.sections import Limits
from server.engine import Engine
from server.packets import Message
from server.transport import GameSocket
from tests.sizes import sized

ROUNDS = sized("DIFFERENTIAL_ROUNDS", 10, 300)
CLIENTS, SENDS, PATIENCE = 8, 12, 30.0
WAYS = (["polling"], ["websocket"], ["polling", "websocket"])

Heard = dict[str, list[str]]


def ours() -> Engine:
    """Our engine, which says to everybody what anybody says."""
    engine = Engine(limits=Limits(), node="0badf00d")

    async def message(_: GameSocket, data: str | bytes) -> None:
        said = Message(data) if isinstance(data, str) else packet.Packet(packet.MESSAGE, data)
        for socket in list(engine.sockets.values()):
            socket.post(said)

    async def gone(_: GameSocket) -> None:
        """Nobody has to be told."""

    engine.on_message, engine.on_disconnect = message, gone
    engine.on_overflow = lambda _: None
    engine.admit, engine.address_of = lambda _: True, lambda _: ""
    return engine


def stock() -> engineio.AsyncServer:
    """Theirs, which does the same."""
    engine = engineio.AsyncServer(
        async_mode="aiohttp",
        async_handlers=False,
        cors_allowed_origins="*",
    )

    async def message(_: str, data: str | bytes) -> None:
        for sid in list(engine.sockets):
            await engine.send(sid, data)

    engine.on("message", message)
    return engine


@asynccontextmanager
async def served(engine: Any) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/socket.io/", engine.handle_request)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        for socket in list(engine.sockets.values()):
            with contextlib.suppress(Exception):
                await socket.close(wait=False, abort=True)
        await runner.cleanup()


class Client:
    """A stock client with a name; what it heard, by who said it."""

    def __init__(self, name: str, way: list[str], http: ClientSession) -> None:
        self.name = name
        self.way = way
        self.heard: Heard = defaultdict(list)
        self.socket = engineio.AsyncClient(http_session=http)
        self.socket.on("message", self._hear)

    async def _hear(self, data: str | bytes) -> None:
        text = data if isinstance(data, str) else "binary " + data.decode()
        self.heard[text.rpartition(" ")[0].removeprefix("binary ")].append(text)

    async def connect(self, url: str) -> None:
        await self.socket.connect(url, transports=self.way, engineio_path="socket.io")

    async def talk(self, dice: random.Random) -> list[str]:
        """Say something again and again; what was said, in order."""
        said = []
        for number in range(SENDS):
            text = f"{self.name} {number}" + "x" * dice.choice((0, 0, 200, 70_000 // SENDS))
            binary = dice.random() < 0.3
            said.append(f"binary {text}" if binary else text)
            await self.socket.send(text.encode() if binary else text)
            if dice.random() < 0.4:
                await asyncio.sleep(dice.random() * 0.01)
        return said

    async def leave(self, dice: random.Random) -> None:
        """Go at some point, with a word or without."""
        await asyncio.sleep(dice.random() * 0.1)
        if dice.random() < 0.5 and self.socket.ws:
            self.socket.ws._conn.transport.abort()
        else:
            await self.say_goodbye()

    async def say_goodbye(self) -> None:
        """Say that it goes. It does not wait for the end of its poll, which python-engineio
        leaves hanging for as long as a ping may take.
        """
        await self.socket.disconnect(abort=True)
        if self.socket.read_loop_task:
            self.socket.read_loop_task.cancel()


async def play(make: Callable[[], Any], seed: int) -> tuple[Heard, dict[str, Heard]]:
    """What was said by whom, and what each of those who stayed heard."""
    dice = random.Random(seed)
    async with served(make()) as url, ClientSession() as http:
        stays = [Client(f"c{n}", dice.choice(WAYS), http) for n in range(CLIENTS)]
        await asyncio.gather(*(one.connect(url) for one in stays[: CLIENTS // 2]))
        leaving = [Client(f"l{n}", dice.choice(WAYS), http) for n in range(CLIENTS // 2)]
        await asyncio.gather(*(one.connect(url) for one in leaving))
        speakers = stays[: CLIENTS // 2]
        talking = [asyncio.create_task(one.talk(random.Random(seed))) for one in speakers]
        await asyncio.gather(
            *(one.leave(dice) for one in leaving),
            # These upgrade while the others talk.
            *(one.connect(url) for one in stays[CLIENTS // 2 :]),
        )
        said = await asyncio.gather(*talking)
        everything = {one.name: words for one, words in zip(speakers, said, strict=True)}
        await _last_words(stays, everything)
        heard = {one.name: dict(one.heard) for one in stays}
        await asyncio.gather(*(one.say_goodbye() for one in stays))
    return everything, heard


async def _last_words(stays: list[Client], said: Heard) -> None:
    """One more word of each, which everybody who stays must hear."""
    for one in stays[: CLIENTS // 2]:
        word = f"{one.name} last"
        said[one.name].append(word)
        await one.socket.send(word)
    async with asyncio.timeout(PATIENCE):
        while not all(one.heard[name][-1:] == [f"{name} last"] for one in stays for name in said):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_who_stays_hears_what_python_engineio_lets_him_hear(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, mine = await play(ours, seed)
    # Its client hangs up when a poll brings more than 16 packets, which its server sends.
    monkeypatch.setattr(Payload, "max_decode_packets", 10_000)
    _, theirs = await play(stock, seed)
    early = [f"c{n}" for n in range(CLIENTS // 2)]
    for name in early:  # there from the beginning: everything
        assert mine[name] == said
        assert theirs[name] == said
    for name in mine.keys() - set(early):  # from when it came, everything: no gap, nothing twice
        for heard in (mine[name], theirs[name]):
            for speaker, words in heard.items():
                assert words == said[speaker][-len(words) :], (name, speaker)
