"""What a run found: a table for the terminal, a page with charts that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from loadtest.progress import ms, times
from loadtest.scenario import Scenario
from loadtest.stats import TIMED, Sample
from loadtest.verdict import COUNTED, Verdict

WIDTH, HEIGHT, LEFT, BOTTOM = 860, 190, 64, 24  # of a chart, in pixels
COLOURS = ("#2f6fde", "#e08a1e", "#c9513b", "#2f9e63")
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
COUNTS = ("connects", "chat:send", "deliveries", "acks", "duels", "busy", "cuts", "stalls")

Series = dict[str, list[float | None]]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 900px; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .9rem .2rem 0;
text-align: left } td.number { text-align: right; font-variant-numeric: tabular-nums }
.good { color: #1d7a49 } .bad { color: #b3261e; font-weight: 600 }
svg text { font: 11px system-ui, sans-serif; fill: #555 } pre { background: #f5f5f2; padding: 1rem }
"""


def text(whole: Sample, judged: Sequence[Verdict]) -> str:
    """For the terminal."""
    lines = [f"{name:<13} {times(whole, name)} ms (p50/p95/p99)" for name in TIMED]
    lines += [f"{name:<13} {whole.counts[name]:,}" for name in (*COUNTS, "recovered", *COUNTED)]
    lines += [f"{count:>8,} times {name}" for name, count in whole.errors.most_common()]
    lines += [_sentence(one) for one in judged]
    return "\n".join(lines)


def _sentence(one: Verdict) -> str:
    return (
        f"{'kept' if one.kept else 'BROKEN':<7} {one.name}: {one.found:.4g}, at most {one.most:g}"
    )


def page(
    url: str,
    scenario: Scenario,
    seconds: Sequence[Sample],
    whole: Sample,
    judged: Sequence[Verdict],
) -> str:
    """The whole HTML page."""
    kept = all(one.kept for one in judged)
    said = "The server kept to every threshold." if kept else "The server broke a threshold."
    parts = [
        f"<h1>Load on {html.escape(url)}</h1>",
        f'<p class="{"good" if kept else "bad"}">{said}</p>',
        _table(("threshold", "found", "at most"), map(_judged_row, judged)),
        *(chart(title, unit, series(seconds)) for title, unit, series in CHARTS),
        _table(("what", "how often"), _count_rows(whole)),
        f"<h2>Scenario</h2><pre>{html.escape(scenario.model_dump_json(indent=2))}</pre>",
    ]
    head = f'<meta charset="utf-8"><title>Load test</title><style>{STYLE}</style>'
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'
    )


def _judged_row(one: Verdict) -> tuple[str, ...]:
    return one.name, f"{one.found:.4g}{'' if one.kept else ' ✗'}", f"{one.most:g}"


def _count_rows(whole: Sample) -> list[tuple[str, str]]:
    names = dict.fromkeys((*COUNTS, "recovered", *COUNTED))
    rows = [(name, f"{whole.counts[name]:,}") for name in names]
    return rows + [(name, f"{count:,}") for name, count in whole.errors.most_common()]


def _table(head: Sequence[str], rows: object) -> str:
    cells = "".join(f"<th>{name}</th>" for name in head)
    lines = [
        "<tr>"
        f"<td>{html.escape(first)}</td>"
        + "".join(f'<td class="number">{html.escape(one)}</td>' for one in rest)
        + "</tr>"
        for first, *rest in rows  # type: ignore[attr-defined]
    ]
    return f"<table><tr>{cells}</tr>{''.join(lines)}</table>"


# Charts


def quantiles(name: str) -> Callable[[Sequence[Sample]], Series]:
    """The quantiles of a time, second by second."""
    return lambda seconds: {
        label: [one.times[name].quantile(part) for one in seconds]
        for label, part in QUANTILES.items()
    }


def rates(*names: str) -> Callable[[Sequence[Sample]], Series]:
    """Counts, second by second."""
    return lambda seconds: {name: [one.counts[name] for one in seconds] for name in names}


def present(seconds: Sequence[Sample]) -> Series:
    """Who is there."""
    return {
        "players": [one.players for one in seconds],
        "connected": [one.connected for one in seconds],
    }


def wrong(seconds: Sequence[Sample]) -> Series:
    """What went wrong."""
    return {
        "errors": [one.errors.total() for one in seconds],
        **rates("lost", "doubled", "out_of_order")(seconds),
    }


CHARTS: tuple[tuple[str, str, Callable[[Sequence[Sample]], Series]], ...] = (
    ("Players", "", present),
    ("Time to an answer", "ms", quantiles("ack")),
    ("Time to a delivery", "ms", quantiles("delivery")),
    ("Time to connect", "ms", quantiles("connect")),
    ("Messages said", "/s", rates("chat:send", "duels")),
    ("Messages heard", "/s", rates("deliveries")),
    ("Wrong", "/s", wrong),
)


def chart(title: str, unit: str, series: Series) -> str:
    """Lines over time, as SVG."""
    most = max(
        (value for line in series.values() for value in line if value is not None), default=0
    )
    top = most or 1.0
    length = max(len(next(iter(series.values()))) - 1, 1)
    lines = "".join(
        f'<path d="{_path(values, top, length)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        f'<text x="{LEFT + 8 + 120 * place}" y="12" style="fill:{colour}">{label}</text>'
        for place, ((label, values), colour) in enumerate(
            zip(series.items(), COLOURS, strict=False)
        )
    )
    axes = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{ms(value)}{unit}</text>'
        for value, y in ((part * top, _y(part, 1)) for part in (0, 0.5, 1))
    )
    foot = f'<text x="{WIDTH}" y="{HEIGHT - 6}" text-anchor="end">{length + 1} s</text>'
    view = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"'
    return f"<h2>{title}</h2><svg {view}>{axes}{lines}{foot}</svg>"


def _path(values: Sequence[float | None], top: float, length: int) -> str:
    steps, pen = [], "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"  # a gap
            continue
        x = LEFT + (WIDTH - LEFT) * place / length
        steps.append(f"{pen}{x:.1f} {_y(value, top):.1f}")
        pen = "L"
    return " ".join(steps)


def _y(value: float, top: float) -> float:
    return 20 + (HEIGHT - BOTTOM - 20) * (1 - value / top)
