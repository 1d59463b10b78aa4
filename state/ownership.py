"""Whose data directory is it: one server at a time, one store at a time, no orphans.

Two locks lie in the directory of a store. `server.lock` is held by the server that runs the
store and vanishes with it. `store.lock` is inherited by the store itself, so that no second
store can open the same files, even when the first was left behind by a killed server.
Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

PID_FILE = "store.pid"
SERVER_LOCK = "server.lock"
STORE_LOCK = "store.lock"
POLL = 0.02  # seconds between two looks at a process that is ending


class StoreStartError(RuntimeError):
    """A bundled store did not start; the text is one sentence for the person who starts it."""


class DataDirBusy(StoreStartError):
    """Another running server uses the data directory."""


class Process(NamedTuple):
    """What tells a process from a later one with the same id: when it started, what it runs."""

    started: str
    command: str


def claim(directory: Path) -> int:
    """Make the directory and take its server lock; closing the descriptor gives it back.

    Raises:
        DataDirBusy: another server holds it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / SERVER_LOCK
    lock = _try_lock(path)
    if lock is None:
        owner = path.read_text().strip() or "unknown"
        message = (
            f"The data directory {directory.parent} is in use by another server "
            f"(process {owner}): stop that one, or choose another SHOWDOWN_DATA_DIR."
        )
        raise DataDirBusy(message)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def lock_for_store(directory: Path, patience: float) -> int:
    """Take the lock that the store will inherit, waiting for its predecessor to be gone.

    Args:
        directory: the directory of the store.
        patience: seconds to wait.

    Raises:
        StoreStartError: some process still has the files open after that time.
    """
    deadline = time.monotonic() + patience
    while (lock := _try_lock(directory / STORE_LOCK)) is None:
        if time.monotonic() > deadline:
            message = f"A process that is not known here still holds the files in {directory}."
            raise StoreStartError(message)
        time.sleep(POLL)
    return lock


def record(directory: Path, pid: int) -> None:
    """Note which process runs the store, for `end_orphan` of a later start."""
    process = describe(pid)
    if process is None:  # it died at once; whoever waits for it will see that
        return
    scratch = directory / f"{PID_FILE}.new"
    scratch.write_text(json.dumps({"pid": pid, "started": process.started}))
    scratch.replace(directory / PID_FILE)


def forget(directory: Path) -> None:
    """Remove the note of `record`: the store was ended in order."""
    (directory / PID_FILE).unlink(missing_ok=True)


def end_orphan(directory: Path, patience: float) -> int | None:
    """End the store that a killed server left behind in this directory, if there is one.

    A process is ours only when its id, its start time and the directory in its command line
    all agree with the note: ids are reused.

    Args:
        directory: the directory of the store.
        patience: seconds that it gets to end by itself before it is killed.

    Returns:
        The id of the process that was ended, or None.

    Raises:
        StoreStartError: it could not be ended.
    """
    try:
        note = json.loads((directory / PID_FILE).read_text())
        pid, started = int(note["pid"]), str(note["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not _is_ours(pid, started, directory):
        return None
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _ends_within(patience, pid, started, directory):
            return pid
    message = f"Process {pid} was left behind in {directory} and cannot be ended."
    raise StoreStartError(message)


def describe(pid: int) -> Process | None:
    """The start time and command line of a living process, None when there is none."""
    return _from_proc(pid) if sys.platform == "linux" else _from_ps(pid)


def _from_proc(pid: int) -> Process | None:
    try:
        # The name in parentheses may hold spaces; state is the first field after it,
        # the start time in ticks since boot the twentieth (proc(5), fields 3 and 22).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    if fields[0] == "Z":
        return None
    return Process(fields[19], os.fsdecode(command.replace(b"\0", b" ")))


def _from_ps(pid: int) -> Process | None:
    command = ["ps", "-ww", "-o", "lstart=,command=", "-p", str(pid)]
    plain = {**os.environ, "LC_ALL": "C"}  # the width of a date depends on the language
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)  # noqa: S603
    line = found.stdout.strip()
    # "Sun Nov 22 09:31:56 2026 /path/to/program …": lstart is 24 characters wide.
    return Process(line[:24], line[24:].strip()) if line else None


def _is_ours(pid: int, started: str, directory: Path) -> bool:
    process = describe(pid)
    return process is not None and process.started == started and str(directory) in process.command


def _ends_within(patience: float, pid: int, started: str, directory: Path) -> bool:
    deadline = time.monotonic() + patience
    while _is_ours(pid, started, directory):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _try_lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
