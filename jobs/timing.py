"""When a schedule is due: intervals on a grid, cron patterns in a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from game.errors import FieldProblem, ValidationFailed
from handlers.ports import Policy

AT_ONCE = 100  # runs of one schedule in one look


@dataclass(frozen=True, slots=True)
class Timing:
    """Either a cron pattern (five fields, or six with seconds first) or seconds."""

    cron: str | None = None
    every: int | None = None
    tz: str = "UTC"

    def check(self) -> None:
        """Refuse what never comes.

        Raises:
            ValidationFailed: not exactly one of the two, no pattern, or no such time zone.
        """
        if (self.cron is None) == (self.every is None):
            raise _refused("cron", "Give exactly one of cron and every")
        try:
            ZoneInfo(self.tz)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise _refused("tz", "There is no such time zone") from None
        try:
            self.after(0)
        except (ValueError, KeyError, IndexError):
            raise _refused("cron", "This is no cron pattern, or it never comes") from None

    def after(self, at: int) -> int:
        """The first run later than that; ms since the epoch.

        What is kept of a pattern is the time on the wall. In the hour that a change of clocks
        leaves out it runs when the clock has jumped; in the one that comes twice, the first
        time. A pattern of every hour (`*`) goes by the minutes alone, and misses none.
        """
        if self.every is not None:
            step = self.every * 1000
            return (at // step + 1) * step
        fields = (self.cron or "").split()
        here = datetime.fromtimestamp(at / 1000, ZoneInfo(self.tz))
        zone: tzinfo = ZoneInfo(self.tz)
        if fields[-4] == "*":
            zone = timezone(here.utcoffset() or timedelta())
        upcoming = croniter(
            self.cron, here.replace(tzinfo=None), second_at_beginning=len(fields) == 6
        )
        while True:
            moment: datetime = upcoming.get_next(datetime)
            for fold in (0, 1):
                found = round(moment.replace(tzinfo=zone, fold=fold).timestamp() * 1000)
                if found > at:
                    return found

    def due(self, next_at: int, now: int, missed: Policy, grace: int) -> tuple[list[int], int]:
        """The runs that are to be started now, and the next one after them.

        Args:
            grace: ms; a run that is later than this was missed.
        """
        runs, at = [], next_at
        if missed != "each" and at < now - grace:
            if missed == "once":
                runs.append(at)  # it stands for all that were missed
            at = self.after(now - grace)
        while at <= now and len(runs) < AT_ONCE:
            runs.append(at)
            at = self.after(at)
        return runs, at


def _refused(field: str, message: str) -> ValidationFailed:
    return ValidationFailed(errors=[FieldProblem(field=field, message=message, type="schedule")])
