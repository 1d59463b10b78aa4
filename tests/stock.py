"""Stock JavaScript clients, many in one Node process, and a proxy between them and servers."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from tests.harness import ROOT, Server

PROGRAM = ROOT / "tests" / "integration" / "js" / "clients.mjs"
PATIENCE = 60.0  # twice what a stock client takes to give up a connection that hangs, and more
LINE_BYTES = 2**24

Fits = Callable[[dict[str, Any]], object]


class Proxy:
    """A TCP proxy: connections go to `target`; they can be cut, slowed and refused."""

    def __init__(self, target: Server | str) -> None:
        self.target = target  # or a URL, perhaps of a Unix socket
        self.deaf = False  # what is answered gets lost
        self.delay = 0.0  # seconds, of each piece of data, both ways
        self.accepting = True  # else nobody gets through
        self.url = ""
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        """Cut, and listen no more."""
        assert self._server
        self.accepting = False
        self._server.close()
        await asyncio.sleep(0.01)  # who was just accepted by the loop gets here, and no further
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.accepting:
            writer.transport.abort()
            return
        self._writers.add(writer)
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await self._connect()
            self._writers.add(there)
            await asyncio.gather(self._pump(reader, there), self._answer(back, writer))
        except OSError:
            pass
        finally:
            for one in filter(None, (writer, there)):
                one.transport.abort()
                self._writers.discard(one)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        url = urlsplit(self.target if isinstance(self.target, str) else self.target.url)
        if url.scheme == "unix":
            return await asyncio.open_unix_connection(url.path)
        return await asyncio.open_connection(url.hostname, url.port)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._pump(reader, writer, answers=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while data := await reader.read(65_536):
            if answers and self.deaf:
                break
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError  # one end is enough: the other one hears of it


@asynccontextmanager
async def proxied(target: Server | str) -> AsyncIterator[Proxy]:
    """A proxy for the length of a block."""
    proxy = Proxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()


class Client:
    """One stock client: all that it was told, in order."""

    def __init__(self, clients: Clients, name: str, tokens: dict[str, Any]) -> None:
        self.name = name
        self.tokens = tokens
        self.id: str = tokens["character"]["id"]
        self.told: list[dict[str, Any]] = []
        self._clients = clients
        self._news = asyncio.Condition()
        self._answers: dict[int, asyncio.Future[Any]] = {}

    def hear(self, news: dict[str, Any]) -> None:
        """Something happened to it."""
        if news["at"] == "answer":
            self._answers.pop(news["ask"]).set_result(news["answer"])
            return
        self.told.append(news)
        self._clients.news(self._news)

    async def next(self, at: str, fits: Fits = bool, after: int = 0) -> dict[str, Any]:
        """The first thing of that kind that fits, from a place in `told` on."""
        found: dict[str, Any] = {}

        def look() -> bool:
            found.update(next((x for x in self.told[after:] if x["at"] == at and fits(x)), {}))
            return bool(found)

        try:
            async with asyncio.timeout(PATIENCE), self._news:
                await self._news.wait_for(look)
        except TimeoutError:
            raise AssertionError(f"{self.name}: no {at} in {self.told[after:][-20:]}") from None
        return found

    async def event(self, name: str, fits: Fits = bool, after: int = 0) -> dict[str, Any]:
        """The first argument of the next event of that name."""
        told = await self.next("event", lambda x: x["event"] == name and fits(x["args"][0]), after)
        first: dict[str, Any] = told["args"][0]
        return first

    async def came_back(self, after: int) -> tuple[bool, dict[str, Any]]:
        """(`recovered`, `session:ready`) of the next connection."""
        connect = await self.next("connect", after=after)
        ready = await self.event("session:ready", after=after)
        assert ready["recovered"] == connect["recovered"]
        assert ready["session_id"] == connect["sid"]
        return connect["recovered"], ready

    def events(self, name: str, after: int = 0) -> list[Any]:
        """The first arguments of all events of that name."""
        some = [x for x in self.told[after:] if x["at"] == "event" and x["event"] == name]
        return [x["args"][0] for x in some]

    def texts(self, after: int = 0) -> list[str]:
        """What it heard in chat."""
        return [message["text"] for message in self.events("chat:message", after)]

    @property
    def now(self) -> int:
        """The place in `told` where what happens next will be."""
        return len(self.told)

    async def ask(self, event: str, patience: float = PATIENCE, **fields: Any) -> Any:
        """The answer to an event, None if there is none in time."""
        number = next(self._clients.asked)
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        self.do("ask", ask=number, event=event, data=fields, patience=patience * 1000)
        return await answer

    async def ok(self, event: str, **fields: Any) -> dict[str, Any]:
        """The data of an event that must succeed."""
        answer = await self.ask(event, **fields)
        assert answer
        assert answer["ok"], answer
        data: dict[str, Any] = answer["data"]
        return data

    def do(self, what: str, **more: Any) -> None:
        """Have it do something; see the program."""
        self._clients.write({"do": what, "client": self.name, **more})


class Clients:
    """The Node process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.asked = count(1)
        self._process = process
        self._clients: dict[str, Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = count(1)

    async def read(self) -> None:
        """Hear what happens, until the process ends."""
        assert self._process.stdout
        async for line in self._process.stdout:
            news = json.loads(line)
            self._clients[news["client"]].hear(news)

    def write(self, wanted: dict[str, Any]) -> None:
        """Have something done."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")

    def news(self, condition: asyncio.Condition) -> None:
        """Wake who waits."""

        async def wake() -> None:
            async with condition:
                condition.notify_all()

        task = asyncio.create_task(wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin(self, url: str, tokens: dict[str, Any], **options: Any) -> Client:
        """One more client, which begins to connect."""
        client = Client(self, f"c{next(self._numbers)}", tokens)
        self._clients[client.name] = client
        client.do("open", url=url, auth={"token": tokens["access_token"]}, options=options)
        return client

    async def open(self, url: str, tokens: dict[str, Any], **options: Any) -> Client:
        """One more client, signed in."""
        client = self.begin(url, tokens, **{"transports": ["websocket"], **options})
        await client.event("session:ready")
        return client


@asynccontextmanager
async def stock_clients() -> AsyncIterator[Clients]:
    """Node, for the length of a block."""
    node = shutil.which("node")
    assert node, "scripts/test brings Node along"
    process = await asyncio.create_subprocess_exec(
        *(node, str(PROGRAM)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    clients = Clients(process)
    reading = asyncio.create_task(clients.read())
    try:
        yield clients
        if reading.done():
            reading.result()
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()
        await reading
