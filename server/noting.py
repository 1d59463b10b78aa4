"""Calls that change what operators look after are written down, whoever makes them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from game.errors import DependencyUnavailable, GameError
from handlers.base import Context
from handlers.registry import Route

TEXT_CHARS = 200  # of a field in the log; our longest reasons


async def run_noted(route: Route[Any], command: BaseModel, ctx: Context) -> Any:
    """Run a route between the two halves of its entry in the log.

    Raises:
        DependencyUnavailable: the entry could not be written, and nothing was done.
    """
    log = ctx.world.operations
    action = f"{route.method} {route.path}"
    entry = await log.begin(ctx.caller.account_id, action, details(command))
    try:
        reply = await route(command, ctx)
    except GameError as error:
        with suppress(DependencyUnavailable):
            await log.end(entry, error.code)
        raise
    with suppress(DependencyUnavailable):  # done is done: its entry stays without an outcome
        await log.end(entry, "ok")
    return reply


def details(command: BaseModel) -> dict[str, Any]:
    """What a call was given, but for payloads of jobs: those may hold what is nobody's business."""
    given = command.model_dump(mode="json", exclude_defaults=True)
    return {name: _shown(value) for name, value in given.items() if not isinstance(value, dict)}


def _shown(value: Any) -> Any:
    return value[:TEXT_CHARS] if isinstance(value, str) else value
