"""Rooms and fan-out: encode once, hand the finished frame to each socket, tell other nodes.

python-socketio's pub/sub manager with three changes: no task per recipient; a publish
that never raises into the handler whose work is already stored; a subscriber that
outlives Redis' absences. The same channel carries our own messages between nodes.
Checked against python-socketio 5.18.1 by tests/unit/test_seams.py: `_handle_emit`,
`_publish`, `_handle_close_room`, `get_participants` and the `basic_*` methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
from socketio.async_pubsub_manager import AsyncPubSubManager

from config.logging import get_logger
from game.disconnects import Disconnect
from game.errors import DependencyUnavailable
from server.metrics import Metrics
from server.transport import Message
from state.connect import RedisStore

CHANNEL = "{adapter}:all"
NAMESPACE = "/"

log = get_logger(__name__)


def event_packet(event: str, *args: object) -> Message:
    """A Socket.IO EVENT of the default namespace, ready to be sent to anybody."""
    return Message("2" + orjson.dumps([event, *args]).decode())


class Broadcast(AsyncPubSubManager):
    """The client manager: the rooms of this node, and the channel to the others.

    `on_close`, `on_presence` and `on_subscribed` are what the node does about its own
    sockets; server/bootstrap.py sets them.
    """

    name = "showdown"

    def __init__(self, redis: RedisStore, node: str, metrics: Metrics) -> None:
        super().__init__(channel=CHANNEL)
        self.host_id = node
        self.subscribed = False
        self.on_close: Callable[[str, Disconnect], None]
        self.on_presence: Callable[[Iterable[str]], None]
        self.on_subscribed: Callable[[], None]
        self._rooms_of: dict[str, set[Any]] = {}
        self._redis = redis
        self._metrics = metrics
        self._methods = {
            "emit": self._handle_emit,
            "close_room": self._handle_close_room,
            "close_sockets": self._handle_close_sockets,
            "presence": self._handle_presence,
        }

    def initialize(self) -> None:
        """Called by python-socketio with the first client; the supervisor runs `listen`."""

    # Rooms: the stock manager walks all rooms of the node to find those of one socket.

    def basic_enter_room(self, sid: str, namespace: str, room: Any, eio_sid: Any = None) -> None:
        """Put a socket into a room."""
        super().basic_enter_room(sid, namespace, room, eio_sid)
        self._rooms_of.setdefault(sid, set()).add(room)

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        """Take a socket out of a room."""
        super().basic_leave_room(sid, namespace, room)
        self._rooms_of.get(sid, set()).discard(room)

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        """Take a socket out of all its rooms."""
        for room in self._rooms_of.pop(sid, set()):
            super().basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)

    def get_rooms(self, sid: str, namespace: str) -> frozenset[Any]:  # noqa: ARG002 - stock's signature
        """The rooms of one socket, its own included; None, that of everybody, is no name."""
        return frozenset(self._rooms_of.get(sid, ())) - {None}

    # Out

    def deliver(self, event: str, args: Iterable[object], room: str, skip: Iterable[str]) -> None:
        """Send an event to the sockets of this node that are in a room."""
        packet = event_packet(event, *args)
        sockets = self.server.eio.sockets
        reached = 0
        for sid, eio_sid in self.get_participants(NAMESPACE, room):
            socket = sockets.get(eio_sid)
            if socket is not None and sid not in skip:
                socket.post(packet)
                reached += 1
        self._metrics.deliveries.inc(reached)

    async def _handle_emit(self, message: dict[str, Any]) -> None:
        plain = message["namespace"] == NAMESPACE and isinstance(message["room"], str)
        if not plain or message.get("binary") or message.get("callback"):
            await super()._handle_emit(message)
            return
        skip = message.get("skip_sid") or ()
        skipped = (skip,) if isinstance(skip, str) else skip
        self.deliver(message["event"], message["data"], message["room"], skipped)

    async def _publish(self, message: dict[str, Any]) -> None:
        """Tell the other nodes. What was stored stays stored if they cannot be told."""
        try:
            await self._redis.call("PUBLISH", CHANNEL, orjson.dumps(message))
        except DependencyUnavailable:
            self._metrics.publish_failures.inc()
            log.warning("publish_failed", method=message["method"])

    # In

    async def listen(self) -> None:
        """Take what other nodes publish, until the connection breaks."""
        try:
            async with self._redis.subscribe(CHANNEL) as messages:
                self.subscribed = True
                self.on_subscribed()
                async for text in messages:
                    await self._receive(orjson.loads(text))
        finally:
            self.subscribed = False

    async def _receive(self, message: dict[str, Any]) -> None:
        if message["host_id"] != self.host_id:
            await self._methods[message["method"]](message)

    async def _handle_close_sockets(self, message: dict[str, Any]) -> None:
        self.on_close(message["room"], Disconnect(message["code"]))

    async def _handle_presence(self, message: dict[str, Any]) -> None:
        self.on_presence(message["player_ids"])


class RoomPublisher:
    """What handlers publish through (handlers.base.Publisher)."""

    def __init__(self, manager: Broadcast) -> None:
        self._manager = manager

    async def emit(self, event: str, data: object, room: str, *, skip: str | None = None) -> None:
        """Send an event to everybody in a room, on every node, except the socket `skip`."""
        await self._manager.emit(event, data, namespace=NAMESPACE, room=room, skip_sid=skip)

    async def close(self, room: str, code: Disconnect) -> None:
        """Announce and end every connection in a room, on every node."""
        await self._everywhere({"method": "close_sockets", "room": room, "code": code.value})

    async def empty(self, room: str) -> None:
        """Take every socket out of a room, on every node."""
        await self._manager.close_room(room, NAMESPACE)

    async def presence_changed(self, player_ids: Iterable[str]) -> None:
        """Tell the watchers of these players, soon and together with other changes."""
        await self._everywhere({"method": "presence", "player_ids": list(player_ids)})

    async def _everywhere(self, message: dict[str, Any]) -> None:
        manager = self._manager
        await manager._methods[message["method"]](message)  # noqa: SLF001 - one module, two faces
        await manager._publish({**message, "host_id": manager.host_id})  # noqa: SLF001
