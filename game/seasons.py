"""Seasons: the calendar's months or quarters in UTC, named `2026-11` or `2026-q4`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

Length: TypeAlias = Literal["month", "quarter"]

PER_YEAR: dict[Length, int] = {"month": 12, "quarter": 4}
_NAMES: dict[Length, re.Pattern[str]] = {
    "month": re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])"),
    "quarter": re.compile(r"([0-9]{4})-q([1-4])"),
}


@dataclass(frozen=True, slots=True)
class Season:
    """One of them; `number` counts from the beginning of the year 0."""

    length: Length
    number: int

    @property
    def id(self) -> str:
        """Its name; names sort by time."""
        year, part = divmod(self.number, PER_YEAR[self.length])
        return f"{year:04}-{part + 1:02}" if self.length == "month" else f"{year:04}-q{part + 1}"

    @property
    def begins_at(self) -> int:
        """Its first millisecond since the epoch."""
        year, part = divmod(self.number, PER_YEAR[self.length])
        month = part * 12 // PER_YEAR[self.length] + 1
        return int(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)

    def later(self, number: int) -> Season:
        """The one that comes so many later; before it, if `number` is negative."""
        return replace(self, number=self.number + number)


def season_at(at: int, length: Length) -> Season:
    """The season of a moment, given in milliseconds since the epoch."""
    then = datetime.fromtimestamp(at / 1000, UTC)
    per_year = PER_YEAR[length]
    return Season(length, then.year * per_year + (then.month - 1) * per_year // 12)


def named(name: str, length: Length) -> Season | None:
    """The season of that name; None if it is no name of a season of that length."""
    found = _NAMES[length].fullmatch(name)
    if found is None:
        return None
    return Season(length, int(found[1]) * PER_YEAR[length] + int(found[2]) - 1)
