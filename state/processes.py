"""A child process of ours: started, watched, restarted when it dies, ended with us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ClassVar, NamedTuple, Protocol, Self

from state import ownership
from state.ownership import StoreStartError

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_LIMIT = 4 * 1024 * 1024  # bytes of one log file; the one before it is kept too
STOP_PATIENCE = 10.0  # seconds between asking a store to end and killing it
FIRST_DELAY = 0.5  # seconds before a store that died is started again …
LONGEST_DELAY = 5.0  # … doubled up to this while it keeps dying
STEADY = 10.0  # seconds of life after which a death counts as the first again
POLL = 0.02  # seconds between two looks at a store that is starting
LOOK_EVERY = 5.0  # seconds between two looks at one that runs


class OnEvent(Protocol):
    """Where the life of a store is told: a log's `info`, for example."""

    def __call__(self, name: str, /, **fields: object) -> None:
        """Take note of one event."""


def unheard(name: str, /, **fields: object) -> None:
    """Drop an event: what a store tells when nobody listens."""


class Daemon(ABC):
    """One program that runs as long as this object is entered.

    It gets its own session (the terminal's Ctrl-C is for the server, which then ends its
    stores in order), and on Linux it gets SIGTERM when the thread that runs the event loop
    dies. Enter it in the main thread, then.

    Args:
        directory: the program's own; nobody else's files are in it.
        on_event: told `store_started`, `store_died`, `store_stuck`, `store_restarted`,
            `store_restart_failed`, `store_orphan_ended` and `store_stopped`.
        start_timeout: seconds that one start may take, reading the data included.
    """

    name: ClassVar[str]
    look_every = LOOK_EVERY
    banner: bytes  # in the line of output that says: this very process listens

    def __init__(
        self, directory: Path, *, on_event: OnEvent = unheard, start_timeout: float = 60.0
    ) -> None:
        self.directory = directory.absolute()
        self.log_file = self.directory / f"{self.name}.log"
        self._on_event = on_event
        self._start_timeout = start_timeout
        self._claim: int | None = None
        self._child: Child | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._delay = FIRST_DELAY

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program, with an absolute path, and its arguments, the directory among them."""

    @abstractmethod
    async def answers(self) -> bool:
        """Whether a request gets its reply. May raise OSError or EOFError instead of False."""

    async def is_stuck(self) -> bool:
        """Whether nothing but a restart will help it. Asked every `look_every` seconds."""
        return False

    def prepare(self) -> None:  # noqa: B027  # a hook, not a duty
        """Get the directory ready, once, after it was claimed. Runs in a thread."""

    def clean_up(self) -> None:  # noqa: B027  # a hook, not a duty
        """Undo `prepare`, as far as it should be undone. Runs in a thread."""

    @property
    def pid(self) -> int | None:
        """The id of the running process; another one after each restart."""
        process = self._child.process if self._child else None
        return process.pid if process and process.returncode is None else None

    async def __aenter__(self) -> Self:
        """Start the program.

        Raises:
            DataDirBusy: another server uses the directory.
            StoreStartError: it does not start; the text says why and names the log file.
        """
        began = time.monotonic()
        try:
            orphan = await asyncio.to_thread(self._take_over)
            if orphan is not None:
                self._tell("store_orphan_ended", pid=orphan)
            child = await self.first_start()
        except BaseException:
            await self._stop()
            raise
        self._watcher = asyncio.create_task(self._watch(child), name=f"watch {self.name}")
        self._tell("store_started", pid=self.pid, seconds=round(time.monotonic() - began, 3))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the program: asked first, killed when it takes too long."""
        began = time.monotonic()
        await self._stop()
        self._tell("store_stopped", seconds=round(time.monotonic() - began, 3))

    def _tell(self, name: str, **fields: object) -> None:
        self._on_event(name, store=self.name, **fields)

    def _take_over(self) -> int | None:
        self._claim = ownership.claim(self.directory)
        orphan = ownership.end_orphan(self.directory, STOP_PATIENCE)
        self.prepare()
        return orphan

    async def first_start(self) -> Child:
        """The start on entering; an override may try it more than once."""
        return await self._start()

    async def _start(self) -> Child:
        """Start the program and wait until it answers; a failed start leaves none behind."""
        try:
            child = await self._spawn()
            async with asyncio.timeout(self._start_timeout):
                await self._until_ready(child)
        except BaseException as error:
            await self._end_process()
            if isinstance(error, TimeoutError):
                message = f"did not answer within {self._start_timeout:g} s"
                raise self._failure(message) from None
            raise
        return child

    async def _spawn(self) -> Child:
        lock = await asyncio.to_thread(ownership.lock_for_store, self.directory, STOP_PATIENCE)
        reader, writer = os.pipe()
        output = _Output(os.fdopen(reader, "rb"), self.log_file, self.banner)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *self.command()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                pass_fds=(lock,),
                start_new_session=True,
                cwd=self.directory,
                env=_environment(),
            )
        finally:
            os.close(writer)
            os.close(lock)
        self._child = child = Child(process, output)
        await asyncio.to_thread(ownership.record, self.directory, process.pid)
        return child

    async def _until_ready(self, child: Child) -> None:
        while child.process.returncode is None:
            # The banner first: on a port another process could answer in this one's place.
            if child.output.banner_seen.is_set():
                with contextlib.suppress(OSError, EOFError):
                    if await self.answers():
                        return
            await asyncio.sleep(POLL)
        raise self._failure(f"ended at once with code {child.process.returncode}")

    def _failure(self, what: str) -> StoreStartError:
        return StoreStartError(f"The bundled {self.name} {what}; see {self.log_file}.")

    async def _watch(self, child: Child) -> None:
        while True:
            began = time.monotonic()
            code = await self._life(child)
            self._tell("store_died", code=code)
            if time.monotonic() - began > STEADY:
                self._delay = FIRST_DELAY
            child = await self._revive()

    async def _life(self, child: Child) -> int:
        """Its exit code. What it has acknowledged survives a kill."""
        end = asyncio.create_task(child.process.wait())
        while not (await asyncio.wait([end], timeout=self.look_every))[0]:
            if await self.is_stuck():
                self._tell("store_stuck", pid=child.process.pid)
                with contextlib.suppress(ProcessLookupError):
                    child.process.kill()
        return end.result()

    async def _revive(self) -> Child:
        began = time.monotonic()
        while True:
            await asyncio.sleep(self._delay)
            self._delay = min(self._delay * 2, LONGEST_DELAY)
            try:
                child = await self._start()
            except (StoreStartError, OSError) as error:
                self._tell("store_restart_failed", reason=str(error), retry_in=self._delay)
            else:
                seconds = round(time.monotonic() - began, 3)
                self._tell("store_restarted", pid=self.pid, seconds=seconds)
                return child

    async def _stop(self) -> None:
        try:
            if self._watcher is not None:
                self._watcher.cancel()
                await asyncio.wait([self._watcher])
        finally:
            try:
                await self._end_process()
            finally:
                await asyncio.to_thread(self._release)

    async def _end_process(self) -> None:
        if self._child is None or self._child.process.returncode is not None:
            return
        process = self._child.process
        try:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            async with asyncio.timeout(STOP_PATIENCE):
                await process.wait()
        except BaseException as error:  # out of time, or cancelled: a second Ctrl-C
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if not isinstance(error, TimeoutError):
                raise

    def _release(self) -> None:
        if self._child is not None:
            self._child.output.join()
        if self._claim is not None:
            ownership.forget(self.directory)
            self.clean_up()
            os.close(self._claim)
            self._claim = None


