"""What handlers reach beyond the stores: who takes money, and work that is done later.

The server and the jobs put something behind these; handlers know no more than this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Protocol

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from game.purchases import Order, Word
    from game.withdrawals import Verdict, Withdrawal
    from handlers.payloads import TaskPayload

NORMAL = 5
"""The priority of a job of which nothing is said; 1 is the most urgent, 10 the least."""

JobState = Literal["waiting", "delayed", "running", "completed", "failed", "cancelled"]
Cleanable = Literal["completed", "failed", "waiting", "delayed"]
Policy = Literal["once", "each", "skip"]


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where an order is paid; `word` if there is nothing to pay and that is all."""

    url: str | None
    word: Word | None


class Provider(Protocol):
    """Who takes the money for coins."""

    @property
    def name(self) -> str:
        """Its name, for clients."""

    @property
    def notice(self) -> str:
        """A sentence for players, if there is something to say; else empty."""

    async def open(self, order: Order) -> Checkout:
        """Ask for an order's money; asked again for the same order it is the same.

        Raises:
            DependencyUnavailable: the provider does not answer.
        """

    def read(self, text: str, signature: str, at: int) -> Word | None:
        """What a signed webhook says of an order, None for anything else.

        Raises:
            NotFound, Unauthenticated, MalformedPayload: it is not the provider's word.
        """


class Settlement(Protocol):
    """An outside ledger that takes coins."""

    async def submit(self, one: Withdrawal) -> Verdict:
        """Give it a withdrawal; given again it is the same.

        Raises:
            DependencyUnavailable: it said nothing about it; it may have been taken.
        """

    async def ask(self, one: Withdrawal) -> Verdict:
        """What became of one that it has taken.

        Raises:
            DependencyUnavailable: it said nothing about it.
        """


class Progress(TypedDict):
    """How far a job has come."""

    done: int
    total: int


class JobView(TypedDict):
    """A job. Times are ms since the epoch; `attempts` is how often it has been tried.

    `result` is there when it is completed, `reason` when its last attempt failed, and
    `trace_id`, which finds the log line with the trace, with it.
    """

    id: str
    task: str
    status: JobState
    payload: dict[str, Any]
    priority: int
    attempts: int
    created_at: int
    progress: NotRequired[Progress]
    started_at: NotRequired[int]
    finished_at: NotRequired[int]
    result: NotRequired[Any]
    reason: NotRequired[str]
    trace_id: NotRequired[str]


class DeadLetter(TypedDict):
    """A job that has failed for good: after how many attempts, and why the last one did.

    `trace_id` finds the log line with the trace.
    """

    id: str
    task: str
    attempts: int
    reason: str
    trace_id: NotRequired[str]


class QueueView(TypedDict):
    """A queue: one task's jobs by state, how long (ms) the oldest has been waiting, and its pace.

    `completed_per_minute` and `failed_per_minute` (dead letters) are of the last five minutes,
    this one included. `wait_ms` and `run_ms` are means of the newest twenty completed jobs that
    were begun once, null without any.
    """

    name: str
    profile: str
    paused: bool
    waiting: int
    delayed: int
    running: int
    completed: int
    failed: int
    oldest_ms: int
    completed_per_minute: float
    failed_per_minute: float
    wait_ms: int | None
    run_ms: int | None


class ScheduleView(TypedDict):
    """A schedule: either `cron` (in the time zone `tz`) or `every` so many seconds.

    `missed` says what becomes of runs that nobody was there for. Code's own schedules
    (`own`) can be paused, but not changed or deleted.
    """

    name: str
    task: str
    payload: dict[str, Any]
    cron: str | None
    every: int | None
    tz: str
    missed: Policy
    paused: bool
    own: bool
    next_at: int
    last_at: int | None


