"""Scenarios of connections: how they come, what an idle one takes, those that do not read."""

from __future__ import annotations

from contextlib import ExitStack

from bench import processes
from bench.base import (
    KILO,
    MEGA,
    MICRO,
    NODE,
    OURS,
    STOCK,
    WORKING,
    Bench,
    Measure,
    Numbers,
    Scenario,
    open_loop,
    seat,
)
from bench.client import Group, Load
from bench.processes import Meter

WARM_UP = 100  # connections before memory is measured: pools and tables have grown then
MEMBERS, STOPPED = 20, 5  # of a room: who reads, who does not
SLOW_TEXT, SLOW_RATE = "x" * 4_900, 500  # a second
AFTERWARDS = 1.0  # seconds


def storm(bench: Bench, side: str) -> Measure:
    """Many connections at once: WebSocket, CONNECT, and whatever the server does then."""
    served = bench.served(side)
    tokens = bench.tokens(bench.scale.storm)

    def measure() -> Numbers:
        served.be_quiet()
        with ExitStack() as stack:
            load = bench.load(served, stack)
            meter = Meter(served)
            load.connect(tokens)
            usage = meter.usage()
        served.be_quiet()
        return {
            "us": usage.server / len(tokens) * MICRO,
            "store_us": usage.stores / len(tokens) * MICRO,
            "per_s": len(tokens) / usage.wall,
        }

    return measure


def idle(bench: Bench, side: str) -> Measure:
    """What a connection takes that does nothing."""
    tokens = bench.tokens(bench.scale.idle)

    def measure() -> Numbers:
        with ExitStack() as stack:
            served = bench.fresh(bench.kinds[side], stack)
            load = bench.load(served, stack)
            load.connect(tokens[:WARM_UP])
            load.settle(0.5)
            before = served.resident
            load.connect(tokens)
            load.settle(1.0)
            return {"kb": (served.resident - before) / len(tokens) / KILO}

    return measure


def slow(bench: Bench, side: str) -> Measure:
    """A room in which some stop reading while much is said."""

    def measure() -> Numbers:
        with ExitStack() as stack:
            served = bench.fresh(bench.kinds[side], stack)
            load = bench.load(served, stack)
            processes.sync(bench.stores, "everysec")  # the disk is not what is asked for
            stack.callback(processes.sync, bench.stores, "always")
            (group,) = seat(load, bench.tokens(MEMBERS + STOPPED), 1)
            talk(load, group, bench.scale.slow_mb / 5)  # whatever that alone takes
            # As long as what it is compared with, or nearly: the worst hundredth is few moments.
            alone = talk(load, group, bench.scale.slow_mb / 2)
            stopped = group.members[MEMBERS:]
            del group.members[MEMBERS:]
            group.reach = MEMBERS
            for client in stopped:
                load.stop_reading(client)
            group.sent = group.delivered = 0
            before = served.resident
            served.forget_peak()
            among = talk(load, group, bench.scale.slow_mb)
            load.settle(AFTERWARDS)
            return {
                "grown_mb": (served.peak - before) / MEGA,
                "kept_mb": (served.resident - before) / MEGA,
                "p99": among / alone,
            }

    return measure


def talk(load: Load, group: Group, megabytes: float) -> float:
    """Say so much in a room; the p99 of its deliveries, in milliseconds."""
    group.measure(MEMBERS)
    seconds = megabytes * MEGA / len(SLOW_TEXT) / SLOW_RATE
    return open_loop(load, group, seconds, SLOW_RATE, "chat:send", text=SLOW_TEXT)["p99"]


SCENARIOS = (
    Scenario(
        "connect",
        "connect: ours with token, seat and session, the others without anything",
        (OURS, NODE, STOCK),
        {"us": "µs/connection", "per_s": "connections/s"},
        storm,
    ),
    Scenario(
        "connect-work",
        "connect: ours, and Node with a token and one write to Redis",
        (OURS, WORKING),
        {"us": "µs/connection", "store_us": "µs/connection, stores"},
        storm,
    ),
    Scenario("idle", "an idle connection", (OURS, NODE, STOCK), {"kb": "KB"}, idle, fresh=True),
    Scenario(
        "slow",
        f"{STOPPED} of {MEMBERS + STOPPED} members stop reading",
        (OURS, NODE, STOCK),
        {
            "grown_mb": "MB grown",
            "kept_mb": "MB kept",
            "p99": "p99 of the others, through that before",
        },
        slow,
        fresh=True,
    ),
)
