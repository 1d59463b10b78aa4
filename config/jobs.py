"""Work that is done later: where, how long, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

from config.sections import Section, default


class Jobs(Section):
    """Queues and those who work on them."""

    workers: bool = default(True, "in the serving processes; off where `showdown work` does it")
    lock_seconds: float = default(30.0, "a worker that is silent so long has lost its job", gt=0.1)
    stop_seconds: float = default(5.0, "for running jobs at the end; then handed back", ge=0)
    stalls: int = default(10, "workers that die with a job before it is given up", ge=1)
    keep_seconds: int = default(86_400, "how long a result can be read", ge=1)
    keep_count: int = default(100_000, "results of one queue, so that they fit in memory", ge=1)
    dead_seconds: int = default(30 * 86_400, "dead letters, but those of `money`", ge=60)
    dead_count: int = default(10_000, "dead letters of one queue, but those of `money`", ge=1)
    relay_seconds: float = default(1.0, "how often orders of money are looked after", gt=0)
    recheck_seconds: float = default(60.0, "an order of money is looked for in its queue", gt=0)
    look_seconds: float = default(0.5, "how often the schedules are looked at", gt=0)
    missed_seconds: float = default(30.0, "a run that is so late was missed", gt=0)
    reports_dir: Path | None = default(None, "of reports; none: reports in SHOWDOWN_DATA_DIR")
    report_days: int = default(400, "of reports: a year, and time to close its books", ge=1)
