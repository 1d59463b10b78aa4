"""Jobs and queues as those see them who ask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from handlers.ports import JobState, JobView, Progress, QueueView
from jobs.engine import Stored
from jobs.worker import CANCELLED

TRACE = re.compile(r" \[([0-9a-f]+-[0-9a-f]+)\]$")
WORDS: dict[str, JobState] = {
    "waiting": "waiting",
    "wait": "waiting",
    "paused": "waiting",
    "prioritized": "waiting",
    "delayed": "delayed",
    "active": "running",
    "completed": "completed",
    "failed": "failed",
}


def view(task: str, stored: Stored, word: str) -> JobView:
    """A job that is in its queue; `word` is the engine's for its state."""
    shown = JobView(
        id=stored.id,
        task=task,
        status=WORDS.get(word, "waiting"),
        payload=stored.data["payload"],
        priority=stored.priority,
        attempts=stored.attempts,
        created_at=stored.created_at,
    )
    if isinstance(stored.progress, dict):
        shown["progress"] = Progress(done=stored.progress["done"], total=stored.progress["total"])
    if stored.started_at:
        shown["started_at"] = stored.started_at
    if stored.finished_at:
        shown["finished_at"] = stored.finished_at
    if shown["status"] == "completed":
        _add_result(shown, stored.result)
    if stored.reason and shown["status"] != "completed":
        _add_reason(shown, stored.reason)
    return shown


def _add_result(shown: JobView, result: Any) -> None:
    if isinstance(result, dict) and CANCELLED in result:
        shown["status"] = "cancelled"
    else:
        shown["result"] = result


def _add_reason(shown: JobView, reason: str) -> None:
    shown["reason"], trace_id = reason_and_trace(reason)
    if trace_id:
        shown["trace_id"] = trace_id


def reason_and_trace(reason: str) -> tuple[str, str | None]:
    """What a worker wrote as its reason, taken apart."""
    found = TRACE.search(reason)
    return TRACE.sub("", reason), found.group(1) if found else None


def cancelled_view(mark: JobView) -> JobView:
    """A job that was taken out of its queue, as it was then."""
    return {**mark, "status": "cancelled"}


def order_view(order: Mapping[str, Any]) -> JobView:
    """A job of money that is not in its queue, or no more."""
    status: JobState = {"completed": "completed", None: "waiting"}.get(  # type: ignore[assignment]
        order.get("state"), "cancelled"
    )
    shown = JobView(
        id=order["_id"],
        task=order["task"],
        status=status,
        payload=order["data"],
        priority=order["priority"],
        attempts=0,
        created_at=order["created_at"],
    )
    if status == "completed":
        shown["result"] = order.get("result")
    return shown


def queue_view(
    name: str, profile: str, counts: Mapping[str, int], oldest_ms: int, *, paused: bool
) -> QueueView:
    """A queue, its jobs counted by the engine's states."""
    return QueueView(
        name=name,
        profile=profile,
        paused=paused,
        waiting=sum(counts.get(state, 0) for state in ("wait", "paused", "prioritized")),
        delayed=counts.get("delayed", 0),
        running=counts.get("active", 0),
        completed=counts.get("completed", 0),
        failed=counts.get("failed", 0),
        oldest_ms=oldest_ms,
    )
