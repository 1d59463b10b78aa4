"""What is counted, timed and shown at /metrics (Prometheus text format)."""

from __future__ import annotations

import os
from bisect import bisect_left
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from jobs.metrics import JobMetrics

# From 0.5 ms, a fast handler, to the handler's time-out.
WAIT_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"


class Tally:
    """Counts of one thing since the last flush."""

    __slots__ = ("buckets", "outcomes", "seconds")

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.buckets = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0

    def add(self, outcome: str, seconds: float) -> None:
        """One more, with its outcome and its time."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.buckets[bisect_left(SECONDS, seconds)] += 1
        self.seconds += seconds

    def flush_into(self, histogram: Histogram) -> None:
        """Add the times to a histogram's child, and begin anew.

        `_buckets` and `_sum` are prometheus-client's own (0.26, tests/unit/test_seams.py):
        its `observe` takes one time, and costs more than most handlers' bookkeeping.
        """
        for bucket, count in zip(histogram._buckets, self.buckets, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)
        histogram._sum.inc(self.seconds)  # noqa: SLF001
        self.__init__()  # type: ignore[misc]


class Metrics:
    """All instruments of one process; with several workers the scrape adds them up.

    What happens thousands of times a second is tallied in plain integers and flushed into
    the instruments once a second, and before a scrape.
    """

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str], Tally] = {}
        self._calls: dict[tuple[str, str], Tally] = {}
        self._delivered = 0
        self.connected = 0  # sockets that are signed in, now
        self.registry = CollectorRegistry()
        made: dict[str, Any] = {"registry": self.registry}
        live: dict[str, Any] = {**made, "multiprocess_mode": "livesum"}
        worst: dict[str, Any] = {**made, "multiprocess_mode": "livemax"}
        weakest: dict[str, Any] = {**made, "multiprocess_mode": "livemin"}
        self.connections = Gauge("showdown_connections", "Signed-in sockets.", **live)
        self.handshakes = Gauge("showdown_handshakes", "Sockets not signed in yet.", **live)
        self.requests = Counter(
            "showdown_requests_total",
            "Events, routes, hooks and background runs by outcome: ok or an error code.",
            ["kind", "name", "outcome"],
            **made,
        )
        self.seconds = Histogram(
            "showdown_request_seconds",
            "Time in a handler.",
            ["kind", "name"],
            buckets=SECONDS,
            **made,
        )
        self.refusals = Counter(
            "showdown_refusals_total", "Refused before a handler ran, by code.", ["code"], **made
        )
        self.disconnects = Counter(
            "showdown_disconnects_total", "Connections that the server ended.", ["code"], **made
        )
        self.deliveries = Counter("showdown_deliveries_total", "Events put on a socket.", **made)
        self.skipped = Counter(
            "showdown_skipped_total", "Volatile events that slow clients were spared.", **made
        )
        self.publish_failures = Counter(
            "showdown_publish_failures_total", "Events that could not be published at once.", **made
        )
        self.caught_up = Counter(
            "showdown_caught_up_total", "Events read from the log after a gap.", **made
        )
        self.recoveries = Counter(
            "showdown_recoveries_total",
            "Sessions that clients asked for again.",
            ["outcome"],
            **made,
        )
        self.send_buffer = Gauge("showdown_send_buffer_bytes", "Waiting for clients.", **live)
        self.store_seconds = Histogram(
            "showdown_store_seconds",
            "Time of a call to a store.",
            ["store", "operation"],
            buckets=SECONDS,
            **made,
        )
        self.pool_in_use = Gauge(
            "showdown_pool_in_use", "Busy connections, or commands under way.", ["store"], **live
        )
        self.ready = Gauge(
            "showdown_check_ok", "1 when a readiness check passes.", ["check"], **weakest
        )
        self.tasks = Gauge("showdown_tasks", "Tasks of the event loop.", **live)
        self.loop_lag = Gauge("showdown_loop_lag_seconds", "How late the loop is.", **worst)
        self.restarts = Counter(
            "showdown_task_restarts_total", "Background tasks that failed.", ["task"], **made
        )
        self.duels = Gauge("showdown_duels", "Open duels by state.", ["state"], **worst)
        self.audit_findings = Gauge(
            "showdown_audit_findings", "What the last audit of the books found.", **worst
        )
        self.outgoing = Counter(
            "showdown_outgoing_total",
            "Webhooks, e-mails and push messages that were sent, by outcome: 2xx, 4xx, …, none.",
            ["kind", "outcome"],
            **made,
        )
        self.webhooks_disabled = Counter(
            "showdown_webhooks_disabled_total", "Endpoints that were given up.", **made
        )
        self.jobs = JobMetrics(self.registry)
        self.open_reports = Gauge(
            "showdown_open_reports", "Reports that no moderator has resolved.", **worst
        )
        self.match_waiting = Gauge(
            "showdown_match_waiting", "Players who wait for an opponent, on all nodes.", **worst
        )
        self.match_wait = Histogram(
            "showdown_match_wait_seconds",
            "How long players waited for the opponent that this process found.",
            buckets=WAIT_SECONDS,
            **made,
        )
        self.archived = Counter("showdown_chat_archived_total", "Messages archived.", **made)

    def tally(self, kind: str, name: str) -> Tally:
        """The counts of an event, route, hook or background run."""
        tally = self._requests.get((kind, name))
        if tally is None:
            tally = self._requests[kind, name] = Tally()
        return tally

    def count_deliveries(self, number: int) -> None:
        """One event was put on so many sockets."""
        self._delivered += number

    def observe_store(self, store: str, operation: str, seconds: float) -> None:
        """One answered call to a store (state.breaker.Observer)."""
        tally = self._calls.get((store, operation))
        if tally is None:
            tally = self._calls[store, operation] = Tally()
        tally.add("ok", seconds)

    def flush(self) -> None:
        """Move the tallies into the instruments."""
        for (kind, name), tally in self._requests.items():
            for outcome, count in tally.outcomes.items():
                self.requests.labels(kind, name, outcome).inc(count)
            tally.flush_into(self.seconds.labels(kind, name))
        for (store, operation), tally in self._calls.items():
            tally.flush_into(self.store_seconds.labels(store, operation))
        self.connections.set(self.connected)
        self.deliveries.inc(self._delivered)
        self._delivered = 0

    def scrape(self) -> bytes:
        """Everything in Prometheus' text format."""
        self.flush()
        if os.environ.get(MULTIPROCESS):
            together = CollectorRegistry()
            MultiProcessCollector(together)  # type: ignore[no-untyped-call]
            return generate_latest(together)
        return generate_latest(self.registry)
