"""What operators did: the server notes their calls (server/noting.py), administrators read it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from game.operations import OperationEntry
from handlers.base import ADMINS, Context
from handlers.payloads import Id, Payload
from handlers.registry import route


class ReadOperations(Payload):
    """The newest, or those before the cursor of a page; `by` is an account."""

    by: Id | None = None
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class OperationsReply(TypedDict):
    """Calls, the newest first; `next_cursor` is null when there are no more."""

    entries: list[OperationEntry]
    next_cursor: str | None


@route("GET", "/operations/log", ReadOperations, roles=ADMINS)
async def read_operations(cmd: ReadOperations, ctx: Context) -> OperationsReply:
    """List what operators did to jobs, queues, schedules and webhooks, and what came of it.

    Raises:
        DependencyUnavailable: MongoDB does not answer.
    """
    found = await ctx.world.operations.page(cmd.cursor, cmd.limit + 1, cmd.by)
    page = found[: cmd.limit]
    return OperationsReply(entries=page, next_cursor=page[-1]["id"] if page != found else None)
