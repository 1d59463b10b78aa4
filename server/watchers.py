"""Who is told of whose presence: a node gathers changes, then asks Redis for the truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice

from game.errors import Conflict
from state.live import Live, PresenceView

BATCH = 100  # ids in one question to Redis, as many as a client may ask for at once


class Watchers:
    """The watched players of this node's sockets.

    `send` puts an event on one socket; server/bootstrap.py sets it.
    """

    def __init__(self, live: Live, per_connection: int) -> None:
        self.send: Callable[[str, str, object], None]
        self._live = live
        self._per_connection = per_connection
        self._of: defaultdict[str, set[str]] = defaultdict(set)  # sid -> players
        self._by: defaultdict[str, set[str]] = defaultdict(set)  # player -> sids
        self._changed: set[str] = set()

    def watch(self, sid: str, player_ids: Iterable[str]) -> None:
        """Tell a socket of these players from now on.

        Raises:
            Conflict: more than one connection may watch.
        """
        wanted = self._of.get(sid, set()) | set(player_ids)
        if len(wanted) > self._per_connection:
            raise Conflict(f"A connection may watch {self._per_connection} players.")
        self._of[sid] = wanted
        for player in wanted:
            self._by[player].add(sid)

    def unwatch(self, sid: str, player_ids: Iterable[str] | None = None) -> None:
        """Tell a socket no more of these players, or of any."""
        watched = self._of.get(sid, set())
        for player in watched & set(player_ids) if player_ids is not None else set(watched):
            watched.discard(player)
            self._by[player].discard(sid)
            if not self._by[player]:
                del self._by[player]
        if not watched:
            self._of.pop(sid, None)

    def changed(self, player_ids: Iterable[str]) -> None:
        """These players' presence is another; the next batch says which."""
        self._changed.update(player for player in player_ids if player in self._by)

    def all_changed(self) -> None:
        """Word of changes may have been missed: look at everybody again."""
        self._changed.update(self._by)

    async def tell(self) -> None:
        """Send each watcher the changes that he watches, in one event."""
        while self._changed:
            batch = list(islice(self._changed, BATCH))
            self._changed.difference_update(batch)
            try:
                await self._tell(batch)
            except BaseException:
                self._changed.update(batch)  # Redis is away: they are still to be told
                raise

    async def _tell(self, players: list[str]) -> None:
        news: defaultdict[str, dict[str, PresenceView]] = defaultdict(dict)
        for player, presence in (await self._live.presence(players)).items():
            for sid in self._by.get(player, ()):
                news[sid][player] = presence.view
        for sid, presences in news.items():
            self.send(sid, "presence:changed", {"presence": presences})
