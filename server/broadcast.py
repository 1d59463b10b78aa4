"""Rooms and fan-out: a node hears of the rooms that its sockets are in, in the order of the
log, and hands each finished frame to each socket without a task or another encoding.

What is kept goes over Redis, also to the sockets of the node that sends it: one order for
everybody is what makes one offset enough to say what a client has missed. What is not kept has
no place in that order, and is on the node's own sockets before Redis hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson

from config.logging import get_logger
from game import rooms
from game.connections import Connections
from game.disconnects import Disconnect
from game.errors import DependencyUnavailable
from handlers.base import Once
from server.backlog import Backlog
from server.metrics import Metrics
from server.packets import Message
from server.transport import GameSocket
from state.connect import RedisStore, Subscription
from state.recovery import NOBODY, NODES, PREFIX, START_OVER, Recovery, channel

NAMESPACE = "/"
SILENCE_SECONDS = 2.0  # then Redis is asked whether it is there
DRIFT_MS = 10_000  # between the clocks of a node and Redis, at the most
CONFIRM_SECONDS = 5.0  # for Redis to say that it heard of a channel

log = get_logger(__name__)


def event_packet(event: str, *args: object) -> Message:
    """A Socket.IO EVENT of the default namespace, ready to be sent to anybody."""
    return Message("2" + orjson.dumps([event, *args]).decode())


class Hub:
    """Which sockets of this node are in which rooms."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, GameSocket]] = {}
        self._rooms: dict[str, set[str]] = {}

    def add(self, sid: str, socket: GameSocket, room: str) -> bool:
        """Put a socket into a room; True if it is the first one there."""
        members = self._members.setdefault(room, {})
        self._rooms.setdefault(sid, set()).add(room)
        members[sid] = socket
        return len(members) == 1

    def drop(self, sid: str, room: str) -> bool:
        """Take a socket out of a room; True if it was the last one there."""
        members = self._members.get(room, {})
        self._rooms.get(sid, set()).discard(room)
        if members.pop(sid, None) is None or members:
            return False
        del self._members[room]
        return True

    def members(self, room: str) -> dict[str, GameSocket]:
        """The sockets in a room, by sid."""
        return self._members.get(room, {})

    def rooms_of(self, sid: str) -> frozenset[str]:
        """The rooms that a socket is in."""
        return frozenset(self._rooms.get(sid, ()))

    def forget(self, sid: str) -> list[str]:
        """Take a socket out of all rooms; those that are empty now."""
        emptied = [room for room in self.rooms_of(sid) if self.drop(sid, room)]
        self._rooms.pop(sid, None)
        return emptied

    @property
    def rooms(self) -> list[str]:
        """The rooms that have a socket here."""
        return list(self._members)


