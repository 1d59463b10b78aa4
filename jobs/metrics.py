"""What is counted and timed of jobs, for /metrics."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Jobs take longer than requests: up to an hour in the queue, up to minutes at work.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class JobMetrics:
    """The instruments of one process; what all processes see alike, the worst of them shows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        made: dict[str, Any] = {"registry": registry}
        worst: dict[str, Any] = {**made, "multiprocess_mode": "livemax"}
        self.enqueued = Counter("showdown_job_orders_total", "Orders.", ["task"], **made)
        self.ended = Counter(
            "showdown_job_attempts_total",
            "Attempts by outcome: completed, retried, dead, cancelled, handed_back, lost.",
            ["task", "outcome"],
            **made,
        )
        self.waited = Histogram(
            "showdown_job_wait_seconds",
            "From when a job could start until it did.",
            ["task"],
            buckets=SECONDS,
            **made,
        )
        self.ran = Histogram(
            "showdown_job_run_seconds", "Of one attempt.", ["task"], buckets=SECONDS, **made
        )
        self.depth = Gauge(
            "showdown_queue_jobs", "Jobs in a queue by state.", ["queue", "state"], **worst
        )
        self.oldest = Gauge(
            "showdown_queue_oldest_seconds", "How long the oldest has waited.", ["queue"], **worst
        )
        self.dead = Gauge("showdown_dead_letters", "Failed for good.", ["queue"], **worst)
        self.lag = Gauge(
            "showdown_schedule_lag_seconds", "How late the latest schedule is.", **worst
        )
        self.workers = Gauge(
            "showdown_job_workers",
            "Queues that this process works on.",
            **made,
            multiprocess_mode="livesum",
        )
