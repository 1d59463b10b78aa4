"""Servers as processes of their own, and players with stock clients, for tests."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import socketio

from tests.documented import contract
from tests.forking import Forked, fork, forks

ROOT = Path(__file__).resolve().parents[1]
READY = re.compile(rb"Showdown is ready: (http://\S+?)/")
START_SECONDS = 60.0
ANSWER_SECONDS = 15.0
SECRET = "a secret of tests, long enough for HS256"
# Not the password of the documents' examples, with which the fuzzer would give him another.
ADMIN, ADMIN_PASSWORD = "overseer", "a horse that oversees"


class Server:
    """One `serve` process. Its settings are the keyword arguments, as environment names
    without the prefix: `LIMITS__CHAT_MESSAGES=2`.
    """

    module = "server"
    command = "serve"

    def __init__(self, **settings: object) -> None:
        self.settings = settings
        self.url = ""
        self.output: list[bytes] = []
        self._process: asyncio.subprocess.Process | Forked | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> Self:
        """Start it, and wait until it says its address."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SHOWDOWN_")}
        environment |= {f"SHOWDOWN_{name}": str(value) for name, value in self.settings.items()}
        environment.setdefault("SHOWDOWN_PORT", "0")
        self._process = await _run(self.module, self.command, environment)
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(ready))
        self.url = await asyncio.wait_for(ready, START_SECONDS)
        return self

    async def _read(self, ready: asyncio.Future[str]) -> None:
        assert self._process
        assert self._process.stdout
        async for line in self._process.stdout:
            self.output.append(line)
            found = READY.search(line)
            if found and not ready.done():
                ready.set_result(found.group(1).decode())
        if not ready.done():
            ready.set_exception(RuntimeError(b"".join(self.output).decode()))

    @property
    def pid(self) -> int:
        """Of the process, or of the parent if there are workers."""
        assert self._process
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that it printed."""
        return b"".join(self.output).decode(errors="replace")

    async def kill(self) -> None:
        """End it as a crash would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """End it in order; its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        assert self._process
        if self._process.returncode is None:
            self._process.send_signal(number)
        code = await asyncio.wait_for(self._process.wait(), START_SECONDS)
        if self._reader:
            await self._reader
        return code


async def _run(
    module: str, command: str, environment: dict[str, str]
) -> asyncio.subprocess.Process | Forked:
    if forks():
        return await fork(module, command, environment)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, command),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[Server]:
    """A server for the length of a block."""
    server = Server(**settings)
    try:
        yield await server.start()
    finally:
        if server._process:
            await server.stop()


class Player:
    """A signed-in player with the stock Python client; remembers what it was sent."""

    def __init__(self, url: str, tokens: dict[str, Any], **options: Any) -> None:
        self.url = url
        self.tokens = tokens
        self.id: str = tokens["character"]["id"]
        self.name: str = tokens["character"]["name"]
        self.ready: dict[str, Any] = {}
        self.socket = socketio.AsyncClient(**{"reconnection": False, **options})
        self._inbox: defaultdict[str, asyncio.Queue[Any]] = defaultdict(asyncio.Queue)
        self.history: list[tuple[str, Any]] = []
        self.socket.on("*", self._keep)
        self.socket.on("connect_error", self._refused)
        self.refusal: Any = None

    async def _keep(self, event: str, *args: Any) -> None:
        data = args[0] if args else None
        self.history.append((event, data))
        contract().told(event, data)
        self._inbox[event].put_nowait(data)

    async def _refused(self, data: Any) -> None:
        self.refusal = data

    async def connect(self, transport: str = "websocket", **auth: Any) -> Self:
        """Sign the socket in; `ready` is what `session:ready` said.

        Raises:
            socketio.exceptions.ConnectionError: refused; `refusal` has the error object.
        """
        await self.socket.connect(
            self.url,
            auth={"token": self.tokens["access_token"], **auth},
            transports=[transport],
            wait_timeout=10,
        )
        self.ready = await self.next("session:ready")
        return self

    async def ask(self, event: str, data: object = None, **fields: Any) -> dict[str, Any]:
        """The whole acknowledgement of an event."""
        argument = fields if data is None else data
        answer: dict[str, Any] = await self.socket.call(event, argument, timeout=ANSWER_SECONDS)
        contract().answered(event, argument, answer)
        return answer

    async def do(self, event: str, **fields: Any) -> dict[str, Any]:
        """The `data` of an event that must succeed."""
        answer = await self.ask(event, **fields)
        assert answer["ok"], answer
        data: dict[str, Any] = answer["data"]
        return data

    async def fails(self, event: str, **fields: Any) -> str:
        """The code of an event that must be refused."""
        answer = await self.ask(event, **fields)
        assert not answer["ok"], answer
        code: str = answer["error"]["code"]
        return code

    async def next(
        self, event: str, matching: Callable[[Any], bool] = lambda _: True, seconds: float = 10.0
    ) -> Any:
        """The next event of that name that matches; earlier ones are dropped."""
        async with asyncio.timeout(seconds):
            while True:
                data = await self._inbox[event].get()
                if matching(data):
                    return data

    def seen(self, event: str) -> list[Any]:
        """Every event of that name so far."""
        return [data for name, data in self.history if name == event]

    async def leave(self) -> None:
        """Disconnect."""
        await self.socket.disconnect()


class Table:
    """Makes players on one or several servers, and takes them away at the end."""

    def __init__(self) -> None:
        self.http = aiohttp.ClientSession()
        self.options: dict[str, Any] = {}  # of every player's client
        self._players: list[Player] = []

    async def post(self, url: str, path: str, body: object = None, token: str = "") -> Any:
        """(status, JSON body or None) of a REST call."""
        return await self.call("POST", url, path, body, token)

    async def call(
        self, method: str, url: str, path: str, body: object = None, token: str = ""
    ) -> tuple[int, Any]:
        """(status, JSON body or None) of a REST call."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.request(
            method, f"{url}/api/v1{path}", json=body, headers=headers
        ) as answer:
            text = await answer.text()
            shown = await answer.json(content_type=None) if text else None
            contract().called(method, f"/api/v1{path}", answer.status, shown, body=body)
            return answer.status, shown

    async def guest(self, url: str, name: str = "ann", **options: Any) -> Player:
        """A new guest, not connected yet."""
        status, tokens = await self.post(url, "/auth/guest", {"name": name})
        assert status == 201, tokens
        return self.player(url, tokens, **options)

    def player(self, url: str, tokens: dict[str, Any], **options: Any) -> Player:
        """One more socket of a player that signed in before, not connected yet."""
        player = Player(url, tokens, **self.options, **options)
        self._players.append(player)
        return player

    async def seat(self, url: str, name: str = "ann", **options: Any) -> Player:
        """A new guest, connected."""
        return await (await self.guest(url, name)).connect(**options)

    async def admin(self, url: str) -> Player:
        """The administrator of servers that were given ADMIN and ADMIN_PASSWORD."""
        body = {"username": ADMIN, "password": ADMIN_PASSWORD}
        status, tokens = await self.post(url, "/auth/login", body)
        assert status == 200, tokens
        return await self.player(url, tokens).connect()

    async def duel(self, ann: Player, bob: Player, key: str = "k") -> dict[str, Any]:
        """A duel that ann offered and bob accepted, as bob sees it."""
        offer = await ann.do("duel:challenge", opponent_id=bob.id, key=key)
        accepted = await bob.do("duel:accept", duel_id=offer["duel"]["id"])
        duel: dict[str, Any] = accepted["duel"]
        return duel

    async def close(self) -> None:
        """Everybody leaves; what they were sent was as the documents say."""
        await asyncio.gather(*(player.leave() for player in self._players))
        await self.http.close()
        assert contract().take_broken() == []
