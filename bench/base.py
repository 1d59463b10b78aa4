"""What scenarios are made of: servers that are started when they are wanted, guests, loops."""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import processes
from bench.client import BenchFailed, Client, Group, Load, now
from bench.processes import Meter, Served
from loadtest.frames import event

MICRO = 1e6
KILO = 1e3
MEGA = 1e6

Numbers = dict[str, float]
Measure = Callable[[], Numbers]

OURS, NODE, WORKING, STOCK = "Showdown", "Node", "Node + work", "python-socketio"


@dataclass(frozen=True)
class Scale:
    """How much of everything; `quick` is for a look, not for the record."""

    rounds: int
    seconds: float  # of one measurement
    guests: int
    idle: int  # connections whose memory is measured
    storm: int  # connections that come at once
    slow_mb: float
    back: int  # clients that come back at once


QUICK = Scale(rounds=1, seconds=0.4, guests=40, idle=300, storm=150, slow_mb=12, back=100)
FULL = Scale(rounds=7, seconds=2.0, guests=200, idle=2_000, storm=500, slow_mb=50, back=1_000)


@dataclass(frozen=True)
class Scenario:
    """One comparison.

    `prepare` gets the name of a side and returns what measures it once. `metrics` says what
    is shown of the numbers, with their units. Ratios are those of the first side to the
    others. One that connects anew in each round is `fresh`: it warms up by itself, if it needs
    that, and is slow: few rounds do. A `huge` one is left out of a quick look.
    """

    name: str
    title: str
    sides: Sequence[str]
    metrics: dict[str, str]
    prepare: Callable[[Bench, str], Measure]
    fresh: bool = False
    huge: bool = False


@dataclass
class Bench:
    """The servers and guests of one run.

    `whole` is closed after the run, `stack` after each scenario.
    """

    scale: Scale
    whole: ExitStack
    stack: ExitStack = field(default_factory=ExitStack)
    started: dict[str, Served] = field(default_factory=dict)
    guests: list[dict[str, Any]] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)

    def __post_init__(self) -> None:
        folder = self.whole.enter_context(tempfile.TemporaryDirectory(prefix="showdown-bench-"))
        self.stores = processes.start_stores(Path(folder))
        self.whole.callback(self.stores.stop)
        self.kinds: dict[str, Callable[[], Served]] = {
            OURS: lambda: processes.start_showdown(self.stores),
            NODE: lambda: processes.start_node(self.stores),
            WORKING: lambda: processes.start_working_node(self.stores),
            STOCK: lambda: processes.start_stock(self.stores),
        }

    def served(self, side: str) -> Served:
        """The server of a side, which serves the whole run."""
        if side not in self.started:
            self.started[side] = self.fresh(self.kinds[side], self.whole)
        return self.started[side]

    def fresh(self, start: Callable[[], Served], stack: ExitStack) -> Served:
        """A server for the length of a block."""
        served = start()
        stack.callback(served.stop)
        return served

    def load(self, served: Served, stack: ExitStack) -> Load:
        """Clients for the length of a block."""
        load = Load(served.port)
        self.loads.append(load)
        stack.callback(self.loads.remove, load)
        stack.callback(load.close)
        return load

    def breathe(self) -> None:
        """Let those clients answer pings who wait while another side is measured."""
        for load in self.loads:
            load.pump(0)

    def tokens(self, count: int) -> list[str]:
        """Tokens of guests, for that many connections."""
        if not self.guests:
            self.guests = make_guests(self.served(OURS).port, self.scale.guests)
        tokens = (guest["access_token"] for guest in self.guests)
        return list(itertools.islice(itertools.cycle(tokens), count))


def make_guests(port: int, count: int) -> list[dict[str, Any]]:
    """Sign guests in, over REST."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Content-Type": "application/json"}
    guests = []
    for _ in range(count):
        connection.request("POST", "/api/v1/auth/guest", '{"name": "ann"}', headers)
        guests.append(json.loads(connection.getresponse().read()))
    connection.close()
    return guests


# Loops


def check(load: Load) -> None:
    """Nothing may be fast because it failed."""
    if load.errors or load.lost:
        raise BenchFailed(f"errors {load.errors}, lost {load.lost}: {load.first_error!r}")


_numbers = itertools.count()


def room_name() -> str:
    """A room that nobody was in before."""
    return f"room:bench-{next(_numbers):05d}"


def seat(load: Load, tokens: Sequence[str], rooms: int, *, to_others: bool = False) -> list[Group]:
    """Fill rooms with clients, all of the same size.

    `to_others` says that who sends something does not receive it.
    """
    size = len(tokens) // rooms
    groups = []
    for index in range(rooms):
        clients = load.connect(tokens[index * size : (index + 1) * size])
        group = Group(room_name(), clients, size - to_others)
        load.ask_all(clients, "chat:join", room=group.name)
        groups.append(group)
    load.settle(0.2)
    return groups


def drained(load: Load, groups: Sequence[Group]) -> None:
    """Wait until all is delivered."""
    load.until(lambda: all(lacking(group) <= 0 for group in groups), "deliveries")
    check(load)


def lacking(group: Group) -> int:
    """Deliveries that are under way."""
    return group.sent * group.reach - group.delivered


def say(load: Load, group: Group, name: str, **fields: Any) -> None:
    """One of the group sends something to its room; they take turns."""
    sender: Client = group.senders[group.sent % len(group.senders)]
    group.sent += 1
    if group.sent_at is not None:
        group.sent_at.append(time.time())
    load.send(sender, event(name, room=group.name, **fields))


def closed_loop(
    load: Load,
    served: Served,
    groups: Sequence[Group],
    seconds: float,
    name: str,
    **fields: Any,
) -> Numbers:
    """Keep four broadcasts in each room on their way, and say what one costs."""
    sent, delivered = (sum(getattr(g, what) for g in groups) for what in ("sent", "delivered"))
    meter = Meter(served)
    end = now() + seconds
    while now() < end:
        for group in groups:
            while lacking(group) <= 3 * group.reach:
                say(load, group, name, **fields)
        load.pump(0.005)
    drained(load, groups)
    usage = meter.usage()
    sent = sum(group.sent for group in groups) - sent
    delivered = sum(group.delivered for group in groups) - delivered
    return {
        "us_per_delivery": usage.server / delivered * MICRO,
        "us_per_message": usage.server / sent * MICRO,
        "store_us_per_message": usage.stores / sent * MICRO,
        "messages_per_s": sent / usage.wall,
    }


def open_loop(
    load: Load, group: Group, seconds: float, rate: float, name: str, **fields: Any
) -> Numbers:
    """Send at a fixed rate, whatever comes of it, and say how long deliveries take.

    That is from the sender's write to the arrival in the kernel of each receiver.
    """
    load.latencies.clear()
    due, end = now(), now() + seconds
    while due < end:
        while due <= now():
            say(load, group, name, **fields)
            due += 1 / rate
        load.pump(due - now())
    drained(load, [group])
    if load.unstamped:
        print("no time stamps of the kernel: arrival is when the generator reads", file=sys.stderr)
    return {"p50": quantile(load.latencies, 0.5), "p99": quantile(load.latencies, 0.99)}


def quantile(seconds: Sequence[float], part: float) -> float:
    """In milliseconds."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * KILO