class Adapter:
    """The node's ear: the channels of its rooms, and what is heard there.

    `on_nodes` is called with what nodes tell each other, `on_gap` when events may have been
    missed for good; server/bootstrap.py sets both.
    """

    def __init__(
        self,
        redis: RedisStore,
        recovery: Recovery,
        hub: Hub,
        metrics: Metrics,
        now: Callable[[], int],
        node: str,
    ) -> None:
        self.ready = False
        self.on_nodes: Callable[[dict[str, Any]], None]
        self.on_gap: Callable[[Iterable[str]], None]
        self.on_ready: Callable[[], None]
        self._redis = redis
        self._recovery = recovery
        self._hub = hub
        self._metrics = metrics
        self._now = now  # ms, Redis' time
        self._node = node
        self._confirmed: dict[str, asyncio.Future[None]] = {}  # by channel
        self._line: Subscription | None = None
        self._first: set[str] = set()  # channels to be confirmed before anything is handed on
        self._held: list[tuple[str, str]] = []
        self._catching_up: asyncio.Future[None] | None = None
        self._epoch = ""
        self._proven = 0  # ms: whatever was published before was handed on
        self._last = 0  # the newest id that was handed on

    def ask(self, room: str) -> asyncio.Future[None]:
        """Begin to hear of a room; once done, nothing that is published to it is missed."""
        name = channel(room)
        asked = self._confirmed.get(name)
        if asked is None:
            asked = self._confirmed[name] = asyncio.get_running_loop().create_future()
            if self._line:
                self._line.add([name])
        return asked

    async def open(self, *rooms: str) -> None:
        """Hear of rooms; returned, nothing that is published to them is missed.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        waiting = [asked for asked in map(self.ask, rooms) if not asked.done()]
        if not waiting:
            return
        _, late = await asyncio.wait(waiting, timeout=CONFIRM_SECONDS)
        if late:
            raise DependencyUnavailable(retry_after=1.0)

    def close(self, room: str) -> None:
        """Hear of a room no more; if that is not confirmed yet, as soon as it is.

        Who asks meanwhile would take the answer to the first asking for that to his own.
        """
        asked = self._confirmed.get(channel(room))
        if asked and asked.done():
            del self._confirmed[channel(room)]
            if self._line:
                self._line.drop(channel(room))

    async def listen(self) -> None:
        """Hear, until the line breaks; the supervisor calls again."""
        self._held.clear()
        try:
            async with self._redis.subscription(self._heard, PREFIX) as line:
                self._line = line
                self._start_over(line)
                await line.until_broken(SILENCE_SECONDS, self._alive)
        finally:
            self.ready, self._line = False, None
            if self._catching_up:
                self._catching_up.cancel()
        raise DependencyUnavailable

    def _alive(self, asked: float) -> None:
        """The line answered what it was asked so many seconds ago: all before that came."""
        if self.ready:
            self._proven = self._now() - int(asked * 1000)

    def _start_over(self, line: Subscription) -> None:
        """Ask for every channel again; who waits for one goes on waiting."""
        names = [channel(NODES), *map(channel, self._hub.rooms)]
        waiting = {name: one for name, one in self._confirmed.items() if not one.done()}
        loop = asyncio.get_running_loop()
        self._confirmed = {name: loop.create_future() for name in names} | waiting
        self._first = set(self._confirmed)
        line.add(list(self._confirmed))

    def _heard(self, push: list[Any]) -> None:
        kind, name, text = push
        if kind == "message" and self.ready:
            self._take(name, text)
        elif kind == "message":
            self._held.append((name, text))  # until it is known what was missed
        elif kind == "subscribe":
            self._confirm(name)
            if self._first:
                self._first.discard(name)
                if not self._first and self._line:
                    self._catching_up = asyncio.ensure_future(self._begin(self._line))

    async def _begin(self, line: Subscription) -> None:
        """All channels are open: what was missed comes first, then what was heard since."""
        try:
            await self._catch_up()
        except DependencyUnavailable:
            line.end()  # and begin anew
            return
        held, self._held = self._held, []
        for one in held:
            self._take(*one)
        self.ready = True
        self.on_ready()

    def _confirm(self, name: str) -> None:
        waiting = self._confirmed.get(name)
        if waiting and not waiting.done():
            waiting.set_result(None)
            room = name.removeprefix(PREFIX)
            if room != NODES and not self._hub.members(room):  # left before
                self.close(room)

    async def _catch_up(self) -> None:
        """Hand on what was published while nobody here listened, or say that it is lost."""
        began = self._now()
        epoch, last = await self._recovery.position()
        rooms = self._hub.rooms
        if self._epoch and epoch != self._epoch:
            log.error("log_lost", rooms=len(rooms))
            self.on_gap(rooms)
        elif self._epoch:
            after = dict.fromkeys(rooms, self._last)
            missed = await self._recovery.since(after, self._proven - DRIFT_MS)
            # What came after `last` is heard as well: every channel was open before we asked.
            events = [event for event in missed.events if event.id <= last]
            for event in events:
                self._hand_on(event.room, event.id, event.skip, event.packet)
            self._metrics.caught_up.inc(len(events))
            if not missed.complete:
                self.on_gap(rooms)
        self._epoch, self._last, self._proven = epoch, last, began

    def _take(self, name: str, text: str) -> None:
        room = name.removeprefix(PREFIX)
        if room == NODES:
            self.on_nodes(orjson.loads(text))
            return
        number, skip, packet = text.split(" ", 2)
        event_id = int(number)
        if not event_id:
            node, _, skip = skip.partition("/")
            if node != self._node:
                self._offer(room, skip, packet)
        elif event_id <= self._last:
            return
        elif not packet.endswith(f'{self._epoch}-{number}"]'):
            self._lose()
        else:
            self._last = event_id
            self._recovery.heard(event_id, room, self._epoch)
            self._hand_on(room, event_id, skip, packet)

    def _lose(self) -> None:
        """The log is another one: what is heard of it may follow a gap. The line begins anew,
        and finds that out.
        """
        self.ready = False
        if self._line:
            self._line.end()

    def _hand_on(self, room: str, event_id: int, skip: str, packet: str) -> None:
        members = self._hub.members(room)
        if not members:
            return
        message = Message(packet, event_id)
        for sid, socket in members.items():
            # A session that was just taken up again has what is older already.
            if sid != skip and event_id > socket.after:
                socket.post(message)
        self._metrics.count_deliveries(len(members))

    async def whisper(self, room: str, packet: str, skip: str) -> None:
        """Send an event that is not kept: to this node's sockets now, then to the others'.

        Raises:
            DependencyUnavailable: the others could not be told.
        """
        self._offer(room, skip, packet)
        await self._recovery.whisper(room, packet, skip, self._node)

    def _offer(self, room: str, skip: str, packet: str) -> None:
        """What is not kept is the first to go when a client reads slowly."""
        members = self._hub.members(room)
        if not members:
            return
        message = Message(packet)
        for sid, socket in members.items():
            if sid != skip and not socket.offer(message):
                self._metrics.skipped.inc()
        self._metrics.count_deliveries(len(members))


class RoomPublisher:
    """What handlers publish through (handlers.base.Publisher).

    `find` counts connections on all nodes; server/bootstrap.py sets it.
    """

    def __init__(self, recovery: Recovery, backlog: Backlog, adapter: Adapter) -> None:
        self.find: Callable[[str | None, int], Awaitable[Connections]]
        self._recovery = recovery
        self._backlog = backlog
        self._adapter = adapter
        self._changed: set[str] = set()  # players whose presence is another

    async def emit(
        self,
        event: str,
        data: object,
        room: str,
        *,
        skip: str | None = None,
        volatile: bool = False,
        once: Once | None = None,
    ) -> None:
        """Send an event to everybody in a room, on every node, except the socket `skip`."""
        packet = "2" + orjson.dumps([event, data]).decode()
        if not volatile:
            await self._backlog.publish(room, packet[:-1], skip, once)
            return
        with contextlib.suppress(DependencyUnavailable):
            await self._adapter.whisper(room, packet, skip or NOBODY)

    async def close(self, room: str, code: Disconnect) -> None:
        """Announce and end every connection in a room, on every node."""
        await self._nodes({"do": "close", "room": room, "code": code.value})

    async def empty(self, room: str) -> None:
        """Take every socket out of a room, on every node."""
        await self._nodes({"do": "empty", "room": room})

    async def rename(self, player_id: str, name: str) -> None:
        """Let every socket of a player speak by another name, on every node."""
        await self._nodes({"do": "rename", "room": rooms.player(player_id), "name": name})

    async def presence_changed(self, player_ids: Iterable[str]) -> None:
        """Tell the watchers of these players, soon and together with other changes.

        Who comes first tells all nodes of what changes in this turn of the loop.
        """
        first = not self._changed
        self._changed.update(player_ids)
        if not first:
            return
        try:
            await asyncio.sleep(0)
        finally:  # cancelled, it is told all the same
            players = list(self._changed)
            self._changed.clear()
            await self._nodes({"do": "presence", "players": players})

    async def connections(self, room: str | None, limit: int) -> Connections:
        """The connections in a room, or all."""
        return await self.find(room, limit)

    async def ask(self, message: dict[str, Any]) -> None:
        """Tell all nodes what is no use later.

        Raises:
            DependencyUnavailable: nobody could be told.
        """
        await self._recovery.tell(NODES, orjson.dumps(message).decode())

    async def evict(self, connection: str) -> None:
        """A session goes on over another connection: whoever has the former drops it."""
        await self._nodes({"do": "evict", "connection": connection})

    async def lost(self) -> None:
        """Events are lost for good: every client starts over.

        Raises:
            DependencyUnavailable: nobody could be told.
        """
        await self._recovery.tell(NODES, START_OVER)

    async def _nodes(self, message: dict[str, Any]) -> None:
        await self._backlog.tell(NODES, orjson.dumps(message).decode())
