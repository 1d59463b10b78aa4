"""This node's life among the others: beat, set right what Redis knows, bury the dead."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from config.logging import get_logger
from config.sections import Nodes
from game.disconnects import Disconnect
from server.reception import Reception
from state.live import Clock, Live
from state.tokens import Tokens

TOGETHER = 500  # families in one question to Redis

log = get_logger(__name__)


class Membership:
    """Keeps the node's lease, and takes over from nodes that lost theirs."""

    def __init__(
        self,
        live: Live,
        clock: Clock,
        reception: Reception,
        settings: Nodes,
        free_locks: Callable[[], Awaitable[None]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live = live
        self._free_locks = free_locks
        self._clock = clock
        self._reception = reception
        self._settings = settings
        self._now = now
        self._last_beat = 0  # ms, Redis' time
        self._beating_since: float | None = None

    async def beat(self) -> None:
        """Renew the lease, and look whether Redis has the seats that this node has."""
        try:
            now, seats = await self._live.beat()
        except BaseException:
            self._beating_since = None
            raise
        late = now - self._last_beat > self._settings.lease_seconds * 1000
        if self._beating_since is None or late:
            self._beating_since = self._now()
        self._last_beat = now
        self._clock.set(now)
        if seats != len(self._reception.sessions):
            await self._set_right()

    async def _set_right(self) -> None:
        """A seat without a socket is given back: its departure could not be told. A socket
        without a seat was taken for dead by the others (this process stood still, or
        Redis lost its data): its client comes back, and takes its session up again if it can.
        """
        mine = {one.connection: one for one in self._reception.sessions.values()}
        # Seated before the question: who sits down during it may be missing in its answer.
        seated = {connection for connection, one in mine.items() if not one.seating}
        known = await self._live.seats()
        here = {one.connection for one in self._reception.sessions.values()}
        for connection in known.keys() - here:
            await self._reception.departed(connection, known[connection])
        for connection in (seated - known.keys()) & here:
            log.warning("seat_lost", connection=connection)
            self._reception.end(mine[connection], Disconnect.DRAINING)

    async def bury_the_dead(self) -> None:
        """Clean up after nodes that died.

        By lease only once this node has held its own for a whole one: after an outage of
        Redis every lease is over, and nobody may be taken for dead before he could beat.
        """
        held = self._now() - self._beating_since if self._beating_since else 0.0
        dead = await self._live.dead(by_lease=held > self._settings.lease_seconds)
        for node, beat in dead:
            if node != self._live.node:
                await self._bury(node, beat)

    async def _bury(self, node: str, beat: int) -> None:
        seats = await self._live.seats(node)
        log.warning("node_died", node=node, seats=len(seats))
        for connection, pid in seats.items():
            await self._reception.departed(connection, pid, at=beat)
        await self._free_locks()
        await self._live.bury(node, beat)

    async def leave(self) -> None:
        """The last word of a node that ends in order."""
        await self._live.bury(self._live.node, self._last_beat)


async def recheck_sessions(reception: Reception, tokens: Tokens, now: Callable[[], int]) -> None:
    """End sessions whose token is past its time, or was revoked while nobody could tell us."""
    sessions = list(reception.sessions.values())
    for session in sessions:
        if session.caller.expires_at <= now():
            reception.end(session, Disconnect.TOKEN_EXPIRED)
    families = sorted({session.caller.family for session in sessions})
    for start in range(0, len(families), TOGETHER):
        revoked = await tokens.revoked(families[start : start + TOGETHER])
        for session in sessions:
            if session.caller.family in revoked:
                reception.end(session, revoked[session.caller.family])
