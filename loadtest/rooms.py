"""What a room was told, and whether each member heard all of it, once, in one order.

The first member that hears a message gives it its place; all others must hear the same
messages in the same places. So one number for each member is all that is kept of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Room:
    """A room that only players of this process are in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[str] = []  # ids of messages, in their order
        self._places: dict[str, int] = {}
        self.acknowledged: set[str] = set()  # and not told to anybody yet

    def place(self, message_id: str) -> int:
        """Where a message stands; at the end, if nobody has heard of it yet."""
        place = self._places.get(message_id)
        if place is None:
            place = self._places[message_id] = len(self.told)
            self.told.append(message_id)
            self.acknowledged.discard(message_id)
        return place

    def acknowledge(self, message_id: str) -> None:
        """The server says that it has the message."""
        if message_id not in self._places:
            self.acknowledged.add(message_id)


class Hearing:
    """What one member has heard of its room."""

    __slots__ = ("_between", "_counts", "_early", "_missing", "_next", "room")

    def __init__(self, room: Room, counts: Counter[str]) -> None:
        self.room = room
        self._counts = counts
        self._next: int | None = None  # None: not in the room
        self._between = range(0)  # told between question and answer: shown, and perhaps heard
        self._missing: set[int] = set()
        self._early: set[int] = set()  # heard before the answer to its question

    def asked_to_join(self) -> None:
        """From now on it may hear."""
        self._next = None
        self._early.clear()
        self._between = range(len(self.room.told), 0)

    def joined(self, history: Iterable[str]) -> None:
        """From now on it has to hear everything that comes after what it was shown."""
        places = [self.room.place(message_id) for message_id in history]
        self._next = max(places) + 1 if places else 0
        self._between = range(self._between.start, self._next)
        self._missing.clear()
        for place in sorted(self._early - set(range(self._next))):
            self._take(place)

    def left(self) -> None:
        """It need not hear any more."""
        self._next = None

    def heard(self, message_id: str) -> None:
        """Count what is wrong with it."""
        place = self.room.place(message_id)
        if self._next is None:
            self._early.add(place)
        else:
            self._take(place)

    def _take(self, place: int) -> None:
        expected = self._next or 0
        if place >= expected:
            self._missing.update(range(expected, place))
            self._next = place + 1
        elif place in self._missing:
            self._missing.remove(place)
            self._counts["out_of_order"] += 1
        elif place not in self._between:
            self._counts["doubled"] += 1

    @property
    def in_room(self) -> bool:
        """Whether it has been told that it is."""
        return self._next is not None

    @property
    def complete(self) -> bool:
        """Whether it has heard all that was told, and nothing is still to be told.

        An answer may come before the message: they are on two lines to the server's store.
        """
        if self._next is None:
            return True
        heard_all = self._next == len(self.room.told) and not self._missing
        return heard_all and not self.room.acknowledged

    def settle(self) -> None:
        """Nothing more comes: what has not come is lost."""
        if self._next is not None:
            self._counts["lost"] += len(self._missing) + len(self.room.told) - self._next
