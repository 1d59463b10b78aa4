"""How to register: an event, a route, a background task, each behind the boundary.

There is one way to register an event, a route, a connection hook or a background
task: the decorators below make a record of it, `handlers/catalogue.py` lists the
records, and the server's boundary wraps each of them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

from pydantic import TypeAdapter

from handlers.base import Context, Erase, Export, World
from handlers.payloads import P
from state.connect import Question

if TYPE_CHECKING:
    from config.settings import Settings
    from handlers.ports import DeadLetter

_IN_PATH = re.compile(r"{(\w+)}")


class Command(Generic[P]):
    """An event that clients may send; calling it runs the bare handler."""

    def __init__(
        self, event: str, payload: type[P], handler: Callable[[P, Context], Awaitable[Any]]
    ) -> None:
        self.event = event
        self.payload = payload
        self.handler = handler
        # Built once, not per event; the adapter's own method looks at eight options first.
        self.validate = TypeAdapter(payload).validator.validate_python
        self.__doc__ = handler.__doc__

    async def __call__(self, cmd: P, ctx: Context) -> Any:
        """Run the bare handler."""
        return await self.handler(cmd, ctx)


def command(
    event: str, payload: type[P]
) -> Callable[[Callable[[P, Context], Awaitable[Any]]], Command[P]]:
    """Make a handler of a client event; what it returns is the `data` of the ack."""
    return lambda handler: Command(event, payload, handler)


@dataclass(frozen=True, slots=True)
class Route(Generic[P]):
    """A REST call below /api/v1."""

    method: str
    path: str
    payload: type[P]
    handler: Callable[[P, Context], Awaitable[Any]]
    status: int
    signed_in: bool
    signature: str | None = None
    """The header that signs the body, of a webhook: it gets both as text, not as JSON."""
    roles: frozenset[str] = frozenset()
    """Who may call; empty: whoever is signed in."""
    large: bool = False
    """Whether its body may have LIMITS__BATCH_BODY_BYTES."""
    file: str | None = None
    """The name under which a browser saves the answer."""
    media: str = "application/json"
    """Of the answer; for any other than JSON the handler returns text."""
    noted: bool = False
    """Whether it is written into the log of what operators do."""

    @property
    def in_path(self) -> tuple[str, ...]:
        """The payload's fields that the path names."""
        return tuple(_IN_PATH.findall(self.path))

    async def __call__(self, cmd: P, ctx: Context) -> Any:
        """Run the bare handler."""
        return await self.handler(cmd, ctx)


def route(
    method: str,
    path: str,
    payload: type[P],
    *,
    status: int = 200,
    signed_in: bool = True,
    signature: str | None = None,
    roles: frozenset[str] = frozenset(),
    large: bool = False,
    file: str | None = None,
    media: str = "application/json",
) -> Callable[[Callable[[P, Context], Awaitable[Any]]], Route[P]]:
    """Make a handler of a REST call; what it returns is the answer's JSON body.

    A field of `payload` that stands in the path as `{field}` is read from there; the others
    from the body of POST, PUT and PATCH, else from the query. `Nothing` reads nothing. A
    field `key` may also come as the header `Idempotency-Key`.
    """
    return lambda handler: Route(
        method, path, payload, handler, status, signed_in, signature, roles, large, file, media
    )


def noted(one: Route[P]) -> Route[P]:
    """Let a route's calls be written into the log of what operators do."""
    return replace(one, noted=True)


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that every node does again and again, under the supervisor."""

    name: str
    seconds: Callable[[Settings], float]
    handler: Callable[[World], Awaitable[Any]]

    async def __call__(self, world: World) -> Any:
        """Do the work once."""
        return await self.handler(world)


def periodic(
    name: str, seconds: Callable[[Settings], float]
) -> Callable[[Callable[[World], Awaitable[Any]]], Periodic]:
    """Make a background task of a function; it runs, then waits, then runs again."""
    return lambda handler: Periodic(name, seconds, handler)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event that the server sends by itself, for the documents and those who read them.

    `data` is the type of its argument. One that is not `recovered` is not made up for after
    an absence.
    """

    name: str
    data: Any
    summary: str
    audience: str
    recovered: bool = True


class Shown(NamedTuple):
    """Something that a client is shown when it comes: what Redis is asked for it, in one round
    trip with all others' questions, and what of `resume` the answer comes to.
    """

    ask: Callable[[Context], Question]
    tell: Callable[[Context, Any], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that is registered. Hooks run in their order."""

    commands: tuple[Command[Any], ...] = ()
    routes: tuple[Route[Any], ...] = ()
    events: tuple[ServerEvent, ...] = ()
    connected: tuple[Callable[[Context], Awaitable[dict[str, Any] | None]], ...] = ()
    """After a socket was accepted: what each returns goes into `session:ready`'s `resume`."""
    shown: tuple[Shown, ...] = ()
    """After them, and into the same."""
    leaving: tuple[Callable[[World, str], Awaitable[None]], ...] = ()
    """When a socket is gone, with its connection's id; again, maybe, when that was cut short."""
    left: tuple[Callable[[World, Any], Awaitable[None]], ...] = ()
    """After its seat was given back, by its node or, after a crash, by another."""
    erasing: tuple[Erase, ...] = ()
    """When an account is deleted, for each of its players; again, maybe, when cut short."""
    exporting: tuple[Export, ...] = ()
    """What belongs to a player, by kind, for the file that he can ask for."""
    tasks: tuple[Periodic, ...] = ()
    dead_letters: tuple[Callable[[World, DeadLetter], Awaitable[None]], ...] = ()
    """After a job failed for good; a process that dies right then runs them not."""
