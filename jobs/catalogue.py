"""Every task, in one list. A task is a queue of its name."""

from __future__ import annotations

from typing import Any

from jobs.base import Task
from jobs.tasks import (
    books,
    email,
    housekeeping,
    push,
    reports,
    transfers,
    webhooks,
    withdrawals,
)

TASKS: tuple[Task[Any], ...] = (
    books.audit,
    email.send,
    housekeeping.clean,
    push.send,
    reports.economy,
    transfers.pay,
    webhooks.deliver,
    withdrawals.settle,
)