class Jobs(Protocol):
    """Work that is done later, by any process, and its queues: one for each task.

    Whatever is asked may raise DependencyUnavailable: Redis or MongoDB did not answer.
    """

    async def enqueue(
        self,
        payload: TaskPayload,
        *,
        key: str | None = None,
        delay: float = 0,
        priority: int = NORMAL,
    ) -> str:
        """Order a job; its id.

        Args:
            key: the same key of the same task is the same job, for as long as it is kept.
            delay: seconds before it may start.

        Raises:
            IdempotencyMismatch: the key was used with another payload.
        """

    def read(self, task: str, payload: dict[str, Any], role: str) -> TaskPayload:
        """The payload of a task that this role may order by name.

        Raises:
            NotFound: no such task, or not for that role.
            ValidationFailed: the payload is not the task's.
        """

    async def get(self, job_id: str) -> JobView:
        """A job.

        Raises:
            NotFound: no such job, or no longer.
        """

    async def find(self, queue: str, state: JobState, limit: int, skip: int) -> list[JobView]:
        """Jobs of a queue in a state: the failed newest first, others oldest first.

        Raises:
            NotFound: no such queue.
        """

    async def dead_letters(
        self, queue: str | None, limit: int, before: str | None
    ) -> list[JobView]:
        """Failed jobs of one queue or all, the newest first.

        Args:
            before: `<finished_at>-<id>` of the last of the page before.

        Raises:
            NotFound: no such queue.
        """

    async def retry(self, job_id: str) -> JobView:
        """Give a dead letter all its attempts again.

        Raises:
            NotFound: no such job.
            Conflict: it has not failed.
        """

    async def cancel(self, job_id: str) -> JobView:
        """Take a job back, or stop it where it runs.

        Raises:
            NotFound: no such job.
            Conflict: it is over, or something else is to be cancelled, with which it ends.
        """

    async def give_up(self, task: str, key: str) -> None:
        """Take away the dead letter of a job that was ordered with a key: nobody can replay it.

        Nothing, if the job is over, taken back or not known.

        Raises:
            Conflict: it waits or runs.
        """

    async def discard(self, job_id: str, reason: str, by: str) -> None:
        """Take a dead letter away for good.

        Raises:
            NotFound: no such job.
            Conflict: it has not failed.
        """

    async def queues(self) -> list[QueueView]:
        """All queues."""

    async def stats(self, queue: str) -> QueueView:
        """One queue.

        Raises:
            NotFound: no such queue.
        """

    async def pause(self, queue: str) -> None:
        """Start no more of its jobs, in any process.

        Raises:
            NotFound: no such queue.
        """

    async def resume(self, queue: str) -> None:
        """Start them again.

        Raises:
            NotFound: no such queue.
        """

    async def clean(self, queue: str, state: Cleanable, older: float, limit: int) -> int:
        """Take jobs in a state away that are older than so many seconds; how many were.

        Raises:
            NotFound: no such queue.
            Conflict: they wait, and something else is to be cancelled, with which they end.
        """


class Schedules(Protocol):
    """Jobs that are ordered by the clock. Times are ms, intervals seconds."""

    async def list(self) -> list[ScheduleView]:
        """All of them, by name."""

    async def get(self, name: str) -> ScheduleView:
        """One.

        Raises:
            NotFound: no such schedule.
        """

    async def add(
        self,
        name: str,
        payload: TaskPayload,
        *,
        cron: str | None,
        every: int | None,
        tz: str,
        missed: Policy,
    ) -> ScheduleView:
        """A new one.

        Raises:
            ValidationFailed: not exactly one of `cron` and `every`, or one that means nothing.
            Conflict: the name is taken.
        """

    async def change(
        self,
        name: str,
        *,
        paused: bool | None = None,
        cron: str | None = None,
        every: int | None = None,
        tz: str | None = None,
        missed: Policy | None = None,
    ) -> ScheduleView:
        """Pause it, let it go on, or, unless it is the code's own, give it other times.

        Raises:
            NotFound: no such schedule.
            ValidationFailed: both of `cron` and `every`, or one that means nothing.
            Conflict: it is the code's own.
        """

    async def remove(self, name: str) -> None:
        """Take it away.

        Raises:
            NotFound: no such schedule.
            Conflict: it is the code's own.
        """
