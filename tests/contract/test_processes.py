"""Child processes: nobody else's is ended, ours always is, and their output is bounded."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from state import ownership, processes
from state.embedded import StoreStartError
from state.processes import Daemon
from tests.contract.stores_kit import DEAF, SLEEP, Events, kill, program, running


class Script(Daemon):
    """A Python program in the place of a store: behaviour that no store shows on demand."""

    name = "script"
    banner = b"ready"

    def __init__(self, directory: Path, code: str, **options: Any) -> None:
        super().__init__(directory, **options)
        self.code = code

    def command(self) -> Sequence[str]:
        return program(self.code, str(self.directory))

    async def answers(self) -> bool:
        return True


def test_an_id_that_was_given_to_a_later_process_is_left_alone(tmp_path):
    with running(program(SLEEP, str(tmp_path))) as later:
        note = {"pid": later.pid, "started": "at another time"}
        (tmp_path / ownership.PID_FILE).write_text(json.dumps(note))
        assert ownership.end_orphan(tmp_path, 1) is None
        assert later.poll() is None


@pytest.mark.parametrize("note", ["", "{}", "[]", '{"pid": "x", "started": 1}'])
def test_a_note_that_was_torn_by_a_crash_names_no_orphan(note, tmp_path):
    (tmp_path / ownership.PID_FILE).write_text(note)
    assert ownership.end_orphan(tmp_path, 1) is None


def test_an_orphan_that_does_not_listen_is_killed(tmp_path):
    with running(program(DEAF, str(tmp_path))) as orphan:
        assert orphan.stdout is not None
        orphan.stdout.readline()
        ownership.record(tmp_path, orphan.pid)
        assert ownership.end_orphan(tmp_path, 0.1) == orphan.pid
        assert orphan.wait(5) == -signal.SIGKILL


def test_ps_and_proc_agree_on_what_runs():
    if sys.platform != "linux" or shutil.which("ps") is None:
        pytest.skip("compares /proc with ps: needs Linux and the command ps")
    with running(program(SLEEP, "these words")) as process:
        by_ps, by_proc = ownership._from_ps(process.pid), ownership._from_proc(process.pid)
    assert by_ps is not None
    assert by_proc is not None
    assert by_ps.command.split() == by_proc.command.split()
    assert ownership._from_ps(process.pid) is None
    assert ownership._from_proc(process.pid) is None


async def test_a_program_that_never_answers_is_given_up(tmp_path):
    script = Script(tmp_path, SLEEP, start_timeout=0.3)
    with pytest.raises(StoreStartError, match=r"did not answer within 0.3 s; see .*script.log"):
        await script.__aenter__()
    assert script.pid is None


async def test_a_program_that_does_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "STOP_PATIENCE", 0.2)
    async with Script(tmp_path, DEAF) as script:
        pid = script.pid
    assert pid is not None
    assert ownership.describe(pid) is None


@pytest.mark.parametrize("turns", [1, 2, 3, 10])
async def test_a_stop_that_is_cancelled_ends_the_program_all_the_same(tmp_path, monkeypatch, turns):
    monkeypatch.setattr(processes, "STOP_PATIENCE", 0.2)
    script = await Script(tmp_path, DEAF).__aenter__()
    pid = script.pid
    stop = asyncio.create_task(script.__aexit__(None, None, None))
    for _ in range(turns):
        await asyncio.sleep(0)
    stop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stop
    assert pid is not None
    assert ownership.describe(pid) is None
    async with Script(tmp_path, f"print('ready'); {SLEEP}"):
        pass


@pytest.mark.chaos
async def test_a_program_that_keeps_dying_is_started_ever_more_rarely(tmp_path, monkeypatch):
    events = Events()
    monkeypatch.setattr(processes, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(processes, "LONGEST_DELAY", 0.04)
    once = "import pathlib, sys, time; mark = pathlib.Path(sys.argv[1], 'mark')\n"
    once += "if mark.exists(): sys.exit(3)\nmark.touch(); print('ready'); time.sleep(60)"
    async with Script(tmp_path, once, on_event=events) as script:
        kill(script)
        for _ in range(4):
            await events.until("store_restart_failed")
        (tmp_path / "mark").unlink()
        await events.until("store_restarted")
    waits = [told["retry_in"] for name, told in events.seen if name == "store_restart_failed"]
    assert waits[:4] == [0.02, 0.04, 0.04, 0.04]


async def test_the_log_is_bounded_and_output_never_blocks_a_program(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "LOG_LIMIT", 10_000)
    chatter = "print(*range(9999), 'ready', sep='\\n')"
    async with Script(tmp_path, f"{chatter}; {SLEEP}"):
        pass
    logs = sorted(tmp_path.glob("script.log*"))
    assert [log.name for log in logs] in (["script.log", "script.log.1"], ["script.log.1"])
    assert sum(log.stat().st_size for log in logs) < 3 * processes.LOG_LIMIT
    assert logs[0].read_text().endswith("ready\n")


async def test_a_store_sees_no_secret_of_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOWDOWN_AUTH__SECRET", "hidden")
    look = f"import os; print(*os.environ, 'ready'); {SLEEP}"
    async with Script(tmp_path, look) as script:
        pass
    assert "SHOWDOWN" not in script.log_file.read_text()
    assert "PATH" in script.log_file.read_text()
