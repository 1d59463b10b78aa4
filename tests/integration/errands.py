"""Tasks for tests, which write into the database what they did.

python -m tests.integration.errands serve
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, ClassVar

from pymongo.errors import DuplicateKeyError

from handlers.base import OPERATORS
from handlers.payloads import TaskPayload
from jobs import catalogue
from jobs.base import BACKGROUND, COMMUNICATION, MONEY, GiveUpError, JobContext, Rate, task
from server.__main__ import main

ERRANDS = "errands"


class Errand(TaskPayload):
    """Note `number`; `fails` says whether it shall become a dead letter."""

    task: ClassVar[str] = "test.errand"
    number: int = 0
    fails: bool = False
    seconds: float = 0.0


class Bill(Errand):
    task: ClassVar[str] = "test.bill"


class Slow(Errand):
    task: ClassVar[str] = "test.slow"


class Frozen(Errand):
    task: ClassVar[str] = "test.frozen"


class Tick(Errand):
    task: ClassVar[str] = "test.tick"


class Mended(Errand):
    task: ClassVar[str] = "test.mended"
    text: str = ""


class Limited(Errand):
    task: ClassVar[str] = "test.limited"


async def noted(job: Errand, ctx: JobContext) -> int:
    """The effect, which nothing but its number in the database keeps from happening twice."""
    if job.fails:
        raise GiveUpError("made to fail")
    await asyncio.sleep(job.seconds)
    document = {"_id": f"{job.task}/{job.number}", "job": ctx.job_id, "at": time.time()}
    try:
        await ctx.world.upkeep._documents.call(ERRANDS, "insert_one", document)
    except DuplicateKeyError:
        return -job.number
    return job.number


@task(Errand, profile=COMMUNICATION, delays=(0.2,) * 9, concurrency=16, roles=OPERATORS)
async def errand(job: Errand, ctx: JobContext) -> int:
    return await noted(job, ctx)


@task(Bill, profile=MONEY, delays=(0.2,) * 19, concurrency=16, roles=OPERATORS)
async def bill(job: Bill, ctx: JobContext) -> int:
    return await noted(job, ctx)


@task(Slow, profile=BACKGROUND, delays=(0.1,), concurrency=4, roles=OPERATORS)
async def slow(job: Slow, ctx: JobContext) -> int:
    for step in range(100):
        await ctx.progress(step, 100)
        await asyncio.sleep(job.seconds / 100)
    return await noted(job, ctx)


@task(Frozen, profile=BACKGROUND, delays=(0.1,), roles=OPERATORS)
async def frozen(job: Frozen, ctx: JobContext) -> int:
    """An effect that happens as often as it is done: only the hold is in the way."""
    await ctx.progress(1, 2)
    await asyncio.sleep(job.seconds)
    await ctx.hold()
    document = {"job": ctx.job_id, "number": job.number}
    await ctx.world.upkeep._documents.call(ERRANDS, "insert_one", document)
    return job.number


@task(Tick, profile=MONEY, delays=(0.2,) * 19, roles=OPERATORS)
async def tick(job: Tick, ctx: JobContext) -> int:
    """Counts the runs of each tick, by its id."""
    which, change = {"_id": ctx.job_id}, {"$inc": {"runs": 1}, "$set": {"number": job.number}}
    await ctx.world.upkeep._documents.call(ERRANDS, "update_one", which, change, upsert=True)
    return job.number


@task(Limited, profile=BACKGROUND, rate=Rate(20, 1.0), roles=OPERATORS)
async def limited(job: Limited, ctx: JobContext) -> int:
    return await noted(job, ctx)


@task(Mended, profile=BACKGROUND, roles=OPERATORS)
async def mended(job: Mended, ctx: JobContext) -> int:
    """Fails for good at first, and does it when it is replayed."""
    try:
        document = {"_id": f"{ctx.job_id}/tried"}
        await ctx.world.upkeep._documents.call(ERRANDS, "insert_one", document)
    except DuplicateKeyError:
        return await noted(job, ctx)
    raise GiveUpError(f"made to fail: {job.text}")


TASKS: tuple[Any, ...] = (errand, bill, slow, frozen, tick, limited, mended)

if __name__ == "__main__":
    catalogue.TASKS = (*catalogue.TASKS, *TASKS)
    sys.exit(main())
