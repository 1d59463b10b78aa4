"""Scenarios of ours alone: duels, and reading one's account with either MongoDB driver."""

from __future__ import annotations

import itertools
import json
import socket
from typing import Any

from bench import processes
from bench.base import MICRO, OURS, Bench, Measure, Numbers, Scenario, check
from bench.client import BenchFailed, Client, Load, now
from bench.processes import Meter
from loadtest.frames import event

TABLES = 10  # duels at a time
READERS = 8  # HTTP connections
HEAD_END = b"\r\n\r\n"

_keys = itertools.count()


class Table:
    """Two players who fight duel after duel, as fast as they are answered."""

    def __init__(self, load: Load, players: list[Client]) -> None:
        self._load = load
        self._first, self._second = players
        self._first.on_ack = self._second.on_ack = self._answered
        self._plays = 0
        self.rounds = 0
        self.running = True

    def challenge(self) -> None:
        """Begin a duel."""
        key = f"bench-{next(_keys)}"
        self._ask(self._first, "duel:challenge", opponent_id=self._second.player, key=key)

    def _ask(self, client: Client, name: str, **fields: Any) -> None:
        self._load.send(client, event(name, **fields))

    def _answered(self, client: Client, packet: bytes) -> None:
        answer = json.loads(packet[packet.index(b"[") :])[0]
        if not answer["ok"]:
            return
        duel = answer["data"]["duel"]
        if duel["status"] == "challenged":
            self._ask(self._second, "duel:accept", duel_id=duel["id"])
        elif duel["status"] == "finished":
            self.rounds += 1
            if self.running:
                self.challenge()
        else:
            self._next(client, duel)

    def _next(self, client: Client, duel: dict[str, Any]) -> None:
        """The first plays when a round begins, the second when the first has."""
        if client is self._second:
            self.rounds += duel["round"] > 1
        player = self._first if client is self._second else self._second
        fields = {"duel_id": duel["id"], "round": duel["round"], "hold": [0, 1]}
        self._ask(player, "duel:play", **fields)


def duels(bench: Bench, side: str) -> Measure:
    """Whole duels of two players, round by round."""
    served = bench.served(side)
    load = bench.load(served, bench.stack)
    players = load.connect(bench.tokens(2 * TABLES))
    load.until(lambda: all(player.player for player in players), "session:ready")

    def measure() -> Numbers:
        pairs = zip(players[::2], players[1::2], strict=True)
        tables = [Table(load, list(pair)) for pair in pairs]
        meter = Meter(served)
        for table in tables:
            table.challenge()
        load.settle(bench.scale.seconds)
        usage = meter.usage()
        rounds = sum(table.rounds for table in tables)
        for table in tables:
            table.running = False
        load.settle(0.5)
        check(load)
        return {
            "rounds_per_cpu_s": rounds / usage.server,
            "us": usage.server / rounds * MICRO,
            "store_us": usage.stores / rounds * MICRO,
        }

    return measure


def me(bench: Bench, side: str) -> Measure:
    """GET /me over connections that stay open."""
    settings = {"MONGO__DRIVER": side}
    bench.kinds[side] = lambda: processes.start_showdown(bench.stores, **settings)
    tokens = bench.tokens(READERS)
    served = bench.served(side)
    lines = [bench.stack.enter_context(_line(served.port)) for _ in tokens]
    requests = [_request(token) for token in tokens]

    def measure() -> Numbers:
        meter, end, count = Meter(served), now() + bench.scale.seconds, 0
        while now() < end:
            for line, request in zip(lines, requests, strict=True):
                line.sendall(request)
            for line in lines:
                _read_answer(line)
            count += len(lines)
        usage = meter.usage()
        return {"us": usage.server / count * MICRO, "per_s": count / usage.wall}

    return measure


def _line(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


def _request(token: str) -> bytes:
    head = "GET /api/v1/me HTTP/1.1\r\nHost: bench\r\n"
    return f"{head}Authorization: Bearer {token}\r\n\r\n".encode()


def _read_answer(line: socket.socket) -> None:
    """Read one answer, of which the length is told."""
    data = line.recv(65_536)
    while HEAD_END not in data:
        data += line.recv(65_536)
    head, _, body = data.partition(HEAD_END)
    if not head.startswith(b"HTTP/1.1 200"):
        raise BenchFailed(head.decode())
    length = int(head.lower().split(b"content-length:")[1].split()[0])
    while len(body) < length:
        body += line.recv(65_536)


SCENARIOS = (
    Scenario(
        "duels",
        "rounds of duels",
        (OURS,),
        {
            "rounds_per_cpu_s": "rounds/CPU s",
            "us": "µs/round",
            "store_us": "µs/round, stores",
        },
        duels,
    ),
    Scenario(
        "me",
        "GET /me, with motor and with pymongo",
        ("motor", "pymongo"),
        {"us": "µs/request", "per_s": "requests/s"},
        me,
    ),
)
