"""Players below the sockets: what they send goes straight to the handlers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

from handlers.base import Caller, Connection, Context, Once, World
from handlers.catalogue import CATALOGUE
from state.documents import DocumentStore

COMMANDS = {command.event: command for command in CATALOGUE.commands}


class Recorder:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any, str, str | None]] = []
        self.once: set[tuple[str, str]] = set()

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
        assert volatile == (event == "chat:typing")
        assert bool(once) == (event == "chat:message")
        if once:
            if (room, once.key) in self.once:
                return
            self.once.add((room, once.key))
        self.events.append((event, data, room, skip))

    def last(self, number: int = 1) -> list[tuple[str, Any, str]]:
        return [event[:3] for event in self.events[-number:]]


@dataclass
class Socket:
    """A socket's rooms."""

    sid: str
    rooms: set[str] = field(default_factory=set)
    ended: bool = False

    @property
    def connection(self) -> str:
        return f"n1.{self.sid}"

    async def join(self, room: str) -> None:
        if not self.ended:
            self.rooms.add(room)

    async def leave(self, room: str) -> None:
        self.rooms.discard(room)


@dataclass
class Player:
    """A signed-in socket that sends events."""

    world: World
    caller: Caller
    socket: Socket

    @property
    def id(self) -> str:
        return self.caller.player_id

    async def __call__(self, event: str, **payload: object) -> Any:
        command = COMMANDS[event]
        socket = cast("Connection", self.socket)
        context = Context(self.world, "127.0.0.1", self.caller, socket)
        return await command(command.validate(payload), context)

    async def says(self, text: str, room: str = "global") -> dict[str, Any]:
        reply: dict[str, Any] = (await self("chat:send", room=room, text=text))["message"]
        return reply

    def as_moderator(self) -> Player:
        """With a token that says so; actions go by the account, see `appointed`."""
        return replace(self, caller=replace(self.caller, role="moderator"))

    async def appointed(self, documents: DocumentStore, role: str = "moderator") -> Player:
        """The account has the role, too."""
        which, change = {"_id": self.caller.account_id}, {"$set": {"role": role}}
        await documents.call("accounts", "update_one", which, change)
        return replace(self, caller=replace(self.caller, role=role))
