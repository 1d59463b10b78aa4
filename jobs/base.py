"""What every task is made of: its profile, how it is registered, what it is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from pydantic import TypeAdapter

from config.settings import Settings
from handlers.base import World
from handlers.payloads import TaskPayload

P = TypeVar("P", bound=TaskPayload)


@dataclass(frozen=True, slots=True)
class Profile:
    """How hard a job is tried: seconds before the second, third, … attempt.

    A `durable` one is in MongoDB before its order is acknowledged, and comes back from
    there when Redis has lost it.
    """

    name: str
    delays: tuple[float, ...]
    durable: bool = False


MONEY = Profile("money", tuple(2.0**n for n in range(1, 10)), durable=True)
COMMUNICATION = Profile("communication", (5.0, 5.0))
BACKGROUND = Profile("background", (10.0,))


class Rate(NamedTuple):
    """So many jobs, over all processes, in so many seconds."""

    jobs: int
    seconds: float


class GiveUpError(Exception):
    """No further attempt makes sense: a dead letter at once. Its text is the reason."""


class RetryLaterError(Exception):
    """Try again, but not before so many seconds, unless this was the last attempt."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class LostError(Exception):
    """The job is another worker's now: this one stood still for too long."""


class Grip(Protocol):
    """A worker's hold on the job that it runs (jobs/engine.py)."""

    async def progress(self, done: int, total: int) -> None:
        """Show how far the job has come."""

    async def hold(self) -> bool:
        """Renew the lock; False when it is somebody else's."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """One attempt: the job, and what it can reach. `attempt` counts from 1."""

    world: World
    job_id: str
    attempt: int
    last: bool
    grip: Grip

    async def progress(self, done: int, total: int) -> None:
        """Show how far the job has come."""
        await self.grip.progress(done, total)

    async def hold(self) -> None:
        """Make sure that the job is still ours, and for the lock's time from now.

        Before an effect that nothing else keeps from happening twice: a process may stand
        still for so long that another one has taken the job over.

        Raises:
            LostError: it is somebody else's.
        """
        if not await self.grip.hold():
            raise LostError


@dataclass(frozen=True, slots=True)
class Task(Generic[P]):
    """What the jobs of one queue do; the queue has the task's name.

    A job may run more than once (its worker may be killed after the effect and before the
    note of it), so `handler` must do no harm then.
    """

    payload: type[P]
    handler: Callable[[P, JobContext], Awaitable[Any]]
    profile: Profile
    timeout: float
    """Seconds of one attempt."""
    concurrency: int
    """Jobs at once in one process."""
    at_once: int | None
    """Jobs at once in all processes together."""
    rate: Rate | None
    delays: tuple[float, ...]
    roles: frozenset[str]
    """Who may order it by name, over REST."""
    needs: str
    """A setting (`email.host`) without which a process cannot do it; empty: every one can."""
    cancelled_by: str
    """The call that ends what its jobs are for; then they are not cancelled by themselves."""
    validate: Callable[[bytes], P]
    """Of JSON: what has been in a queue has been JSON."""

    @property
    def name(self) -> str:
        """Its own and its queue's."""
        return self.payload.task

    @property
    def attempts(self) -> int:
        """How often a job is tried."""
        return len(self.delays) + 1

    def lacks(self, settings: Settings) -> str | None:
        """The variable that has to be set where it is done, if it is not."""
        if not self.needs or attrgetter(self.needs)(settings):
            return None
        return f"SHOWDOWN_{self.needs.upper().replace('.', '__')}"

    async def __call__(self, job: P, ctx: JobContext) -> Any:
        """Run the bare handler."""
        return await self.handler(job, ctx)


def task(
    payload: type[P],
    *,
    profile: Profile,
    timeout: float = 60.0,
    concurrency: int = 8,
    at_once: int | None = None,
    rate: Rate | None = None,
    delays: tuple[float, ...] | None = None,
    roles: frozenset[str] = frozenset(),
    needs: str = "",
    cancelled_by: str = "",
) -> Callable[[Callable[[P, JobContext], Awaitable[Any]]], Task[P]]:
    """Make a task of a function; what it returns, JSON, is the job's result.

    Args:
        delays: seconds before each further attempt, instead of the profile's.
        needs, cancelled_by: see Task.
    """

    def wrap(handler: Callable[[P, JobContext], Awaitable[Any]]) -> Task[P]:
        return Task(
            payload,
            handler,
            profile,
            timeout,
            concurrency,
            at_once,
            rate,
            profile.delays if delays is None else delays,
            roles,
            needs,
            cancelled_by,
            TypeAdapter(payload).validate_json,
        )

    return wrap
