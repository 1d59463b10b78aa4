"""The lock files: whether a new machine can install from them, whatever its system."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness import ROOT

FOLDERS = [".", "bench/peers"]


def lacking(packages: dict[str, Any]) -> list[str]:
    """The optional packages that the others name and nothing locks, as `needed by: package`."""
    locked = {path.rpartition("node_modules/")[2] for path in packages}
    return [
        f"{path}: {name}"
        for path, package in packages.items()
        for name in package.get("optionalDependencies", {})
        if name not in locked
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_npm_ci_finds_every_optional_package_in_the_lock(folder: str) -> None:
    # npm locks no optional package that the registry could not give it; `npm ci` then refuses all.
    lock = json.loads((ROOT / folder / "package-lock.json").read_text("utf-8"))
    assert not lacking(lock["packages"])
    assert lacking({"a": {"optionalDependencies": {"b": "1.0.0"}}}) == ["a: b"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_lock_is_of_the_versions_that_are_asked_for(folder: str) -> None:
    asked = json.loads((ROOT / folder / "package.json").read_text("utf-8"))
    lock = json.loads((ROOT / folder / "package-lock.json").read_text("utf-8"))["packages"]
    wanted = asked.get("dependencies", {}) | asked.get("devDependencies", {})
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
