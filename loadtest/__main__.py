"""scripts/loadtest: play a scenario against a server; 0 if it kept to the thresholds, else 1."""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

from loadtest import report
from loadtest.accounts import RefusedError
from loadtest.progress import Progress
from loadtest.scenario import Scenario, read
from loadtest.stats import Sample
from loadtest.verdict import verdicts
from loadtest.worker import Share, work

STOPPED = 130  # the exit code of what was stopped by Ctrl-C
END_SECONDS = 5.0  # for a process to be gone


class Run:
    """All processes of a run, and what they tell."""

    def __init__(self, scenario: Scenario, url: str, progress: Progress) -> None:
        self.seconds: list[Sample] = []
        self.whole = Sample()
        self._scenario = scenario
        self._progress = progress
        self._guests: dict[Connection, int] = {}
        self._told: dict[Connection, int] = {}
        context = multiprocessing.get_context("spawn")
        self._processes = []
        self._lines: list[Connection] = []
        run = secrets.token_hex(3)
        for index in range(scenario.load.processes):
            ours, theirs = context.Pipe()
            share = Share(scenario, url, run, index)
            process = context.Process(target=work, args=(share, theirs), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._lines.append(ours)

    def play(self) -> None:
        """From the first guest to the last message.

        Raises:
            RefusedError: a process failed.
        """
        wanted = self._scenario.load.players
        while sum(self._guests.values()) < wanted:
            self._listen(self._lines)
        for line in self._lines:
            line.send("go")
        left = list(self._lines)
        while left:
            ended = self._listen(left)
            left = [line for line in left if line not in ended]
        self._progress.end()

    def _listen(self, lines: Sequence[Connection]) -> list[Connection]:
        """Hear who has something to say; those that are done."""
        ended = []
        for one in connection.wait(lines):
            line = cast("Connection", one)
            try:
                kind, said = line.recv()
            except EOFError:
                raise RefusedError("a process of the load ended") from None
            self._take(line, kind, said)
            if kind == "end":
                ended.append(line)
        return ended

    def _take(self, line: Connection, kind: str, said: Any) -> None:
        if kind == "failed":
            raise RefusedError(said)
        if kind == "guests":
            self._guests[line] = said
            self._progress.guests(sum(self._guests.values()), self._scenario.load.players)
            return
        sample = Sample.load(said)
        if kind == "end":  # what came when the time was over
            self.whole.add(sample)
            return
        second = self._told[line] = self._told.get(line, 0) + 1
        if len(self.seconds) < second:
            self.seconds.append(Sample())
        self.seconds[second - 1].add(sample)
        self.whole.add(sample)
        if all(self._told.get(one, 0) >= second for one in self._lines):
            load = self._scenario.load
            lasts = load.ramp_seconds + load.seconds
            self._progress.second(second, lasts, self.seconds[second - 1], self.whole)

    def stop(self) -> None:
        """Be sure that nobody goes on."""
        for process in self._processes:
            process.terminate()
            process.join(END_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, report, judge: 0 and 1 say how it went, 2 that it could not be played."""
    asked = _arguments(arguments)
    try:
        scenario = read(asked.scenario)
        run = Run(scenario, asked.url, Progress())
    except (OSError, ValueError) as error:
        print(f"loadtest: {asked.scenario}: {error}", file=sys.stderr)
        return 2
    try:
        run.play()
    except RefusedError as error:
        print(f"\nloadtest: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return STOPPED
    finally:
        with suppress(KeyboardInterrupt):
            run.stop()
    judged = list(verdicts(scenario.thresholds, run.whole))
    print(report.text(run.whole, judged))
    if asked.report:
        page = report.page(asked.url, scenario, run.seconds, run.whole, judged)
        asked.report.write_text(page, "utf-8")
    return 0 if all(one.kept for one in judged) else 1


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/loadtest", description=__doc__)
    parser.add_argument("scenario", type=Path, help="a TOML file: docs/loadtest.md")
    parser.add_argument("--url", default="http://127.0.0.1:5000", help="of the server")
    parser.add_argument("--report", type=Path, help="write an HTML page with charts there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
