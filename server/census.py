"""Connections of all nodes: a node asks the others over their channel, and waits a moment.

What Socket.IO calls fetchSockets, with the names of the nodes that did not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from game import rooms
from game.connections import Connections, ConnectionView, NodeView
from game.errors import DependencyUnavailable
from server.broadcast import Hub
from server.session import Session
from state.live import Live

ANSWER_SECONDS = 1.0  # for the other nodes: one that is later stands still
MOST_QUESTIONS = 100  # of one node at a time; an operator asks one

Tell = Callable[[dict[str, Any]], Awaitable[None]]


class Census:
    """Asks, and answers. `tell` reaches all nodes, this one too."""

    def __init__(self, live: Live, hub: Hub, sessions: dict[str, Session], tell: Tell) -> None:
        self._live = live
        self._hub = hub
        self._sessions = sessions
        self._tell = tell
        self._asked: dict[str, _Answers] = {}
        self._answering: set[asyncio.Task[None]] = set()

    async def find(self, room: str | None, limit: int) -> Connections:
        """The connections in a room, or all.

        Raises:
            DependencyUnavailable: nobody can be asked.
        """
        if len(self._asked) >= MOST_QUESTIONS:
            raise DependencyUnavailable("Too many questions at once.", retry_after=ANSWER_SECONDS)
        number = secrets.token_hex(8)
        answers = self._asked[number] = _Answers(await self._live.nodes())
        try:
            question = {"do": "count", "question": number, "room": room, "limit": limit}
            await self._tell({**question, "asker": self._live.node})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(answers.complete.wait(), ANSWER_SECONDS)
        finally:
            del self._asked[number]
        return answers.together(limit)

    def hear(self, message: dict[str, Any]) -> None:
        """A question or an answer on the channel of all nodes."""
        if message["do"] == "count":
            task = asyncio.create_task(self._answer(message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        elif message["asker"] == self._live.node and message["question"] in self._asked:
            self._asked[message["question"]].add(message)

    async def _answer(self, question: dict[str, Any]) -> None:
        found = list(self._in(question["room"]))
        shown = [self._view(session) for session in found[: question["limit"]]]
        answer = {"do": "counted", "node": self._live.node, "total": len(found), "shown": shown}
        answer |= {name: question[name] for name in ("question", "asker")}
        with contextlib.suppress(DependencyUnavailable):  # it is too late then anyway
            await self._tell(answer)

    def _in(self, room: str | None) -> Iterable[Session]:
        if room is None:
            return list(self._sessions.values())
        members = self._hub.members(room)
        return [self._sessions[sid] for sid in members if sid in self._sessions]

    def _view(self, session: Session) -> ConnectionView:
        prefix = rooms.chat("")
        return ConnectionView(
            id=session.connection,
            node=self._live.node,
            player_id=session.caller.player_id,
            name=session.caller.name,
            address=session.address,
            rooms=sorted(
                room.removeprefix(prefix) for room in session.rooms if room.startswith(prefix)
            ),
        )


class _Answers:
    """What came to one question."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self.complete = asyncio.Event()
        self._missing = set(nodes)
        self._heard: dict[str, dict[str, Any]] = {}

    def add(self, answer: dict[str, Any]) -> None:
        """A node has answered, one that was only just started perhaps."""
        self._heard[answer["node"]] = answer
        self._missing.discard(answer["node"])
        if not self._missing:
            self.complete.set()

    def together(self, limit: int) -> Connections:
        """All that came in time."""
        heard = [self._heard[node] for node in sorted(self._heard)]
        views = [
            NodeView(node=one["node"], answered=True, connections=one["total"]) for one in heard
        ]
        views += [
            NodeView(node=node, answered=False, connections=0) for node in sorted(self._missing)
        ]
        shown = [cast("ConnectionView", view) for one in heard for view in one["shown"]]
        return Connections(
            total=sum(one["total"] for one in heard),
            complete=not self._missing,
            nodes=views,
            connections=shown[:limit],
        )
