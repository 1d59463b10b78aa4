"""Scenarios of clients that come back: one by one, and all at once after a crash."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack

from bench.base import KILO, MICRO, OURS, Bench, Measure, Numbers, Scenario, quantile, room_name
from bench.client import BenchFailed, Client, Load
from bench.processes import Meter

MISSED = 100  # events that a client finds when it is back
ONE_BY_ONE = 20  # clients of which each comes back alone
MISSED_AFTER_CRASH = 10
MESSAGE = b'42["chat:message"'


class Member:
    """A client that may come back as who it was."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.client = self._watched(Client(token))

    @staticmethod
    def _watched(client: Client) -> Client:
        client.inbox = []
        return client

    @property
    def messages(self) -> list[list[str]]:
        """The chat messages that it was sent, with their offsets."""
        inbox = self.client.inbox or []
        return [json.loads(packet[2:]) for packet in inbox if packet.startswith(MESSAGE)]

    def again(self) -> Client:
        """A connection that takes the session up."""
        session = {"pid": self.client.welcome["pid"], "offset": self.messages[-1][-1]}
        self.former = self.client.welcome["sid"]
        self.client = self._watched(Client(self.token, session))
        return self.client

    def check(self, missed: int) -> None:
        """It is who it was, and has all that it missed, once."""
        ids = [message[1]["id"] for message in self.messages]  # type: ignore[index]
        whole = len(ids) == len(set(ids)) == missed and ids == sorted(ids)
        if self.client.welcome["sid"] != self.former or not whole:
            raise BenchFailed(f"not recovered: {len(ids)} messages")


def gather(load: Load, tokens: Sequence[str], room: str) -> list[Member]:
    """Members of a room, who have seen one message in it."""
    members = [Member(token) for token in tokens]
    clients = [member.client for member in members]
    load.connect_all(clients)
    load.ask_all(clients, "chat:join", room=room)
    load.ask_all(clients[:1], "chat:send", room=room, text="before")
    load.until(lambda: all(member.messages for member in members), "the first message")
    return members


def speak(load: Load, speaker: Client, room: str, count: int) -> None:
    """Say something in a room."""
    for _ in range(count):
        load.ask_all([speaker], "chat:send", room=room, text="meanwhile")


def missed(bench: Bench, side: str) -> Measure:
    """Clients that missed much come back, one after the other."""
    served = bench.served(side)

    def measure() -> Numbers:
        with ExitStack() as stack:
            load = bench.load(served, stack)
            room = room_name()
            (speaker,) = load.connect(bench.tokens(1))
            load.ask_all([speaker], "chat:join", room=room)
            members = gather(load, bench.tokens(ONE_BY_ONE), room)
            for member in members:
                load.drop(member.client)
            served.be_quiet()
            speak(load, speaker, room, MISSED)
            served.be_quiet()
            meter, taken = Meter(served), []
            for member in members:
                client = member.again()
                load.connect_all([client])
                load.until(lambda client=client: client.ready > 0, "back")  # type: ignore[misc]
                taken.append(client.ready - client.opened)
            usage = meter.usage()
            load.settle(0.1)
            for member in members:
                member.check(MISSED)
            return {
                "ms": quantile(taken, 0.5),
                "cpu_ms": usage.server / ONE_BY_ONE * KILO,
                "store_us": usage.stores / ONE_BY_ONE * MICRO,
            }

    return measure


def comeback(bench: Bench, side: str) -> Measure:
    """A node is killed, and its clients come back to another one, all at once."""
    other = bench.served(side)

    def measure() -> Numbers:
        with ExitStack() as stack:
            victim = bench.fresh(bench.kinds[side], stack)
            before, after = bench.load(victim, stack), bench.load(other, stack)
            room = room_name()
            members = gather(before, bench.tokens(bench.scale.back), room)
            (speaker,) = after.connect(bench.tokens(1))
            after.ask_all([speaker], "chat:join", room=room)
            victim.process.kill()
            speak(after, speaker, room, MISSED_AFTER_CRASH)
            meter = Meter(other)
            clients = [member.again() for member in members]
            after.connect_all(clients)
            after.until(lambda: all(client.ready for client in clients), "back")
            usage = meter.usage()
            for member in members:
                member.check(MISSED_AFTER_CRASH)
            return {
                "slowest_s": max(client.ready for client in clients)
                - min(client.opened for client in clients),
                "cpu_ms": usage.server / len(clients) * KILO,
            }

    return measure


SCENARIOS = (
    Scenario(
        "missed",
        f"one client comes back to {MISSED} missed events",
        (OURS,),
        {
            "ms": "ms, median, client's clock",
            "cpu_ms": "ms of CPU",
            "store_us": "µs, stores",
        },
        missed,
    ),
    Scenario(
        "comeback",
        "clients of a killed node come back at once",
        (OURS,),
        {"slowest_s": "s until the last is back", "cpu_ms": "ms of CPU/client"},
        comeback,
        fresh=True,
    ),
)
