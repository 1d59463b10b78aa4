"""One player: comes, speaks, fights, fails, goes and comes back; all as the scenario says."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from loadtest.accounts import Account
from loadtest.frames import PONG, event, frame
from loadtest.loop import Loop, Socket, Target, now
from loadtest.rooms import Hearing, Room
from loadtest.scenario import Scenario
from loadtest.stats import Sample

AGAIN_SECONDS = 1.0  # after a refusal or a broken connection, and twice that at the most
# Who challenges at random meets players who fight; and a duel goes on while one is cut off.
BUSY = frozenset({"already_in_duel", "conflict", "not_your_turn", "stale_version"})
MARK = "load "  # how a text of ours begins; the time that it was sent at follows

Answer = Callable[[dict[str, Any]], None]


@dataclass
class Field:
    """What all players of a process share."""

    loop: Loop
    target: Target
    scenario: Scenario
    dice: random.Random
    second: Sample  # what happens now is counted here
    acting: bool = True  # or only listening any more

    def later(self, per_minute: float, act: Callable[[], None]) -> None:
        """Do something at a random time, so many times a minute on average."""
        if per_minute:
            self.loop.after(self.dice.expovariate(per_minute / 60), act)


class Player:
    """A signed-in player with one connection, in one room."""

    __slots__ = (
        "_asked",
        "_away",
        "_began",
        "_field",
        "_last_event",
        "_listening",
        "_number",
        "_pid",
        "_socket",
        "account",
        "hearing",
        "ready",
        "rival",
    )

    def __init__(self, field: Field, account: Account, room: Room) -> None:
        self._field = field
        self.account = account
        self.hearing = Hearing(room, field.second.counts)
        self.rival: Player | None = None
        self.ready = False  # signed in and in its room
        self._away = False  # on purpose
        self._socket: Socket | None = None
        self._asked: dict[int, tuple[float, Answer]] = {}
        self._number = 0
        self._pid = ""  # of a session that may be taken up
        self._last_event = b""
        self._began = 0.0  # to connect
        self._listening = 0.0  # since when without a break

    # Coming and going

    def begin(self) -> None:
        """Come for the first time, and do from now on what there is to do."""
        self._field.second.players += 1
        self.come()
        chat, faults = self._field.scenario.chat, self._field.scenario.faults
        for per_minute, act in (
            (chat.per_minute, self._speak),
            (self._field.scenario.duels.per_minute, self._challenge),
            (self._field.scenario.churn.per_minute, self._leave),
            (faults.cuts_per_minute, self._fail),
            (faults.stalls_per_minute, self._stall),
        ):
            self._every(per_minute, act)

    def _every(self, per_minute: float, act: Callable[[], None]) -> None:
        def again() -> None:
            if self._field.acting:
                if self.ready:
                    act()
                self._field.later(per_minute, again)

        self._field.later(per_minute, again)

    def come(self) -> None:
        """Open a connection."""
        self._away = False
        self._began = now()
        self._socket = Socket(self._field.loop, self._field.target, self._hear, self._broke)

    def go(self) -> None:
        """Close it, for good."""
        self._gone()
        self._pid = ""
        self.hearing.left()
        if self._socket:
            self._socket.close()

    def _leave(self) -> None:
        self.go()
        self._come_after(self._field.scenario.churn.away_seconds)

    def _fail(self) -> None:
        """The network cuts the connection; the session is taken up again after a while."""
        self._field.second.counts["cuts"] += 1
        self._gone()
        if self._socket:
            self._socket.cut()
        self._come_after(self._field.scenario.faults.cut_seconds)

    def _stall(self) -> None:
        """The network brings nothing for a while."""
        self._field.second.counts["stalls"] += 1
        if socket := self._socket:
            socket.stop_reading()
            seconds = self._field.scenario.faults.stall_seconds
            self._listening = now() + seconds
            self._field.loop.after(seconds, socket.read_on)

    def _come_after(self, seconds: float) -> None:
        self._away = True
        self._field.loop.after(seconds, self.come)

    def _gone(self) -> None:
        self._field.second.connected -= self.ready
        self.ready = False
        self._asked.clear()

    def _broke(self, why: str) -> None:
        """The connection ended, and it was not us."""
        self._field.second.counts["broken"] += 1
        self._failed(f"connection: {why}")

    def _failed(self, why: str) -> None:
        self._field.second.errors[why] += 1
        self._gone()
        if not self._away:
            self._come_after(AGAIN_SECONDS * (1 + self._field.dice.random()))

    # What is heard

    def _hear(self, packet: bytes) -> None:
        """Take an Engine.IO packet by its first bytes (Socket.IO v5, "Packet encoding")."""
        if packet.startswith(b'42["chat:message"'):
            self._last_event = packet
            self._told(orjson.loads(packet[2:])[1])
        elif packet.startswith(b"43"):
            self._answered(packet)
        elif packet == b"2":
            self._send(PONG)
        elif packet.startswith(b"42"):
            self._happened(packet)
        elif packet.startswith(b"40"):
            self._connected(orjson.loads(packet[2:]))
        elif packet.startswith(b"0"):
            self._send(frame(b"40" + orjson.dumps(self._credentials())))
        elif packet.startswith(b"44"):
            self._refused(orjson.loads(packet[2:]))

    def _credentials(self) -> dict[str, str]:
        known = {"token": self.account.token}
        if self._pid:
            known["pid"] = self._pid
            if self._last_event:
                known["offset"] = orjson.loads(self._last_event[2:])[-1]
        return known

    def _connected(self, welcome: dict[str, str]) -> None:
        former, self._pid = self._pid, welcome["pid"]
        if former and former != self._pid:
            self._field.second.counts["not_recovered"] += 1
        elif former:
            self._field.second.counts["recovered"] += 1

    def _refused(self, error: dict[str, Any]) -> None:
        if self._socket:
            self._socket.cut()
        self._failed(f"connect: {error['message']}")

    def _happened(self, packet: bytes) -> None:
        name, *arguments = orjson.loads(packet[2:])
        if len(arguments) == 2:  # its place in the log
            self._last_event = packet
        if name == "session:ready":
            self._field.second.times["connect"].record((now() - self._began) * 1000)
            self._field.second.counts["connects"] += 1
            if arguments[0]["recovered"] and self.hearing.in_room:
                self._set_ready()
            else:
                self.hearing.asked_to_join()
                self._ask("chat:join", self._joined, room=self.hearing.room.name)
        elif name == "server:disconnect":
            self._field.second.errors[f"disconnect: {arguments[0]['code']}"] += 1
        elif name == "server:error":
            self._field.second.errors[f"event: {arguments[0]['code']}"] += 1

    def _joined(self, data: dict[str, Any]) -> None:
        self.hearing.joined(message["id"] for message in data["messages"])
        self._set_ready()

    def _set_ready(self) -> None:
        self._field.second.connected += not self.ready
        self.ready = True
        self._listening = now()

    def _told(self, message: dict[str, Any]) -> None:
        self._field.second.counts["deliveries"] += 1
        self.hearing.heard(message["id"])
        text = message["text"]
        if text.startswith(MARK):
            sent = int(text[len(MARK) :].split(maxsplit=1)[0]) / 1e6
            if sent >= self._listening:  # else it was late by our own doing
                self._field.second.times["delivery"].record((now() - sent) * 1000)

    # What is asked

    def _send(self, data: bytes) -> None:
        if self._socket:
            self._socket.send(data)

    def _ask(self, name: str, answer: Answer, **fields: Any) -> None:
        self._number += 1
        self._asked[self._number] = now(), answer
        self._field.second.counts[name] += 1
        self._send(event(name, self._number, **fields))

    def _answered(self, packet: bytes) -> None:
        start = packet.index(b"[")
        began, answer = self._asked.pop(int(packet[2:start]), (0.0, None))
        if answer is None:
            return
        (said,) = orjson.loads(packet[start:])
        self._field.second.times["ack"].record((now() - began) * 1000)
        if said["ok"]:
            self._field.second.counts["acks"] += 1
            answer(said["data"])
        elif (code := said["error"]["code"]) in BUSY:
            self._field.second.counts["busy"] += 1
        else:
            self._field.second.errors[f"ack: {code}"] += 1
            if not self.ready:  # it is not in its room
                self._leave()

    @property
    def waits(self) -> bool:
        """Whether an answer, or a message of the room, is still to come."""
        return bool(self._asked) or not (self.ready and self.hearing.complete)

    # Chat

    def _speak(self) -> None:
        stamp = f"{MARK}{int(now() * 1e6)} "
        text = stamp.ljust(self._field.scenario.chat.chars, "x")
        self._ask("chat:send", self._spoken, room=self.hearing.room.name, text=text)

    def _spoken(self, data: dict[str, Any]) -> None:
        self.hearing.room.acknowledge(data["message"]["id"])

    # Duels

    def _challenge(self) -> None:
        if self.rival and self.rival.ready:
            key = f"load-{self._number}-{int(now() * 1e6)}"
            opponent = self.rival.account.player_id
            self._ask("duel:challenge", self._fight, opponent_id=opponent, key=key)

    def _fight(self, data: dict[str, Any]) -> None:
        """After the challenger the other accepts; then they play in turn, to the end."""
        duel = data["duel"]
        if duel["status"] == "finished":
            self._field.second.counts["duels"] += 1
        elif self.rival and self.rival.ready:
            self.rival.fight_on(duel)

    def fight_on(self, duel: dict[str, Any]) -> None:
        """It is one's turn; the rival says so."""
        fields = {"duel_id": duel["id"]}
        if duel["status"] == "challenged":
            self._ask("duel:accept", self._fight, **fields)
        else:
            self._ask("duel:play", self._fight, **fields, round=duel["round"], hold=[0, 1])