class _Output:
    """What a program prints, kept in a bounded log file by a thread of its own.

    A thread, because a program blocks when nobody reads its output, and the event loop may
    be busy for longer than a pipe is deep.
    """

    def __init__(self, source: BinaryIO, log_file: Path, banner: bytes) -> None:
        self.banner_seen = threading.Event()
        self._source = source
        self._log_file = log_file
        self._banner = banner
        self._thread = threading.Thread(target=self._copy, name=log_file.stem, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the last line, which comes when the program has ended."""
        self._thread.join(STOP_PATIENCE)

    def _copy(self) -> None:
        with self._source:
            while line := self._source.readline(65_536):
                if self._banner in line:
                    self.banner_seen.set()
                # Opened for each line (there are few), so that a full disk stops nothing.
                with contextlib.suppress(OSError):
                    self._append(line)

    def _append(self, line: bytes) -> None:
        with self._log_file.open("ab") as log:
            log.write(line)
            full = log.tell() > LOG_LIMIT
        if full:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))


class Child(NamedTuple):
    """One run of the program, and the thread that keeps what it prints."""

    process: asyncio.subprocess.Process
    output: _Output


def _environment() -> dict[str, str]:
    """Ours without the settings: a store needs no secrets and takes no options from there."""
    ours = ("SHOWDOWN_", "SECANTUS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
