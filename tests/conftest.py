"""What every test run needs."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["tests.fixtures"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat what scripts/test found before the tests, where it is not scrolled away."""
    if failed := os.environ.get("FAILED_CHECKS"):
        terminalreporter.section("checks that failed before the tests", red=True, bold=True)
        terminalreporter.write_line(failed)
