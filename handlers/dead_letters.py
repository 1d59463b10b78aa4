"""Jobs that failed for good: look at them, let them run again, or give them up."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game import rooms
from game.errors import GameError
from game.events import JobDied, event
from handlers.base import OPERATORS, Context, World
from handlers.payloads import Payload
from handlers.ports import DeadLetter, JobView
from handlers.registry import noted, route
from handlers.telling import DeliverLane, happened

MOST = 100  # replayed in one call

JobId = Annotated[str, StringConstraints(min_length=3, max_length=160, pattern=r"^[\w.-]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_.]*$")]
Cursor = Annotated[str, StringConstraints(max_length=180, pattern=r"^\d{1,15}-[\w.-]+$")]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ListDeadLetters(Payload):
    """A page of them, of one queue or of all."""

    queue: Name | None = None
    limit: int = Field(default=50, ge=1, le=100)
    before: Cursor | None = None


class OneLetter(Payload):
    """Which."""

    id: JobId


class Replay(Payload):
    """Up to 100 of them."""

    ids: list[JobId] = Field(min_length=1, max_length=MOST)


class Discard(Payload):
    """Which, and why nobody needs it."""

    id: JobId
    reason: Why


class DeadLettersReply(TypedDict):
    """A page, the newest first; `next_before` is null on the last one."""

    dead_letters: list[JobView]
    next_before: str | None


class ReplayReply(TypedDict):
    """Those that wait again, and the code of the refusal of each other."""

    replayed: list[str]
    refused: dict[str, str]


@route("GET", "/dead-letters", ListDeadLetters, roles=OPERATORS)
async def find(cmd: ListDeadLetters, ctx: Context) -> DeadLettersReply:
    """Jobs that failed for good, with their payloads, attempts and reasons.

    Raises:
        NotFound: no such queue.
        DependencyUnavailable: Redis does not answer.
    """
    found = await ctx.world.jobs.dead_letters(cmd.queue, cmd.limit, cmd.before)
    last = found[-1] if len(found) == cmd.limit else None
    cursor = f"{last.get('finished_at', 0)}-{last['id']}" if last else None
    return DeadLettersReply(dead_letters=found, next_before=cursor)


@noted
@route("POST", "/dead-letters/{id}/replay", OneLetter, status=202, roles=OPERATORS)
async def replay(cmd: OneLetter, ctx: Context) -> JobView:
    """Give one all its attempts again.

    Raises:
        NotFound: no such job.
        Conflict: it has not failed.
        DependencyUnavailable: Redis does not answer.
    """
    return await ctx.world.jobs.retry(cmd.id)


@noted
@route("POST", "/dead-letters/replay", Replay, status=202, roles=OPERATORS)
async def replay_many(cmd: Replay, ctx: Context) -> ReplayReply:
    """Give many all their attempts again; each by itself."""
    reply = ReplayReply(replayed=[], refused={})
    for job_id in dict.fromkeys(cmd.ids):
        try:
            await ctx.world.jobs.retry(job_id)
        except GameError as error:
            reply["refused"][job_id] = error.code
        else:
            reply["replayed"].append(job_id)
    return reply


@noted
@route("POST", "/dead-letters/{id}/discard", Discard, status=204, roles=OPERATORS)
async def discard(cmd: Discard, ctx: Context) -> None:
    """Take one away for good. The reason and who gave it are in the log.

    Raises:
        NotFound: no such job.
        Conflict: it has not failed.
        DependencyUnavailable: Redis or MongoDB does not answer.
    """
    await ctx.world.jobs.discard(cmd.id, cmd.reason, ctx.caller.account_id)


async def tell_admins(world: World, letter: DeadLetter) -> None:
    """Tell those who can do something about it."""
    await world.publisher.emit("jobs:dead_letter", letter, rooms.admins())


async def tell_webhooks(world: World, letter: DeadLetter) -> None:
    """Tell those who watch over the server from outside.

    Not of the job that sends webhooks, or one would follow from another without end; what
    it was to send waits on, and is found by the sweep (`handlers/webhooks.py`).
    """
    if letter["task"] == DeliverLane.task:
        return
    at = world.now()
    data = JobDied(
        job_id=letter["id"],
        task=letter["task"],
        attempts=letter["attempts"],
        reason=letter["reason"],
        trace_id=letter.get("trace_id"),
    )
    # By its time, too: a job that is replayed may die again.
    died = event("job.died", f"{letter['id']}/{at}", f"job:{letter['id']}", at, data)
    await happened(world, died)
