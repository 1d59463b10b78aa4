"""Schemathesis against the REST part: whatever it sends, the answers are as documented."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from server.documents.examples import BY_NAME
from tests.harness import ROOT, Server, Table
from tests.sizes import sized

CONFIG = ROOT / "tests" / "integration" / "schemathesis.toml"
LAST = ("change_password", "deletion_delete", "logout")
KNOWN = ("username", "password")
SECONDS = sized("SCHEMATHESIS_SECONDS", 8, 60)  # of fuzzing, all calls together
PATIENCE = 80 + SECONDS


async def schemathesis(server: Server, token: str, folder: Path, *options: str) -> str:
    """What it says; it must have found nothing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"),
        *(f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {token}"),
        *("--max-time", str(SECONDS), "--max-examples", "25", "--no-color", *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = said.decode()
    assert process.returncode == 0, text
    return text


@pytest.mark.slow
async def test_schemathesis_finds_nothing(lone: Server, table: Table, tmp_path: Path) -> None:
    # Whom the examples of the documents sign in as.
    await table.post(lone.url, "/auth/register", {name: BY_NAME[name] for name in KNOWN})
    admin = await table.admin(lone.url)
    token = admin.tokens["access_token"]
    # These come last, or the rest would only ever be refused: a sign-out ends the token, and
    # an administrator whose password nobody guesses may do neither of the others.
    excluded = [text for name in LAST for text in ("--exclude-operation-id", name)]
    said = await schemathesis(lone, token, tmp_path, *excluded)
    assert "Authentication failed" not in said, said
    included = [text for name in LAST for text in ("--include-operation-id", name)]
    await schemathesis(lone, token, tmp_path, *included)
