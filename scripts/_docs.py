"""Write docs/api and clients anew: everything that is generated from the server's types.

Run from the root of the checkout, with Node and node_modules (scripts/docs sees to both).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from config.settings import Settings
from handlers.catalogue import CATALOGUE
from scripts._python_client import python_client
from scripts._typescript import merged, socket_types
from server.documents.asyncapi import asyncapi
from server.documents.openapi import openapi

ROOT = Path(__file__).resolve().parents[1]
MAKER = ROOT / "node_modules" / ".bin" / "openapi-typescript"
OPTIONS = ("--root-types", "--root-types-no-schema-prefix", "--default-non-nullable=false")


def main() -> None:
    """Write all of it."""
    for path, text in generated().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, "utf-8")
        print(f"{path}: {len(text):,} characters")


def generated() -> dict[str, str]:
    """Every generated file with what it should have, settings at their defaults."""
    settings = Settings.model_construct()
    rest, live = openapi(CATALOGUE, settings), asyncapi(CATALOGUE, settings)
    return {
        "docs/api/openapi.json": _json(rest),
        "docs/api/asyncapi.json": _json(live),
        "clients/python/showdown_client.py": _formatted(python_client(rest, live)),
        "clients/typescript/showdown.ts": typescript(rest, live),
    }


def typescript(rest: dict[str, Any], live: dict[str, Any]) -> str:
    """The types of REST and schemas by openapi-typescript, those of the socket by us."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "api.json", Path(folder) / "api.ts"
        source.write_text(_json(merged(rest, live)), "utf-8")
        command = [str(MAKER), str(source), "-o", str(target), *OPTIONS]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        return target.read_text("utf-8") + socket_types(live)


def _formatted(text: str) -> str:
    """By ruff, as everything else is."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename=showdown_client.py", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, input=text, cwd=ROOT)
    return done.stdout


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
