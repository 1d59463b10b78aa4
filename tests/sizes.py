"""How much a test does: little by default, much with LONG=1 (as scripts/test --chaos does)."""

from __future__ import annotations

import os

import pytest

LONG = bool(os.environ.get("LONG"))
ONLY_LONG = pytest.mark.skipif(not LONG, reason="LONG=1 is not set")

DRIVERS = ["motor", "pymongo"] if LONG else ["motor"]
"""Of what is long and means the same to both, which the shorter contract tests prove."""


def sized(name: str, short: int, long: int) -> int:
    """A number for a test; the environment may set it by its name."""
    return int(os.environ.get(name, long if LONG else short))
