"""Work done later, for operators: order it, look at it, take it back; and its queues."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game.errors import GameError
from handlers.base import OPERATORS, Context
from handlers.payloads import Key, Nothing, Payload
from handlers.ports import NORMAL, Cleanable, JobState, JobView, QueueView
from handlers.registry import noted, route

MOST = 100  # jobs in one batch
LONGEST_DELAY = 365 * 86_400  # seconds

JobId = Annotated[str, StringConstraints(min_length=3, max_length=160, pattern=r"^[\w.-]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_.]*$")]
"""Of a task, and of its queue."""


class JobOrder(Payload):
    """A job: its task, and what the task is given.

    The same `key` of the same account and task is the same job, for as long as it is kept.
    `delay` is in seconds; `priority` 1 is the most urgent, 10 the least.
    """

    task: Name
    payload: dict[str, Any] = Field(default_factory=dict)
    key: Key | None = None
    delay: float = Field(default=0, ge=0, le=LONGEST_DELAY)
    priority: int = Field(default=NORMAL, ge=1, le=10)


class JobBatch(Payload):
    """Up to 100 jobs."""

    jobs: list[JobOrder] = Field(min_length=1, max_length=MOST)


class OneJob(Payload):
    """Which."""

    id: JobId


class OneQueue(Payload):
    """Which."""

    queue: Name


class ListJobs(Payload):
    """A page of a queue's jobs in a state."""

    queue: Name
    state: Literal["waiting", "delayed", "running", "completed", "failed"]
    limit: int = Field(default=50, ge=1, le=100)
    skip: int = Field(default=0, ge=0)


class CleanQueue(Payload):
    """Jobs in a state for so many seconds, at most so many of them."""

    queue: Name
    state: Cleanable = "completed"
    older: float = Field(default=0, ge=0)
    limit: int = Field(default=1_000, ge=1, le=10_000)


class Ordered(TypedDict):
    """The job, how it stands, and where that can be read."""

    id: str
    status: JobState
    url: str


class BatchItem(TypedDict):
    """What became of one order: a job, or the code and text of its refusal."""

    ok: bool
    id: NotRequired[str]
    status: NotRequired[JobState]
    url: NotRequired[str]
    code: NotRequired[str]
    detail: NotRequired[str]


class BatchReply(TypedDict):
    """What became of each order, in their order."""

    jobs: list[BatchItem]


class JobsReply(TypedDict):
    """A page of jobs."""

    jobs: list[JobView]


class QueuesReply(TypedDict):
    """All queues."""

    queues: list[QueueView]


class QueueReply(TypedDict):
    """One queue."""

    queue: QueueView


class Cleaned(TypedDict):
    """How many were taken away."""

    removed: int


async def _order(order: JobOrder, ctx: Context) -> Ordered:
    payload = ctx.world.jobs.read(order.task, order.payload, ctx.caller.role)
    job_id = await ctx.world.jobs.enqueue(
        payload,
        key=f"{ctx.caller.account_id}/{order.key}" if order.key else None,
        delay=order.delay,
        priority=order.priority,
    )
    status: JobState = "delayed" if order.delay else "waiting"
    if order.key:  # it may be an earlier one
        status = (await ctx.world.jobs.get(job_id))["status"]
    return Ordered(id=job_id, status=status, url=f"/api/v1/jobs/{job_id}")


@route("POST", "/jobs", JobOrder, status=202, roles=OPERATORS)
async def create(cmd: JobOrder, ctx: Context) -> Ordered:
    """Order a job of one of the tasks that may be ordered by name.

    Raises:
        NotFound: no such task, or not for the caller's role.
        ValidationFailed: the payload is not the task's.
        IdempotencyMismatch: the key was used with another payload.
        DependencyUnavailable: Redis or MongoDB does not answer.
    """
    return await _order(cmd, ctx)


@route("POST", "/jobs/batch", JobBatch, status=202, roles=OPERATORS, large=True)
async def create_batch(cmd: JobBatch, ctx: Context) -> BatchReply:
    """Order up to 100 jobs; each is taken or refused by itself."""
    return BatchReply(jobs=[await _item(order, ctx) for order in cmd.jobs])


