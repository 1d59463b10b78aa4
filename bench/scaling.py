"""Scenarios of growth: what a delivery costs over more nodes, and among more connections."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from bench.base import OURS, Bench, Measure, Numbers, Scenario, closed_loop, room_name, seat
from bench.client import Client, Group, Load
from bench.processes import Served

ROOMS, MEMBERS = 4, 100  # among the idle
NODES = {"4 nodes": 4, "2 nodes": 2, "1 node": 1}
CROWDS = {"19,000 idle": 19_000, "10,000 idle": 10_000, "1,000 idle": 1_000, "100 idle": 100}
AT_ONCE = 500  # who leave
METRICS = {"us_per_delivery": "µs/delivery", "store_us_per_delivery": "µs/delivery, stores"}


def per_delivery(numbers: Numbers) -> Numbers:
    """What one delivery costs, of its share of a message too."""
    deliveries = numbers["us_per_message"] / numbers["us_per_delivery"]
    stores = numbers["store_us_per_message"] / deliveries
    return {**numbers, "store_us_per_delivery": stores}


def nodes(size: int, rooms: int) -> Scenario:
    """Rooms whose members are spread over some nodes; the CPU is that of all of them."""

    def prepare(bench: Bench, side: str) -> Measure:
        servers = [bench.fresh(bench.kinds[OURS], bench.stack) for _ in range(NODES[side])]
        first, *others = servers
        first.others = [other.process.pid for other in others]
        load = bench.load(first, bench.stack)
        groups = [spread(load, servers, bench.tokens(size)) for _ in range(rooms)]
        seconds = bench.scale.seconds
        return lambda: per_delivery(closed_loop(load, first, groups, seconds, "chat:typing"))

    return Scenario(
        name=f"nodes-{size}",
        title=f"volatile broadcast, rooms of {size:,} over some nodes",
        sides=(*NODES,),
        metrics=METRICS,
        prepare=prepare,
    )


def spread(load: Load, servers: Sequence[Served], tokens: Sequence[str]) -> Group:
    """A room with as many members on each server."""
    members: list[Client] = []
    for number, server in enumerate(servers):
        load.port = server.port
        members += load.connect(tokens[number :: len(servers)])
    group = Group(room_name(), members, len(members) - 1)
    load.ask_all(members, "chat:join", room=group.name)
    return group


def crowd(bench: Bench, side: str) -> Measure:
    """Rooms on a node on which many others are connected, pinged and silent."""
    served = bench.served(OURS)
    talking, silent = bench.tokens(ROOMS * MEMBERS), bench.tokens(CROWDS[side])

    def measure() -> Numbers:
        with ExitStack() as stack:
            load: Load = bench.load(served, stack)
            idle = load.connect(silent)
            groups = seat(load, talking, ROOMS, to_others=True)
            served.be_quiet()
            load.settle(1.0)
            numbers = closed_loop(load, served, groups, bench.scale.seconds, "chat:typing")
            leave(load, idle)
        served.be_quiet()
        return per_delivery(numbers)

    return measure


def leave(load: Load, clients: Sequence[Client]) -> None:
    """Go, a few hundred at a time: what all of them leave behind at once fills Redis' line."""
    for start in range(0, len(clients), AT_ONCE):
        for client in clients[start : start + AT_ONCE]:
            load.drop(client)
        load.settle(0.2)


SCENARIOS = (
    nodes(100, rooms=4),
    nodes(1_000, rooms=1),
    Scenario(
        "crowd",
        "volatile broadcast, rooms of 100 among idle connections",
        (*CROWDS,),
        METRICS,
        crowd,
        fresh=True,
        huge=True,
    ),
)
