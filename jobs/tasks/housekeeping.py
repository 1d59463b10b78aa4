"""What nobody will ask for again is deleted."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from game.economy import DAY_MS
from handlers.base import OPERATORS
from handlers.payloads import TaskPayload
from handlers.ports import Cleanable
from jobs.base import BACKGROUND, JobContext, task
from jobs.tasks.reports import drop_old
from state.upkeep import KEEP_DAYS

AT_ONCE = 1_000  # jobs of a queue in one step


class CleanUp(TaskPayload):
    """Delete it."""

    task: ClassVar[str] = "housekeeping.clean"


@task(CleanUp, profile=BACKGROUND, timeout=600, concurrency=1, at_once=1, roles=OPERATORS)
async def clean(_: CleanUp, ctx: JobContext) -> dict[str, int]:
    """Delete what is long over and has no expiry of its own; how many of each."""
    world = ctx.world
    counts = await world.upkeep.tidy(world.now())
    counts["batches"] = await world.economy.batches.drop_ended(world.now() - KEEP_DAYS * DAY_MS)
    counts["jobs"] = await _clean_queues(ctx)
    counts["files"] = await asyncio.to_thread(drop_old, world.settings, world.now())
    return counts


async def _clean_queues(ctx: JobContext) -> int:
    """A queue forgets old jobs when one ends; in an idle one, none does."""
    jobs, settings = ctx.world.jobs, ctx.world.settings.jobs
    removed = 0
    for queue in await jobs.queues():
        kept: dict[Cleanable, int] = {"completed": settings.keep_seconds}
        if queue["profile"] != "money":
            kept["failed"] = settings.dead_seconds
        for state, seconds in kept.items():
            while count := await jobs.clean(queue["name"], state, seconds, AT_ONCE):
                removed += count
                await ctx.hold()
    return removed