async def _item(order: JobOrder, ctx: Context) -> BatchItem:
    try:
        ordered = await _order(order, ctx)
    except GameError as error:
        return BatchItem(ok=False, code=error.code, detail=error.detail)
    return BatchItem(ok=True, id=ordered["id"], status=ordered["status"], url=ordered["url"])


@route("GET", "/jobs/{id}", OneJob, roles=OPERATORS)
async def get(cmd: OneJob, ctx: Context) -> JobView:
    """A job: its state, how far it has come, its result.

    Raises:
        NotFound: no such job, or no longer.
        DependencyUnavailable: Redis does not answer.
    """
    return await ctx.world.jobs.get(cmd.id)


@noted
@route("POST", "/jobs/{id}/retry", OneJob, status=202, roles=OPERATORS)
async def retry(cmd: OneJob, ctx: Context) -> JobView:
    """Give a job that failed for good all its attempts again.

    Raises:
        NotFound: no such job.
        Conflict: it has not failed.
        DependencyUnavailable: Redis does not answer.
    """
    return await ctx.world.jobs.retry(cmd.id)


@noted
@route("DELETE", "/jobs/{id}", OneJob, status=202, roles=OPERATORS)
async def cancel(cmd: OneJob, ctx: Context) -> JobView:
    """Take a job back. One that runs is stopped within a second; until then it is `running`.

    Raises:
        NotFound: no such job.
        Conflict: it is over; or it is of a batch of transfers, which has a call of its own.
        DependencyUnavailable: Redis does not answer.
    """
    return await ctx.world.jobs.cancel(cmd.id)


@route("GET", "/queues", Nothing, roles=OPERATORS)
async def queues(_: Nothing, ctx: Context) -> QueuesReply:
    """All queues: one for each task.

    Raises:
        DependencyUnavailable: Redis does not answer.
    """
    return QueuesReply(queues=await ctx.world.jobs.queues())


@route("GET", "/queues/{queue}/stats", OneQueue, roles=OPERATORS)
async def stats(cmd: OneQueue, ctx: Context) -> QueueReply:
    """One queue: its jobs by state, and how long the oldest has waited.

    Raises:
        NotFound: no such queue.
        DependencyUnavailable: Redis does not answer.
    """
    return QueueReply(queue=await ctx.world.jobs.stats(cmd.queue))


@route("GET", "/queues/{queue}/jobs", ListJobs, roles=OPERATORS)
async def find(cmd: ListJobs, ctx: Context) -> JobsReply:
    """Jobs of a queue in a state.

    Raises:
        NotFound: no such queue.
        DependencyUnavailable: Redis does not answer.
    """
    state: JobState = cmd.state
    return JobsReply(jobs=await ctx.world.jobs.find(cmd.queue, state, cmd.limit, cmd.skip))


@noted
@route("POST", "/queues/{queue}/pause", OneQueue, roles=OPERATORS)
async def pause(cmd: OneQueue, ctx: Context) -> QueueReply:
    """Start no more of a queue's jobs, in any process; what runs goes on.

    Raises:
        NotFound: no such queue.
        DependencyUnavailable: Redis does not answer.
    """
    await ctx.world.jobs.pause(cmd.queue)
    return QueueReply(queue=await ctx.world.jobs.stats(cmd.queue))


@noted
@route("POST", "/queues/{queue}/resume", OneQueue, roles=OPERATORS)
async def resume(cmd: OneQueue, ctx: Context) -> QueueReply:
    """Start a queue's jobs again.

    Raises:
        NotFound: no such queue.
        DependencyUnavailable: Redis does not answer.
    """
    await ctx.world.jobs.resume(cmd.queue)
    return QueueReply(queue=await ctx.world.jobs.stats(cmd.queue))


@noted
@route("DELETE", "/queues/{queue}/clean", CleanQueue, roles=OPERATORS)
async def clean(cmd: CleanQueue, ctx: Context) -> Cleaned:
    """Take old jobs of a queue away. What waits or failed is lost by that.

    Raises:
        NotFound: no such queue.
        Conflict: they wait, and each is of something that has to be cancelled itself.
        DependencyUnavailable: Redis does not answer.
    """
    removed = await ctx.world.jobs.clean(cmd.queue, cmd.state, cmd.older, cmd.limit)
    return Cleaned(removed=removed)
