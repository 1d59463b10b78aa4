"""The clock: orders what is due, on any process, each run once. Known as `world.schedules`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from config.jobs import Jobs as JobSettings
from config.logging import get_logger
from game.errors import Conflict, NotFound
from handlers.payloads import TaskPayload
from handlers.ports import NORMAL, Policy, ScheduleView
from jobs.metrics import JobMetrics
from jobs.queue import JobQueues
from jobs.timing import Timing
from state.documents import Document
from state.schedules import ScheduleBook, as_document

LATE_SECONDS = 60.0  # a schedule that is behind for so long is told of

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Own:
    """A schedule of the code."""

    name: str
    payload: TaskPayload
    timing: Timing
    missed: Policy = "once"


class Scheduler:
    """The schedules, and this process' part in their runs."""

    def __init__(
        self,
        book: ScheduleBook,
        queues: JobQueues,
        settings: JobSettings,
        now: Callable[[], int],
        metrics: JobMetrics,
    ) -> None:
        self._book = book
        self._queues = queues
        self._grace = round(settings.missed_seconds * 1000)
        self._now = now
        self._metrics = metrics

    # Runs

    async def prepare(self, own: Sequence[Own]) -> None:
        """Make the code's schedules; one that is as it was keeps its overdue run."""
        names = {one.name for one in own}
        for known in await self._book.all():
            if known["own"] and known["_id"] not in names:
                await self._book.remove(known["_id"])
        for one in own:
            await self._make(one)

    async def _make(self, one: Own) -> None:
        wanted = _fields(one.payload, one.timing, one.missed) | {"own": True}
        try:
            known = await self._book.get(one.name)
        except NotFound:
            next_at = one.timing.after(self._now())
            try:
                await self._book.add(as_document(one.name, **wanted, next_at=next_at))
            except Conflict:
                log.info("schedule_made_elsewhere", schedule=one.name)
            return
        if _timing(known) != one.timing:
            wanted["next_at"] = one.timing.after(self._now())
        if any(known[field] != value for field, value in wanted.items()):
            await self._book.change(one.name, wanted)

    async def look(self) -> None:
        """Order what is due, and see whether anything is late."""
        waiting = [one for one in await self._book.all() if not one["paused"]]
        late = 0
        for one in waiting:
            if one["next_at"] <= self._now():
                late = max(late, self._now() - await self._run(one))
        self._metrics.lag.set(late / 1000)
        if late > LATE_SECONDS * 1000:
            log.error("schedule_late", seconds=late / 1000)

    async def _run(self, one: Document) -> int:
        """Order the runs of a schedule that are due; when the next one is."""
        runs, next_at = _timing(one).due(one["next_at"], self._now(), one["missed"], self._grace)
        if one["task"] not in self._queues.tasks:
            return int(one["next_at"])  # a newer version's: it stays due, and the watchdog barks
        for at in runs:
            job_id = f"{one['task']}-s.{one['_id']}.{at}"
            await self._queues.order(one["task"], job_id, one["payload"], 0, NORMAL)
        changes: Document = {"next_at": next_at}
        if runs:
            changes["last_at"] = runs[-1]
        try:
            await self._book.change(one["_id"], changes, {"next_at": one["next_at"]})
        except NotFound:
            log.info("schedule_removed_meanwhile", schedule=one["_id"])
        return next_at

    # What handlers ask: see handlers/ports.py

    async def list(self) -> list[ScheduleView]:
        """All of them, by name."""
        return [_view(one) for one in await self._book.all()]

    async def get(self, name: str) -> ScheduleView:
        """One."""
        return _view(await self._book.get(name))

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
        """A new one."""
        timing = Timing(cron, every, tz)
        timing.check()
        fields = _fields(payload, timing, missed) | {"own": False}
        await self._book.add(as_document(name, **fields, next_at=timing.after(self._now())))
        return await self.get(name)

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
        """Pause it, let it go on, or give it other times."""
        known = await self._book.get(name)
        timing = _changed(_timing(known), cron, every, tz)
        timing.check()
        changes: Document = {}
        if timing != _timing(known) or missed not in {None, known["missed"]}:
            if known["own"]:
                raise Conflict("The schedule is the code's own: it can only be paused.")
            changes = {"cron": timing.cron, "every": timing.every, "tz": timing.tz}
            changes["missed"] = missed or known["missed"]
        if paused is not None:
            changes["paused"] = paused
        # What it did not do while it was paused was not missed.
        if timing != _timing(known) or (known["paused"] and paused is False):
            changes["next_at"] = timing.after(self._now())
        if changes:
            await self._book.change(name, changes)
        return await self.get(name)

    async def remove(self, name: str) -> None:
        """Take it away."""
        if (await self._book.get(name))["own"]:
            raise Conflict("The schedule is the code's own: it can only be paused.")
        await self._book.remove(name)


def _changed(timing: Timing, cron: str | None, every: int | None, tz: str | None) -> Timing:
    if cron is None and every is None:
        cron, every = timing.cron, timing.every
    return Timing(cron, every, tz or timing.tz)


def _timing(known: Document) -> Timing:
    return Timing(known["cron"], known["every"], known["tz"])


def _fields(payload: TaskPayload, timing: Timing, missed: Policy) -> dict[str, Any]:
    return {
        "task": payload.task,
        "payload": payload.model_dump(mode="json"),
        "cron": timing.cron,
        "every": timing.every,
        "tz": timing.tz,
        "missed": missed,
    }


def _view(known: Document) -> ScheduleView:
    return ScheduleView(
        name=known["_id"],
        task=known["task"],
        payload=known["payload"],
        cron=known["cron"],
        every=known["every"],
        tz=known["tz"],
        missed=known["missed"],
        paused=known["paused"],
        own=known["own"],
        next_at=known["next_at"],
        last_at=known["last_at"],
    )
