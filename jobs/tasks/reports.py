"""Reports: files for people who count."""

from __future__ import annotations

import asyncio
import csv
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import StringConstraints
from typing_extensions import TypedDict

from config.settings import Settings
from game.economy import DAY_MS
from handlers.base import OPERATORS
from handlers.payloads import TaskPayload
from jobs.base import BACKGROUND, GiveUpError, JobContext, task

EPOCH = date(1970, 1, 1)

Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class EconomyReport(TaskPayload):
    """Of a UTC day, as 2026-11-22; none: yesterday."""

    task: ClassVar[str] = "reports.economy"
    day: Day | None = None


class Written(TypedDict):
    """The file's name in the directory of reports, and its rows without the head."""

    file: str
    rows: int


@task(EconomyReport, profile=BACKGROUND, timeout=600, concurrency=1, roles=OPERATORS)
async def economy(job: EconomyReport, ctx: JobContext) -> Written:
    """Write a day's movements of coins, by reason, as CSV. Written again it is replaced."""
    number = _day(job.day, ctx.world.now())
    name = _name(_date(number))
    turnover = await ctx.world.upkeep.turnover(number)
    rows = [
        (reason, one.postings, one.gained, one.lost) for reason, one in sorted(turnover.items())
    ]
    await asyncio.to_thread(_write, _folder(ctx.world.settings) / name, rows)
    return Written(file=name, rows=len(rows))


def drop_old(settings: Settings, now: int) -> int:
    """Delete reports of days that are too long ago; how many."""
    oldest = _date(now // DAY_MS - settings.jobs.report_days)
    # Their names sort as their days do.
    old = [path for path in _folder(settings).glob(_name("*")) if path.name < _name(oldest)]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _folder(settings: Settings) -> Path:
    return settings.jobs.reports_dir or settings.data_dir / "reports"


def _name(day: str) -> str:
    return f"economy-{day}.csv"


def _date(number: int) -> str:
    return str(date.fromordinal(EPOCH.toordinal() + number))


def _day(given: str | None, now: int) -> int:
    """The day's number since the epoch."""
    if given is None:
        return now // DAY_MS - 1
    try:
        return round(datetime.fromisoformat(given).replace(tzinfo=UTC).timestamp()) // 86_400
    except ValueError:
        raise GiveUpError(f"{given} is no day") from None


def _write(path: Path, rows: list[tuple[str, int, int, int]]) -> None:
    """All of it or nothing: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(f".{os.getpid()}.part")
    with half.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("reason", "postings", "coins_gained", "coins_lost"))
        writer.writerows(rows)
    half.replace(path)
