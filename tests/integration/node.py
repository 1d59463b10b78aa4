"""Node, the stock JavaScript client, and the scripts of js/, which print lines of JSON."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from tests.harness import ROOT

SCRIPTS = ROOT / "tests" / "integration" / "js"
SECONDS = 30.0


class Node:
    """A script that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> dict[str, Any]:
        """The next line; what it writes to standard error is shown by pytest."""
        assert self._process.stdout
        text = await asyncio.wait_for(self._process.stdout.readline(), SECONDS)
        assert text, "the script ended"
        said: dict[str, Any] = orjson.loads(text)
        return said

    async def step(self, name: str) -> dict[str, Any]:
        """The data of the next line, which must be of that step."""
        said = await self.line()
        assert said["step"] == name, said
        data: dict[str, Any] = said["data"]
        return data

    async def ended(self) -> int:
        """Its exit code."""
        return await asyncio.wait_for(self._process.wait(), SECONDS)


@asynccontextmanager
async def node(script: str, *arguments: str) -> AsyncIterator[Node]:
    """Run a script for the length of a block."""
    program = shutil.which("node", path=f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert program, "scripts/test brings Node along"
    process = await asyncio.create_subprocess_exec(
        *(program, str(SCRIPTS / script), *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        yield Node(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def check_upgrades(url: str, clients: int, messages: int) -> list[dict[str, Any]]:
    """All began with polling, ended with WebSocket, and heard everybody in order."""
    async with node("upgrade.mjs", url, str(clients), str(messages)) as script:
        reports = [await script.line() for _ in range(clients)]
        assert await script.ended() == 0
    for report in reports:
        assert (report["began"], report["transport"]) == ("polling", "websocket")
        own = [text for text in report["heard"] if text.startswith(report["id"])]
        assert own == [f"{report['id']} {number}" for number in range(messages)]
        # Who joined later missed the beginning of what others said, and nothing after that.
        for other in reports:
            heard = [text for text in report["heard"] if text.startswith(other["id"])]
            said = [f"{other['id']} {number}" for number in range(messages)]
            assert heard == said[len(said) - len(heard) :]
        assert report["heard"][-1] == "the end"
    return reports
