"""What a run looks like while it lasts: one line, drawn again and again."""

from __future__ import annotations

import sys
from typing import TextIO

from loadtest.stats import Sample

BAR = 20  # characters
PLAIN_EVERY = 5  # seconds, where a line cannot be drawn over


class Progress:
    """Draws to a terminal; to anything else it writes a line now and then."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out
        self._live = out.isatty()
        self._width = 0

    def guests(self, made: int, wanted: int) -> None:
        """Players are being signed in."""
        if self._live or made == wanted:
            self._draw(f"{bar(made / wanted)} signed in {made:,} of {wanted:,} guests")

    def second(self, number: int, seconds: float, one: Sample, all_: Sample) -> None:
        """Another second is over."""
        if self._live or number % PLAIN_EVERY == 0 or number == int(seconds):
            self._draw(f"{bar(number / seconds)} {number:>4} s  {line(one, all_)}")

    def end(self) -> None:
        """Leave the line."""
        if self._live:
            self._out.write("\n")

    def _draw(self, text: str) -> None:
        end = "" if self._live else "\n"
        start = "\r" if self._live else ""
        self._out.write(start + text.ljust(self._width) + end)
        self._out.flush()
        self._width = len(text) if self._live else 0


def bar(part: float) -> str:
    """So much is done."""
    full = round(min(part, 1.0) * BAR)
    return "█" * full + "░" * (BAR - full)


def line(one: Sample, all_: Sample) -> str:
    """What happened in a second, and what went wrong in all of them."""
    counts = all_.counts
    wrong = counts["lost"] + counts["doubled"] + counts["out_of_order"]
    return (
        f"{one.connected:,}/{one.players:,} players  {one.counts['chat:send']:,} said/s  "
        f"{one.counts['deliveries']:,} heard/s  ack {times(one, 'ack')}  "
        f"delivery {times(one, 'delivery')} ms (p50/p95/p99)  "
        f"errors {all_.errors.total():,}  lost or wrong {wrong:,}"
    )


def times(sample: Sample, name: str) -> str:
    """Median, 95th and 99th percentile, in ms."""
    return "/".join(ms(sample.times[name].quantile(part)) for part in (0.5, 0.95, 0.99))


def ms(value: float | None) -> str:
    """A time as people read it."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
