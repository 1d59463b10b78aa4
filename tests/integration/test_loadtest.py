"""scripts/loadtest through its front door: a small crowd with a bad network."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.harness import ROOT, Server
from tests.integration.hosting import Host

SCENARIO = """
[load]
players = 24
ramp_seconds = 1
seconds = 3
processes = 2
room_size = 6
[chat]
per_minute = 60
[duels]
per_minute = 30
[churn]
per_minute = 6
away_seconds = 0.2
[faults]
cuts_per_minute = 20
cut_seconds = 0.2
stalls_per_minute = 6
stall_seconds = 0.3
[thresholds]
connect_p99_ms = 30000
ack_p99_ms = {ack}
delivery_p99_ms = 30000
error_rate = 0
not_recovered = 0
"""


@pytest.fixture(scope="module")
def server(session_host: Host) -> Server:
    return session_host.start(
        LIMITS__CONNECTIONS_PER_ADDRESS=1_000,
        LIMITS__AUTH_PER_MINUTE=10_000,
        LIMITS__CHAT_MESSAGES=1_000,
    )


async def loadtest(folder: Path, url: str, ack: float) -> tuple[int, str, str, Path]:
    file, page = folder / "scenario.toml", folder / "page.html"
    file.write_text(SCENARIO.format(ack=ack), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest", str(file), "--url", url, "--report", str(page)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 90)
    return process.returncode or 0, out.decode(), errors.decode(), page


async def test_a_good_server_keeps_to_the_thresholds(server: Server, tmp_path: Path):
    code, out, errors, page = await loadtest(tmp_path, server.url, 30_000)
    assert code == 0, out + errors
    counted = dict(re.findall(r"^(\S+) +([\d,]+)$", out, re.MULTILINE))
    for name in ("connects", "chat:send", "deliveries", "duels", "cuts", "recovered"):
        assert int(counted[name].replace(",", "")) > 0, name
    assert "signed in 24 of 24" in errors
    assert re.search(r"heard/s  ack [\d.]+/[\d.]+/[\d.]+", errors)
    text = page.read_text("utf-8")
    assert "kept to every threshold" in text
    assert "<svg" in text


async def test_a_threshold_that_is_broken_is_the_exit_code(server: Server, tmp_path: Path):
    code, out, _, page = await loadtest(tmp_path, server.url, 0.01)
    assert code == 1
    assert re.search(r"^BROKEN +ack_p99_ms", out, re.MULTILINE)
    assert len(re.findall(r"^BROKEN", out, re.MULTILINE)) == 1, out
    assert "broke a threshold" in page.read_text("utf-8")


async def test_where_nobody_listens_there_is_no_run(tmp_path: Path):
    code, out, errors, page = await loadtest(tmp_path, "http://127.0.0.1:9", 1)
    assert code == 2
    assert "refused" in errors.lower()
    assert out == ""
    assert not page.exists()
