"""Every task, in one list. A task is a queue of its name."""

from __future__ import annotations

from typing import Any

from jobs.base import Task
from jobs.tasks import books, housekeeping, reports, transfers, withdrawals

TASKS: tuple[Task[Any], ...] = (
    books.audit,
    housekeeping.clean,
    reports.economy,
    transfers.pay,
    withdrawals.settle,
)
