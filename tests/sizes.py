"""How much a test does: little by default, much with LONG=1 (scripts/test --long)."""

from __future__ import annotations

import os

LONG = bool(os.environ.get("LONG"))

DRIVERS = ["motor", "pymongo"] if LONG else ["motor"]
"""Of what is long and means the same to both, which the shorter contract tests prove."""


def sized(name: str, short: int, long: int) -> int:
    """A number for a test; the environment may set it by its name."""
    return int(os.environ.get(name, long if LONG else short))
