"""What a run found: a table for the terminal, a section of docs/benchmarks.md, a chart."""

from __future__ import annotations

import datetime as dt
import html
import os
import platform
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bench import processes
from bench.base import Numbers, Scenario

BAR, ROW, LEFT, WIDTH = 22, 30, 650, 1_180  # of the chart, in pixels
FULL_SCALE = 2.0  # ratio at the right end of the chart
GOOD, BAD, INK, LINE = "#2f9e63", "#c9513b", "#222222", "#999999"


@dataclass
class Result:
    """The rounds of one scenario: by side, the numbers of each round."""

    scenario: Scenario
    rounds: dict[str, list[Numbers]] = field(default_factory=dict)

    def median(self, side: str, metric: str) -> float:
        """The median of a side's rounds."""
        return statistics.median(numbers[metric] for numbers in self.rounds[side])

    def ratios(self, metric: str) -> dict[str, list[float]]:
        """The first side's number through that of each other one, round by round."""
        first, *others = self.scenario.sides
        return {
            other: [
                mine[metric] / theirs[metric] if theirs[metric] else float("nan")
                for mine, theirs in zip(self.rounds[first], self.rounds[other], strict=True)
            ]
            for other in others
        }


def rows(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    """A line for each metric: title, unit, the sides' medians, the ratios with their spread."""
    for result in results:
        for metric, unit in result.scenario.metrics.items():
            sides = ", ".join(
                f"{side} {_number(result.median(side, metric))}" for side in result.scenario.sides
            )
            ratios = "; ".join(
                f"{spread(values)} of {other}" for other, values in result.ratios(metric).items()
            )
            yield result.scenario.title, unit, sides, ratios or own_spread(result, metric)


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    median = statistics.median(values)
    return f"**{median:.2f}** ({min(values):.2f} to {max(values):.2f})"


def own_spread(result: Result, metric: str) -> str:
    """The range of a side that is compared with nobody."""
    values = [numbers[metric] for numbers in result.rounds[result.scenario.sides[0]]]
    return f"{_number(min(values))} to {_number(max(values))}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def text(results: Sequence[Result]) -> str:
    """For the terminal."""
    return "\n".join(
        f"{title}\n    {unit}: {sides}\n    {ratios.replace('**', '')}"
        for title, unit, sides, ratios in rows(results)
    )


def section(results: Sequence[Result], rounds: int, seconds: float, chart: str) -> str:
    """For docs/benchmarks.md."""
    today = dt.datetime.now(dt.UTC).date()
    lines = [
        f"## {today}",
        "",
        f"{machine()}. {versions()}. Up to {rounds} rounds of {seconds:g} s, the sides in turn.",
        "",
        "| what | unit | medians | Showdown, or the first, through the other: median (range) |",
        "| --- | --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows(results)),
        "",
        *([f"![Ratios to the peers, 1.0 is equal]({chart})", ""] if chart else []),
    ]
    return "\n".join(lines)


def machine() -> str:
    """The kind of machine, and nothing that names it."""
    return f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"


def versions() -> str:
    """What was compared."""
    asked = subprocess.run(
        [processes.node(), "--version"], capture_output=True, text=True, check=True
    )
    packages = ("python-socketio", "aiohttp", "uvloop")
    named = [f"{name} {version(name)}" for name in packages]
    return ", ".join(
        [
            f"Python {platform.python_version()}",
            *named,
            f"Node {asked.stdout.strip().removeprefix('v')}",
            "Socket.IO 4.8.4",
        ]
    )


def chart(results: Sequence[Result]) -> str:
    """A bar for each ratio of a scenario's first metric, as SVG; shorter is better."""
    bars = [
        (f"{result.scenario.title}, {unit}, of {other}", values)
        for result in results
        for metric, unit in list(result.scenario.metrics.items())[:1]
        for other, values in result.ratios(metric).items()
        if result.scenario.sides[0] == "Showdown"
    ]
    height = ROW * len(bars) + 50
    drawn = "".join(_bar(index, *bar) for index, bar in enumerate(bars))
    one = _place(1.0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="{INK}">'
        f'<rect width="100%" height="100%" fill="white"/>'
        f'<text x="10" y="20" font-size="14">Showdown through its peers: 1.0 is equal, '
        f"shorter is better; lines are the range over the rounds</text>{drawn}"
        f'<line x1="{one}" y1="30" x2="{one}" y2="{height - 12}" stroke="{INK}" '
        f'stroke-dasharray="4 3"/></svg>\n'
    )


def _bar(index: int, title: str, values: Sequence[float]) -> str:
    median = statistics.median(values)
    top = 36 + index * ROW
    middle = top + BAR / 2
    low, high = _place(min(values)), _place(max(values))
    color = GOOD if median <= 1 else BAD
    return (
        f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{html.escape(title)}</text>'
        f'<rect x="{LEFT}" y="{top}" width="{_place(median) - LEFT:.1f}" height="{BAR}" '
        f'fill="{color}"/>'
        f'<line x1="{low}" y1="{middle}" x2="{high}" y2="{middle}" stroke="{LINE}" '
        f'stroke-width="3"/>'
        f'<text x="{max(high, _place(median)) + 6}" y="{middle + 4}">{median:.2f}</text>'
    )


def _place(ratio: float) -> float:
    return round(LEFT + (WIDTH - LEFT - 60) * min(ratio, FULL_SCALE) / FULL_SCALE, 1)


def write(results: Sequence[Result], rounds: int, seconds: float, docs: Path) -> None:
    """Draw the chart, and append the section."""
    today = dt.datetime.now(dt.UTC).date()
    name = f"images/bench-{today}.svg" if len(results) > 5 else ""
    if name:
        (docs / "images").mkdir(exist_ok=True)
        (docs / name).write_text(chart(results), "utf-8")
    page = docs / "benchmarks.md"
    page.write_text(
        page.read_text("utf-8").rstrip("\n")
        + "\n\n"
        + section(results, rounds, seconds, name).rstrip("\n")
        + "\n",
        "utf-8",
    )
