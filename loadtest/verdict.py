"""Whether a run kept to its thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loadtest.scenario import Thresholds
from loadtest.stats import TIMED, Sample

COUNTED = ("lost", "doubled", "out_of_order", "not_recovered", "broken")


@dataclass(frozen=True)
class Verdict:
    """One threshold, and what was found."""

    name: str
    found: float
    most: float

    @property
    def kept(self) -> bool:
        """Whether it was kept to."""
        return self.found <= self.most


def verdicts(thresholds: Thresholds, whole: Sample) -> Iterator[Verdict]:
    """Each threshold that is set. Where nothing was timed there is nothing to keep to, but for
    the sign-ins, without which there was no run.
    """
    for name in TIMED:
        most = getattr(thresholds, f"{name}_p99_ms")
        nothing = float("inf") if name == "connect" else 0.0
        if most is not None:
            found = whole.times[name].quantile(0.99)
            yield Verdict(f"{name}_p99_ms", nothing if found is None else found, most)
    if thresholds.error_rate is not None:
        yield Verdict("error_rate", whole.error_rate, thresholds.error_rate)
    for name in COUNTED:
        most = getattr(thresholds, name)
        if most is not None:
            yield Verdict(name, whole.counts[name], most)
