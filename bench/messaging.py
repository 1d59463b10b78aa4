"""Scenarios of messages: acknowledgements, broadcasts, chat, and how long they take."""

from __future__ import annotations

import random
from contextlib import ExitStack

from bench import processes
from bench.base import (
    MICRO,
    NODE,
    OURS,
    STOCK,
    WORKING,
    Bench,
    Measure,
    Numbers,
    Scenario,
    check,
    closed_loop,
    open_loop,
    seat,
)
from bench.client import Client
from bench.processes import Meter, Served
from loadtest.frames import event

ASKING, DEPTH = 50, 4  # clients, and questions that each has open
ROOMS_OF = {10: 20, 100: 3, 1_000: 1, 10_000: 1}  # how many rooms of which size
HUGE = 10_000  # takes a minute to fill, on each side
TAIL_SIZE, TAIL_RATE, TAIL_SECONDS = 200, 50, 3  # times the seconds of other measurements
SPEAKERS = 10  # in each room, on the other node
CHANGING, WATCHING = 50, 200  # whose presence changes, and who is told
TEXT = "x" * 60  # a chat message
PUBLISHING = {"kept": "bench:kept", "volatile": "bench:volatile"}


def ack(bench: Bench, side: str) -> Measure:
    """Questions and their answers."""
    served = bench.served(side)
    load = bench.load(served, bench.stack)
    clients = load.connect(bench.tokens(ASKING))
    question = event("presence:query", player_ids=[])
    running = False

    def again(client: Client, _: bytes) -> None:
        if running:
            load.send(client, question)

    def measure() -> Numbers:
        nonlocal running
        running, begun, meter = True, load.acks, Meter(served)
        for client in clients:
            client.on_ack = again
            load.send(client, question * DEPTH)
        load.settle(bench.scale.seconds)
        running = False
        usage = meter.usage()
        load.settle(0.1)
        check(load)
        return {"us": usage.server / (load.acks - begun) * MICRO}

    return measure


def typing(size: int) -> Scenario:
    """Volatile broadcasts to rooms of a size."""

    def seated(bench: Bench, served: Served, stack: ExitStack) -> Measure:
        load, rooms = bench.load(served, stack), ROOMS_OF[size]
        groups = seat(load, bench.tokens(size * rooms), rooms, to_others=True)
        return lambda: closed_loop(load, served, groups, bench.scale.seconds, "chat:typing")

    def alone(bench: Bench, served: Served) -> dict[str, float]:
        with ExitStack() as stack:
            measure = seated(bench, served, stack)
            measure()  # Node compiles what is hot meanwhile
            return measure()

    def prepare(bench: Bench, side: str) -> Measure:
        served = bench.served(side)
        if size < HUGE:
            return seated(bench, served, bench.stack)
        # All sides' sockets at once may be more than a process may have open.
        return lambda: alone(bench, served)

    return Scenario(
        name=f"room-{size}",
        title=f"volatile broadcast, rooms of {size:,}",
        sides=(OURS, NODE, STOCK),
        metrics={"us_per_delivery": "µs/delivery", "us_per_message": "µs/event"},
        prepare=prepare,
        huge=size >= HUGE,
        fresh=size >= HUGE,
    )


def tail(bench: Bench, side: str) -> Measure:
    """How long deliveries take at a moderate rate."""
    served = bench.served(side)
    load = bench.load(served, bench.stack)
    (group,) = seat(load, bench.tokens(TAIL_SIZE + 1), 1, to_others=True)
    seconds = bench.scale.seconds * TAIL_SECONDS

    def measure() -> Numbers:
        group.measure()
        return open_loop(load, group, seconds, TAIL_RATE, "chat:typing")

    return measure


def chat(size: int) -> Scenario:
    """Messages with all that is done for them."""

    def prepare(bench: Bench, side: str) -> Measure:
        served = bench.served(side)
        load = bench.load(served, bench.stack)
        rooms = ROOMS_OF[size]
        groups = seat(load, bench.tokens(size * rooms), rooms)
        seconds = bench.scale.seconds
        return lambda: closed_loop(load, served, groups, seconds, "chat:send", text=TEXT)

    return Scenario(
        name=f"chat-{size}",
        title=f"chat:send with limits, history, recovery; rooms of {size}",
        sides=(OURS, WORKING),
        metrics={"us_per_message": "µs/message", "store_us_per_message": "µs/message, stores"},
        prepare=prepare,
    )


