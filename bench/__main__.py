"""scripts/bench: compare our server with its peers, and write down what was found."""

from __future__ import annotations

import argparse
import gc
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from bench import connections, messaging, playing, recovering, report, scaling
from bench.base import FULL, QUICK, Bench, Measure, Scenario
from bench.client import BenchFailed
from bench.processes import ROOT

SCENARIOS: tuple[Scenario, ...] = (
    *messaging.SCENARIOS,
    *connections.SCENARIOS,
    *playing.SCENARIOS,
    *recovering.SCENARIOS,
    *scaling.SCENARIOS,
)
FEW_ROUNDS = 3


def main() -> int:
    """Run what was asked for; 1 if something of it failed."""
    asked = arguments()
    _allow_many_files()
    for number in (signal.SIGINT, signal.SIGTERM):  # in the background, Ctrl-C is ignored
        signal.signal(number, lambda *_: sys.exit("stopped"))
    gc.disable()  # the load generator makes no cycles, and must not pause
    chosen = [
        one
        for one in SCENARIOS
        if (one.name in asked.only if asked.only else not (asked.quick and one.huge))
    ]
    scale = QUICK if asked.quick else FULL
    if asked.rounds:
        scale = replace(scale, rounds=asked.rounds)
    with ExitStack() as whole:
        results = run_all(chosen, Bench(scale, whole))
    if results and not asked.dry and not asked.quick:
        report.write(results, scale.rounds, scale.seconds, ROOT / "docs")
    return len(results) < len(chosen)


def run_all(chosen: Sequence[Scenario], bench: Bench) -> list[report.Result]:
    """Run scenario after scenario; one that fails says so and is left out."""
    results = []
    for scenario in chosen:
        try:
            result = run(scenario, bench)
        except BenchFailed as failure:
            print(f"{scenario.name} failed: {failure}", file=sys.stderr, flush=True)
        else:
            results.append(result)
            print(report.text([result]), flush=True)
        finally:
            bench.stack.close()
    return results


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes, not recorded")
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=[one.name for one in SCENARIOS]
    )
    parser.add_argument("--rounds", type=int, help="instead of the usual number")
    parser.add_argument("--dry", action="store_true", help="print the table, write nothing")
    return parser.parse_args()


def run(scenario: Scenario, bench: Bench) -> report.Result:
    """Measure all sides in turn, round by round, each round in another order."""
    measures: dict[str, Measure] = {side: scenario.prepare(bench, side) for side in scenario.sides}
    result = report.Result(scenario, {side: [] for side in scenario.sides})
    if not scenario.fresh:
        for measure in measures.values():
            measure()  # Node compiles what is hot meanwhile
    rounds = min(bench.scale.rounds, FEW_ROUNDS) if scenario.fresh else bench.scale.rounds
    for number in range(rounds):
        sides = list(scenario.sides)
        for side in sides if number % 2 == 0 else reversed(sides):
            gc.collect()
            bench.breathe()
            result.rounds[side].append(measures[side]())
    return result


def _allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
