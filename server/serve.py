"""The command `serve`: the stores if we own them, then one node, or several workers."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from config.logging import get_logger
from config.settings import Settings, SettingsError
from handlers.catalogue import CATALOGUE
from jobs.catalogue import TASKS
from server.app import Listen, running
from server.bootstrap import build
from server.memory import keep_small
from server.stores import Stores, opened
from server.workers import WORKER, Workers
from state.ownership import DataDirBusy

FORCED = 130  # the exit code after a second signal, as a shell's for Ctrl-C

log = get_logger(__name__)


def run(settings: Settings) -> int:
    """Serve until a signal says to stop; a second one does not wait.

    Raises:
        SettingsError: the data directory is in use by another server.
    """
    keep_small()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings))
    except DataDirBusy as error:
        raise SettingsError(str(error)) from None
    return 0


def work(settings: Settings, queues: Collection[str]) -> int:
    """Work on queues, without clients, until a signal says to stop.

    Raises:
        SettingsError: there is no such queue, or the stores are another process' own.
    """
    known = [task.name for task in TASKS]
    if unknown := set(queues) - set(known):
        raise SettingsError(f"no such queue: {', '.join(sorted(unknown))} ({', '.join(known)})")
    if settings.embedded:
        raise SettingsError("work needs SHOWDOWN_REDIS_URL and SHOWDOWN_MONGO_URL")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_work(settings, queues or known))
    return 0


async def _work(settings: Settings, queues: Collection[str]) -> None:
    stop, node = _stop_on_signals(), secrets.token_hex(4)
    listen = Listen(settings.address, settings.port, probes=True)
    async with opened(settings) as stores:
        await _serve_node(settings, stores, listen, node, stop, _announce, queues)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:  # there is none for Windows
        return None
    import uvloop  # noqa: PLC0415 - where there is one

    return uvloop.new_event_loop


async def _serve(settings: Settings) -> None:
    stop = _stop_on_signals()
    if worker := os.environ.get(WORKER):
        await _serve_as_worker(settings, worker, stop)
        return
    async with opened(settings) as stores:
        if settings.workers > 1:
            async with Workers(settings, stores) as workers:
                _announce(settings, workers.port)
                await stop.wait()
        else:
            node = secrets.token_hex(4)
            listen = Listen(settings.address, settings.port)
            await _serve_node(settings, stores, listen, node, stop, _announce)


async def _serve_as_worker(settings: Settings, worker: str, stop: asyncio.Event) -> None:
    node, door = worker.split(" ", 1)
    if not (settings.redis_url and settings.mongo_url and settings.auth.secret):
        raise SettingsError(f"{WORKER} is the parent's to set")
    stores = Stores(settings.redis_url, settings.mongo_url, settings.auth.secret)
    listen = Listen(settings.address, settings.port, shared=True, door=Path(door))
    await _serve_node(settings, stores, listen, node, stop, lambda *_: None)


async def _serve_node(
    settings: Settings,
    stores: Stores,
    listen: Listen,
    node: str,
    stop: asyncio.Event,
    announce: Callable[[Settings, int], None],
    hired: Collection[str] | None = None,
) -> None:
    if hired is None:
        hired = [task.name for task in TASKS] if settings.jobs.workers else ()
    parts = build(
        settings,
        stores,
        catalogue=CATALOGUE,
        node=node,
        tasks=TASKS,
        hired=hired,
    )
    async with running(parts, listen) as port:
        log.info("serving", node=node, port=port)
        announce(settings, port)
        await stop.wait()


def _announce(settings: Settings, port: int) -> None:
    """Say where the server is, to people and to scripts that read standard output."""
    print(f"Showdown is ready: http://{settings.address}:{port}/", flush=True)


def _stop_on_signals() -> asyncio.Event:
    """Set at the first SIGTERM or Ctrl-C; the second ends the process at once."""
    stop = asyncio.Event()

    def asked(*_: Any) -> None:
        if stop.is_set():
            os._exit(FORCED)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop
