"""Redis or Valkey: its lines, one breaker, one place where its errors become ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple, Self

from redis.asyncio import BlockingConnectionPool
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as LineBroken

from config.redis_url import parse
from config.sections import Redis as RedisSettings
from state import following
from state.breaker import Breaker, Observer
from state.cluster import ClusterLines
from state.line import Argument, Line, Listener
from state.lines import Greeting, Lines
from state.sentinels import SentinelLines

__all__ = ["AWAY", "Argument", "Question", "RedisStore", "Script", "Subscription"]

ELSEWHERE = (AskError, TryAgainError)  # a cluster's keys moved, and the command did not run
# What means "the store is away", not "the call was wrong".
AWAY = (
    *(LineBroken, BusyLoadingError, ReadOnlyError, OutOfMemoryError, OSError, TimeoutError),
    *ELSEWHERE,
)
CHANNELS_AT_ONCE = 500  # in one command
KINDS: dict[str, type[Lines]] = {
    "single": Lines,
    "sentinel": SentinelLines,
    "cluster": ClusterLines,
}


class Script:
    """One Lua file of state/scripts, called by its hash.

    `state/scripts/lib.lua` is put in front of each, so that helpers are written once.
    """

    def __init__(self, name: str) -> None:
        folder = Path(__file__).parent / "scripts"
        body = (folder / f"{name}.lua").read_text("utf-8")
        self.name = name
        self.text = (folder / "lib.lua").read_text("utf-8") + "\n" + body
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Question(NamedTuple):
    """A command that may be sent twice, as one that only reads, and what its answer means;
    `script` is what it calls.
    """

    command: tuple[Argument, ...]
    read: Callable[[Any], Any]
    script: Script | None = None

    @classmethod
    def of(
        cls,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Argument],
        read: Callable[[Any], Any],
    ) -> Question:
        """One that a script answers."""
        return cls(("EVALSHA", script.sha, len(keys), *keys, *args), read, script)

    @property
    def in_full(self) -> tuple[Argument, ...]:
        """The command for a store that may not know the script."""
        return ("EVAL", self.script.text, *self.command[2:]) if self.script else self.command


class RedisStore:
    """What the rest of `state` calls: scripts, single commands, and batches of them.

    A command is never sent twice: a retry after a lost answer would run a script's effect
    again. What is safe to repeat is repeated by who knows it.
    """

    def __init__(self, url: str, settings: RedisSettings, observe: Observer | None = None) -> None:
        self.breaker = Breaker("redis", AWAY, observe)
        self.size = settings.commands
        self._url = parse(url)
        self._lines = KINDS[self._url.kind](self._url, settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._lines.close()

    @property
    def publish(self) -> str:
        """The command that publishes: in a cluster a channel is where its slot is, instead of
        every node's business.
        """
        return "SPUBLISH" if self._lines.sharded else "PUBLISH"

    def greet(self, script: Script, call: Callable[[], tuple[list[str], list[Argument]]]) -> None:
        """Run a script first on each new line to the store that has its keys.

        Args:
            call: its keys, of one slot, and its arguments, made afresh.
        """

        def command() -> list[Argument]:
            keys, args = call()
            return ["EVAL", script.text, len(keys), *keys, *args]

        self._lines.greeting = Greeting(call()[0][0], command)

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script atomically.

        Raises:
            DependencyUnavailable: Redis did not answer; the script may have run.
        """
        key = keys[0]
        with self.breaker.guard(script.name):
            line = self._lines.now(key) or await self._lines.to(key)
            try:
                return await line.send("EVALSHA", script.sha, len(keys), *keys, *args)
            except NoScriptError:  # the first call, or Redis was restarted or emptied
                return await self._send(key, "EVAL", script.text, len(keys), *keys, *args)
            except ELSEWHERE as refusal:
                command = ("EVAL", script.text, len(keys), *keys, *args)
                return await self._lines.again(refusal, command, key)

    async def call(self, *command: Argument) -> Any:
        """Send one command, none that blocks.

        Raises:
            DependencyUnavailable: Redis did not answer; the command may have run.
        """
        with self.breaker.guard(str(command[0]).lower()):
            return await self._send(_key_of(command), *command)

    async def _send(self, key: str, *command: Argument) -> Any:
        line = self._lines.now(key) or await self._lines.to(key)
        try:
            return await line.send(*command)
        except ELSEWHERE as refusal:
            return await self._lines.again(refusal, command, key)

    async def batch(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Send many commands in one round trip, not atomically; answers in their order.

        Raises:
            DependencyUnavailable: Redis did not answer; some commands may have run.
        """
        if not commands:
            return []
        with self.breaker.guard("batch"):
            if self._lines.sharded:
                return await self._spread(commands)
            line = self._lines.now("") or await self._lines.to("")
            return await _all([line.send(*command) for command in commands])

    async def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Ask all in one round trip, the first before any other; what each answer means.

        Raises:
            DependencyUnavailable: Redis did not answer.
        """
        if self._lines.sharded:  # whose lines do not wait for one another
            return [*await self._ask(questions[:1]), *await self._ask(questions[1:])]
        return await self._ask(questions)

    async def _ask(self, questions: Sequence[Question]) -> list[Any]:
        try:
            answers = await self.batch([one.command for one in questions])
        except NoScriptError:  # as in `run`
            answers = await self.batch([one.in_full for one in questions])
        return [one.read(answer) for one, answer in zip(questions, answers, strict=True)]

    async def _spread(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """A batch over many lines, still in one write each."""
        lines = [await self._lines.to(_key_of(command)) for command in commands]
        sent = [line.send(*command) for line, command in zip(lines, commands, strict=True)]
        answers = await asyncio.gather(*sent, return_exceptions=True)
        pairs = zip(answers, commands, strict=True)
        return [await self._settled(answer, command) for answer, command in pairs]

    async def _settled(self, answer: Any, command: Sequence[Argument]) -> Any:
        if isinstance(answer, ELSEWHERE):
            return await self._lines.again(answer, command, _key_of(command))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @asynccontextmanager
    async def subscription(self, listener: Listener, key: str = "") -> AsyncIterator[Subscription]:
        """Channels to listen to, over a line of their own.

        Args:
            key: one of the same hash tag as all the channels.
            listener: called with `["message", channel, text]` and, as confirmations, with
                `["subscribe", channel, count]`, in the order of the line.

        Raises:
            DependencyUnavailable: nobody answers.
        """
        with self.breaker.guard("subscribe"):
            sharded = self._lines.sharded
            line = await self._lines.listen(_unsharded(listener) if sharded else listener, key)
        try:
            yield Subscription(line, "S" if sharded else "")
        finally:
            line.hang_up()

    def pool(self, key: str, **options: Any) -> BlockingConnectionPool:
        """Connections of redis-py to the store that has a key, wherever that is at the time."""
        return following.pool(self._url, partial(self._lines.address, key), **options)

    async def ping(self) -> None:
        """Ask for a sign of life, past the breaker: this is how a return is noticed.

        Raises:
            DependencyUnavailable: none came.
        """
        with self.breaker.probe():
            await self._lines.ping()

    @property
    def in_use(self) -> int:
        """Commands that wait for their answers."""
        return self._lines.waiting


class Subscription:
    """A growing and shrinking set of channels on one line, so that what is published to all
    of them arrives in its order.
    """

    def __init__(self, line: Line, prefix: str) -> None:
        self._line = line
        self._prefix = prefix  # of the commands: sharded or not

    def add(self, channels: Sequence[str]) -> None:
        """Ask for channels; each is heard from the moment that it is confirmed."""
        for start in range(0, len(channels), CHANNELS_AT_ONCE):
            self._line.write(
                f"{self._prefix}SUBSCRIBE", *channels[start : start + CHANNELS_AT_ONCE]
            )

    def drop(self, *channels: str) -> None:
        """Ask for channels no more."""
        self._line.write(f"{self._prefix}UNSUBSCRIBE", *channels)

    def end(self) -> None:
        """Break the line."""
        self._line.hang_up()

    async def until_broken(self, every: float, alive: Callable[[float], None]) -> None:
        """Wait for the line's end. A host that lost its power, or a network between us, ends
        no connection: it is asked for a sign of life every now and then.

        Args:
            alive: told of an answer, and how many seconds ago it was asked for: what was
                published before that has come.
        """

        def read(answer: asyncio.Future[Any], asked: float) -> None:
            if not answer.cancelled() and not answer.exception():
                alive(time.monotonic() - asked)

        while not self._line.broken:
            await asyncio.wait([self._line.closed], timeout=every)
            if not self._line.broken:
                answered = partial(read, asked=time.monotonic())
                self._line.send("PING").add_done_callback(answered)


async def _all(sent: Sequence[asyncio.Future[Any]]) -> list[Any]:
    """The answers of one line, which come in their order: for half of what `gather` costs.

    Raises:
        the error of one of them.
    """
    try:
        await sent[-1]
    finally:
        for answer in sent:
            answer.cancel()  # of one that has failed, nobody has to be told any more
    return [answer.result() for answer in sent]


def _key_of(command: Sequence[Argument]) -> str:
    """The first key; a command without one goes anywhere."""
    place = 3 if command[0] in ("EVALSHA", "EVAL") else 1
    return str(command[place]) if len(command) > place else ""


def _unsharded(listener: Listener) -> Listener:
    """For a listener, `smessage` and `ssubscribe` are what they are without the s."""

    def heard(push: list[Any]) -> None:
        listener([push[0].removeprefix("s"), *push[1:]])

    return heard
