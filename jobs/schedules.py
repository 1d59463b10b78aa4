"""The code's own schedules, in one list. Administrators add theirs over REST."""

from __future__ import annotations

from config.settings import Settings
from jobs.scheduler import Own
from jobs.tasks.books import AuditBooks
from jobs.tasks.housekeeping import CleanUp
from jobs.tasks.reports import EconomyReport
from jobs.timing import Timing


def own_schedules(settings: Settings) -> tuple[Own, ...]:
    """What is ordered by the clock without anybody asking."""
    return (
        Own("audit", AuditBooks(), Timing(every=settings.audit.every_seconds)),
        # In the small hours of Europe, when few play; not on the hour, when everything starts.
        Own("clean-up", CleanUp(), Timing(cron="40 3 * * *")),
        Own("economy-report", EconomyReport(), Timing(cron="10 0 * * *")),
    )
