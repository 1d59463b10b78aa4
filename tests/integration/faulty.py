"""A server whose handlers, hooks, routes and tasks fail in every way that there is.

python -m tests.integration.faulty serve
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from handlers import catalogue
from handlers.base import Context, World
from handlers.payloads import Nothing
from handlers.registry import Catalogue, Command, Periodic, Route, command, periodic, route
from server.__main__ import main
from state.live import Left

SECRET = "what only the log may know"


class Refusing(BaseModel):
    number: int


def _refused() -> BaseException:
    try:
        return ValueError(Refusing.model_validate({"number": SECRET}))
    except ValueError as error:
        return error


RAISED: dict[str, BaseException] = {
    "value": ValueError(SECRET),
    "type": TypeError(SECRET),
    "key": KeyError(SECRET),
    "recursion": RecursionError(SECRET),
    "os": ConnectionResetError(SECRET),
    "timeout": TimeoutError(SECRET),
    "stop": StopAsyncIteration(SECRET),
    "group": ExceptionGroup(SECRET, [ValueError(SECRET)]),
    "pydantic": _refused(),
    "cancelled": asyncio.CancelledError(SECRET),
    "exit": SystemExit(SECRET),
    "interrupt": KeyboardInterrupt(SECRET),
    "base": BaseException(SECRET),
}
RETURNED: dict[str, Any] = {
    "set": {1, 2},
    "bytes": b"\xff",
    "object": object(),
    "surrogate": "\ud800",
    "huge": 2**70,
    "keys": {1: 2},
}


def fail(how: str) -> Any:
    """Raise, or return what JSON cannot hold."""
    if how in RETURNED:
        return RETURNED[how]
    raise RAISED[how].with_traceback(None)


def failing_event(how: str) -> Command[Nothing]:
    """`faulty:<how>`."""

    @command(f"faulty:{how}", Nothing)
    async def handler(_: Nothing, __: Context) -> Any:
        await asyncio.sleep(0)
        return fail(how)

    return handler


def failing_route(how: str) -> Route[Nothing]:
    """`POST /faulty/<how>`."""

    @route("POST", f"/faulty/{how}", Nothing, signed_in=False)
    async def handler(_: Nothing, __: Context) -> Any:
        await asyncio.sleep(0)
        return fail(how)

    return handler


def failing_task(how: str) -> Periodic:
    """A task that fails each time."""

    @periodic(f"faulty {how}", lambda _: 0.01)
    async def task(__: World) -> Any:
        await asyncio.sleep(0)
        return fail(how)

    return task


@command("faulty:sleep", Nothing)
async def sleep(_: Nothing, __: Context) -> None:
    """Never end."""
    await asyncio.Event().wait()


@route("POST", "/faulty/sleep", Nothing, signed_in=False)
async def sleeping_route(_: Nothing, __: Context) -> None:
    """Never end."""
    await asyncio.Event().wait()


async def came(ctx: Context) -> dict[str, Any] | None:
    """Fail for players who are called `came <how>`."""
    event, _, how = ctx.caller.name.partition(" ")
    return fail(how) if event == "came" else None


async def went(_: World, left: Left) -> None:
    """Fail for players who are called `went <how>`."""
    event, _space, how = left.name.partition(" ")
    if event == "went":
        fail(how)


def extended(known: Catalogue) -> Catalogue:
    """The catalogue, with faults in front, so that what comes after must still run."""
    every = [*RAISED, *RETURNED]
    return replace(
        known,
        commands=(*known.commands, sleep, *map(failing_event, every)),
        routes=(*known.routes, sleeping_route, *map(failing_route, every)),
        connected=(came, *known.connected),
        left=(went, *known.left),
        tasks=(*map(failing_task, RAISED), *known.tasks),
    )


if __name__ == "__main__":
    catalogue.CATALOGUE = extended(catalogue.CATALOGUE)
    sys.exit(main())