def across(bench: Bench, side: str) -> Measure:
    """Messages of a few to rooms whose members are all on another node, which is measured."""
    here, there = bench.served(side), bench.fresh(bench.kinds[side], bench.stack)
    load = bench.load(there, bench.stack)
    tokens = bench.tokens(3 * (100 + SPEAKERS))
    groups = seat(load, tokens[3 * SPEAKERS :], 3)
    load.port = here.port
    for number, group in enumerate(groups):
        group.senders = load.connect(tokens[number * SPEAKERS : (number + 1) * SPEAKERS])
        load.ask_all(group.senders, "chat:join", room=group.name)
    load.settle(0.2)
    return lambda: closed_loop(load, there, groups, bench.scale.seconds, "chat:send", text=TEXT)


def watching(bench: Bench, side: str) -> Measure:
    """Players who change how they show themselves, and many who watch all of them."""
    served = bench.served(side)
    load = bench.load(served, bench.stack)
    changing = load.connect(bench.tokens(CHANGING))
    watching = load.connect(bench.tokens(WATCHING))
    load.until(lambda: all(one.player for one in changing), "session:ready")
    load.ask_all(watching, "presence:watch", player_ids=[one.player for one in changing])
    statuses = [event("presence:set", status=status) for status in ("away", "online")]
    running = False

    def again(client: Client, _: bytes) -> None:
        if running:
            load.send(client, random.choice(statuses))  # noqa: S311 - not a secret

    def measure() -> Numbers:
        nonlocal running
        running, begun, meter = True, load.acks, Meter(served)
        for client in changing:
            client.on_ack = again
            load.send(client, statuses[0])
        load.settle(bench.scale.seconds)
        running = False
        load.settle(1.0)  # what is told in batches
        usage, changes = meter.usage(), load.acks - begun
        check(load)
        return {"us": usage.server / changes * MICRO, "store_us": usage.stores / changes * MICRO}

    return measure


def publishing(bench: Bench, side: str) -> Measure:
    """The same event to a room of 100, with and without recovery."""
    name = "publishing"
    bench.kinds[name] = lambda: processes.start_showdown(bench.stores, module="bench.publishing")
    served = bench.served(name)
    load = bench.load(served, bench.stack)
    groups = seat(load, bench.tokens(300), 3)
    seconds = bench.scale.seconds
    return lambda: closed_loop(load, served, groups, seconds, PUBLISHING[side])


def fsync(bench: Bench, side: str) -> Measure:
    """chat:send, with the append-only file synced at each write and once a second."""
    served = bench.served(OURS)
    load = bench.load(served, bench.stack)
    groups = seat(load, bench.tokens(30), 3)

    def measure() -> Numbers:
        processes.sync(bench.stores, side)
        load.settle(0.3)
        try:
            return closed_loop(load, served, groups, bench.scale.seconds, "chat:send", text=TEXT)
        finally:
            processes.sync(bench.stores, "always")

    return measure


SCENARIOS = (
    Scenario("ack", "round trip with ack", (OURS, NODE, STOCK), {"us": "µs/round trip"}, ack),
    *map(typing, ROOMS_OF),
    Scenario(
        "watch",
        f"{CHANGING} players change their status, {WATCHING} watch all of them",
        (OURS,),
        {"us": "µs/change", "store_us": "µs/change, stores"},
        watching,
    ),
    Scenario(
        "tail",
        f"{TAIL_RATE} broadcasts/s to {TAIL_SIZE} members",
        (OURS, NODE, WORKING, STOCK),
        {"p50": "ms, p50", "p99": "ms, p99"},
        tail,
    ),
    chat(10),
    chat(100),
    Scenario(
        "across",
        "a delivery of chat:send in rooms of 100, of a message from another node",
        (OURS, WORKING),
        {"us_per_delivery": "µs/delivery"},
        across,
    ),
    Scenario(
        "publish",
        "an event to a room of 100, recoverable and volatile",
        ("kept", "volatile"),
        {"us_per_message": "µs/event", "store_us_per_message": "µs/event, stores"},
        publishing,
    ),
    Scenario(
        "fsync",
        "chat:send, appendfsync always and everysec; 3 rooms of 10",
        ("always", "everysec"),
        {
            "messages_per_s": "messages/s",
            "us_per_message": "µs/message",
            "store_us_per_message": "µs/message, stores",
        },
        fsync,
    ),
)
