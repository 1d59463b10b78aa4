"""Scenarios of growth: what a delivery costs over more nodes, and among more connections."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from bench.base import OURS, Bench, Measure, Numbers, Scenario, closed_loop, room_name, seat
from bench.client import Client, Group, Load

ROOMS, MEMBERS = 4, 100
NODES = {"4 nodes": 4, "2 nodes": 2, "1 node": 1}
CROWDS = {"19,000 idle": 19_000, "10,000 idle": 10_000, "1,000 idle": 1_000, "100 idle": 100}
AT_ONCE = 500  # who leave
METRICS = {"us_per_delivery": "µs/delivery", "store_us_per_delivery": "µs/delivery, stores"}


def per_delivery(numbers: Numbers) -> Numbers:
    """What one delivery costs, of its share of a message too."""
    deliveries = numbers["us_per_message"] / numbers["us_per_delivery"]
    stores = numbers["store_us_per_message"] / deliveries
    return {**numbers, "store_us_per_delivery": stores}


def nodes(bench: Bench, side: str) -> Measure:
    """Rooms whose members are spread over some nodes; the CPU is that of all of them."""
    servers = [bench.fresh(bench.kinds[OURS], bench.stack) for _ in range(NODES[side])]
    load, tokens = bench.load(servers[0], bench.stack), bench.tokens(MEMBERS)
    groups = []
    for _ in range(ROOMS):
        members = []
        for number, server in enumerate(servers):
            load.port = server.port
            members += load.connect(tokens[number :: len(servers)])
        group = Group(room_name(), members, MEMBERS - 1)
        load.ask_all(members, "chat:join", room=group.name)
        groups.append(group)
    first, *others = servers
    first.others = [other.process.pid for other in others]
    seconds = bench.scale.seconds
    return lambda: per_delivery(closed_loop(load, first, groups, seconds, "chat:typing"))


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
    Scenario(
        "nodes", "volatile broadcast, rooms of 100 over some nodes", (*NODES,), METRICS, nodes
    ),
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
