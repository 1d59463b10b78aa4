"""Jobs that the clock orders, for operators."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from handlers.base import OPERATORS, Context
from handlers.payloads import Nothing, Payload
from handlers.ports import Policy, ScheduleView
from handlers.registry import noted, route

Name = Annotated[str, StringConstraints(min_length=1, max_length=48, pattern=r"^[a-z][a-z0-9-]*$")]
TaskName = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_.]*$")
]
Cron = Annotated[str, StringConstraints(min_length=9, max_length=120)]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w+/-]+$")]
Seconds = Annotated[int, Field(ge=1, le=366 * 86_400)]


class AddSchedule(Payload):
    """Either `cron` (in the time zone `tz`) or `every` so many seconds.

    `missed`: of runs that nobody was there for, `once` makes one, `each` all, `skip` none.
    """

    name: Name
    task: TaskName
    payload: dict[str, Any] = Field(default_factory=dict)
    cron: Cron | None = None
    every: Seconds | None = None
    tz: Zone = "UTC"
    missed: Policy = "once"


class ChangeSchedule(Payload):
    """What shall be otherwise."""

    name: Name
    paused: bool | None = None
    cron: Cron | None = None
    every: Seconds | None = None
    tz: Zone | None = None
    missed: Policy | None = None


class OneSchedule(Payload):
    """Which."""

    name: Name


class SchedulesReply(TypedDict):
    """All schedules, by name."""

    schedules: list[ScheduleView]


class ScheduleReply(TypedDict):
    """One schedule."""

    schedule: ScheduleView


@route("GET", "/schedules", Nothing, roles=OPERATORS)
async def find(_: Nothing, ctx: Context) -> SchedulesReply:
    """All schedules, with their last and next runs.

    Raises:
        DependencyUnavailable: MongoDB does not answer.
    """
    return SchedulesReply(schedules=await ctx.world.schedules.list())


@noted
@route("POST", "/schedules", AddSchedule, status=201, roles=OPERATORS)
async def add(cmd: AddSchedule, ctx: Context) -> ScheduleReply:
    """A new schedule for a task that may be ordered by name.

    Raises:
        NotFound: no such task, or not for the caller's role.
        ValidationFailed: the payload is not the task's, or the times mean nothing.
        Conflict: the name is taken.
        DependencyUnavailable: MongoDB does not answer.
    """
    payload = ctx.world.jobs.read(cmd.task, cmd.payload, ctx.caller.role)
    schedule = await ctx.world.schedules.add(
        cmd.name, payload, cron=cmd.cron, every=cmd.every, tz=cmd.tz, missed=cmd.missed
    )
    return ScheduleReply(schedule=schedule)


@noted
@route("PATCH", "/schedules/{name}", ChangeSchedule, roles=OPERATORS)
async def change(cmd: ChangeSchedule, ctx: Context) -> ScheduleReply:
    """Pause a schedule, let it go on, or give it other times.

    Raises:
        NotFound: no such schedule.
        ValidationFailed: the times mean nothing.
        Conflict: it is the code's own, which can only be paused.
        StaleVersion: it was changed at the same time.
        DependencyUnavailable: MongoDB does not answer.
    """
    schedule = await ctx.world.schedules.change(
        cmd.name,
        paused=cmd.paused,
        cron=cmd.cron,
        every=cmd.every,
        tz=cmd.tz,
        missed=cmd.missed,
    )
    return ScheduleReply(schedule=schedule)


@noted
@route("DELETE", "/schedules/{name}", OneSchedule, status=204, roles=OPERATORS)
async def remove(cmd: OneSchedule, ctx: Context) -> None:
    """Take a schedule away; what it has ordered stays ordered.

    Raises:
        NotFound: no such schedule.
        Conflict: it is the code's own.
        DependencyUnavailable: MongoDB does not answer.
    """
    await ctx.world.schedules.remove(cmd.name)
