"""The clients of the README, run as they stand there."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.harness import ROOT, Server

README = (ROOT / "README.md").read_text("utf-8")
URL = "http://127.0.0.1:8080"
LINES = 10
SECONDS = 20.0


def block(language: str) -> str:
    """The one code block in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert URL in found
    return str(found)


async def until(said: str, *command: str, folder: Path) -> None:
    """Run a program until it says something."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
    )
    heard = b""
    try:
        assert process.stdout
        async with asyncio.timeout(SECONDS):
            while re.search(said.encode(), heard) is None:
                line = await process.stdout.readline()
                assert line, heard.decode()
                heard += line
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.js
async def test_the_javascript_client_signs_in_and_hears_itself(
    lone: Server, tmp_path: Path
) -> None:
    code = block("js")
    assert len(code.splitlines()) <= LINES
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    (tmp_path / "client.mjs").write_text(code.replace(URL, lone.url))
    node = shutil.which("node")
    assert node, "scripts/test brings Node along"
    await until(r"(Guest-\d{4}): I am \1", node, "client.mjs", folder=tmp_path)


async def test_the_python_client_signs_in_and_hears_itself(lone: Server, tmp_path: Path) -> None:
    code = block("python")
    assert len(code.splitlines()) <= LINES
    (tmp_path / "client.py").write_text(code.replace(URL, lone.url))
    said = r"\['chat:message', .*'text': 'Hello'"
    await until(said, sys.executable, "client.py", folder=tmp_path)
