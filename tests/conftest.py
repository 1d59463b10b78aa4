"""What every test run needs."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["tests.fixtures"]

LONGEST_FIRST = ("chaos", "e2e", "integration", "contract", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker ends long after the others."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    """Where its folder comes; one of no known folder comes last."""
    folder = item.path.parent.name
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat what scripts/test found before the tests, where it is not scrolled away."""
    if failed := os.environ.get("FAILED_CHECKS"):
        terminalreporter.section("checks that failed before the tests", red=True, bold=True)
        terminalreporter.write_line(failed)
