"""One node's life: what is started, in order, and ended in reverse."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from config.logging import get_logger
from config.settings import SettingsError
from game.errors import DependencyUnavailable
from jobs.workers import CANCEL_SECONDS, GAUGE_SECONDS
from server.bootstrap import Parts
from server.door import Door
from server.forward import ENGINE_PATH, Forwarder
from server.health import LAG_EVERY, PROBE_SECONDS
from server.nodes import recheck_sessions
from state.migrations import NewerDatabaseError, migrate

START_SECONDS = 30.0  # for stores that are still starting
RECHECK_SECONDS = 5.0  # how long a revocation may go unnoticed when its message was lost
SAMPLE_SECONDS = 1.0
POLL_SECONDS = 0.1
LATE_SECONDS = 0.2  # between two looks for events that could not be published
# Few of our objects are cyclic: the default of 700 looks at all of them all the time.
GC_THRESHOLD = (50_000, 50, 1_000)
KEEPALIVE_SECONDS = 75.0
BACKLOG = 128  # connections that the kernel keeps until they are accepted

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a node listens: its port, shared by workers, and its own door for forwarding.

    `probes`: it has no clients, only those who ask for its health and its metrics.
    """

    address: str
    port: int
    shared: bool = False
    door: Path | None = None
    probes: bool = False


@asynccontextmanager
async def running(parts: Parts, listen: Listen) -> AsyncIterator[int]:
    """Run a node for as long as the block lasts; yields the port that it listens on."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(parts.redis)
        await stack.enter_async_context(parts.documents)
        stack.push_async_callback(parts.office.close)
        await _prepare(parts)
        stack.push_async_callback(_last_words, parts)
        _start_tasks(parts)
        forwarder = await stack.enter_async_context(
            Forwarder(parts.node, listen.door, parts.settings.limits.frame_bytes)
        )
        runner = web.AppRunner(
            _probes(parts) if listen.probes else _application(parts, forwarder),
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            shutdown_timeout=parts.settings.shutdown.close_seconds,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        port = await _listen(parts, runner, listen, stack)
        stack.push_async_callback(_send_away, parts)
        parts.health.set("draining", ok=True)
        await _hearing(parts)
        # What lives from here on is requests': the start's objects need no more looks.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLD)
        yield port


async def _prepare(parts: Parts) -> None:
    """Wait for the stores, then make what the node stands on."""
    async with asyncio.timeout(START_SECONDS):
        await _answering(parts.redis.ping)
        await _answering(parts.documents.ping)
    world, admin = parts.world, parts.settings.admin
    await parts.membership.beat()
    try:
        await migrate(parts.documents, world.now)
    except NewerDatabaseError as error:
        raise SettingsError(str(error)) from None
    await world.accounts.prepare()
    await world.archive.prepare()
    await parts.office.prepare()
    if admin.username and admin.password:
        secret = admin.password.get_secret_value()
        families = await world.accounts.ensure_admin(admin.username, secret)
        await world.tokens.revoke(*families)
    # Before anybody is served: a duel's clock stood still while the server was dead.
    await parts.membership.bury_the_dead()


async def _hearing(parts: Parts) -> None:
    """Wait until the node hears the others: a start that was announced is ready."""
    async with asyncio.timeout(START_SECONDS):
        while not (parts.adapter.ready and parts.office.workers.healthy):  # noqa: ASYNC110 - once, for some milliseconds
            await asyncio.sleep(POLL_SECONDS / 5)
    parts.health.set("adapter", ok=True)
    parts.health.set("jobs", ok=True)


async def _answering(ping: Any) -> None:
    while True:
        try:
            await ping()
        except DependencyUnavailable:
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


def _start_tasks(parts: Parts) -> None:
    keep, health, settings = parts.supervisor.keep, parts.health, parts.settings
    health.set("adapter", ok=False)

    async def probe_adapter() -> None:
        health.set("adapter", ok=parts.adapter.ready)

    keep("probe redis", lambda: health.probe("redis", parts.redis.ping), every=PROBE_SECONDS)
    keep("probe mongo", lambda: health.probe("mongo", parts.documents.ping), every=PROBE_SECONDS)
    keep("probe adapter", probe_adapter, every=PROBE_SECONDS / 4)
    keep("watch loop", health.watch_loop, every=LAG_EVERY)
    keep("sample", lambda: _sample(parts), every=SAMPLE_SECONDS)
    keep("adapter", parts.adapter.listen)
    keep("publish late", parts.backlog.deliver, every=LATE_SECONDS)
    keep("beat", parts.membership.beat, every=settings.nodes.heartbeat_seconds)
    keep("bury", parts.membership.bury_the_dead, every=settings.nodes.heartbeat_seconds)
    keep("presence", parts.watchers.tell, every=settings.presence.batch_seconds)
    keep("recheck", lambda: _recheck(parts), every=RECHECK_SECONDS)
    _start_jobs(parts)
    for task in parts.catalogue.tasks:
        keep(task.name, partial(task, parts.world), every=task.seconds(settings))


def _start_jobs(parts: Parts) -> None:
    keep, settings, office = parts.supervisor.keep, parts.settings.jobs, parts.office
    parts.health.set("jobs", ok=False)

    async def probe() -> None:
        parts.health.set("jobs", ok=office.workers.healthy)

    async def audit_findings() -> None:
        parts.metrics.audit_findings.set(await parts.world.upkeep.log.findings())

    for worker in office.workers.workers:
        keep(f"work {worker.task.name}", worker.run)
    keep("probe jobs", probe, every=PROBE_SECONDS / 4)
    keep("cancelled jobs", office.workers.stop_cancelled, every=CANCEL_SECONDS)
    keep("orders of money", office.relay.look, every=settings.relay_seconds)
    keep("schedules", office.scheduler.look, every=settings.look_seconds)
    keep("job gauges", office.workers.show, every=GAUGE_SECONDS)
    keep("audit findings", audit_findings, every=GAUGE_SECONDS)


async def _recheck(parts: Parts) -> None:
    await recheck_sessions(parts.reception, parts.world.tokens, parts.world.now)


async def _sample(parts: Parts) -> None:
    """Read the gauges that nobody sets."""
    metrics, sockets = parts.metrics, parts.sockets.eio.sockets
    metrics.flush()
    metrics.send_buffer.set(sum(socket.waiting_bytes for socket in list(sockets.values())))
    metrics.handshakes.set(len(sockets) - len(parts.reception.sessions))
    metrics.tasks.set(len(asyncio.all_tasks()))
    metrics.pool_in_use.labels("redis").set(parts.redis.in_use)
    metrics.pool_in_use.labels("mongo").set(parts.documents.in_use)
    for state, count in (await parts.world.duels.counts()).items():
        metrics.duels.labels(state).set(count)
    metrics.match_waiting.set(await parts.world.ladder.matches.count())


def _application(parts: Parts, forwarder: Forwarder) -> web.Application:
    app = web.Application()
    parts.api.mount(app, parts.catalogue)
    parts.pages.mount(app)
    parts.api_pages.mount(app)
    parts.admin.mount(app, parts.catalogue)
    app.middlewares.append(forwarder.middleware())
    app.on_response_prepare.append(_name_no_versions)
    app.router.add_route("*", ENGINE_PATH, parts.sockets.eio.handle_request)
    return app


def _probes(parts: Parts) -> web.Application:
    app = web.Application()
    parts.api.mount_probes(app)
    app.on_response_prepare.append(_name_no_versions)
    return app


async def _name_no_versions(_: web.Request, response: web.StreamResponse) -> None:
    """The stock header says which Python and which aiohttp this is; that is nobody's business."""
    response.headers["Server"] = "Showdown"


async def _listen(
    parts: Parts, runner: web.AppRunner, listen: Listen, stack: AsyncExitStack
) -> int:
    if listen.probes:
        await web.TCPSite(runner, listen.address, listen.port).start()
        port: int = runner.addresses[0][1]
    else:
        port = await _open_door(parts, runner, listen, stack)
    if listen.door:  # last: the parent takes the door for a sign that all is open
        await web.UnixSite(runner, str(listen.door)).start()
    return port


async def _open_door(
    parts: Parts, runner: web.AppRunner, listen: Listen, stack: AsyncExitStack
) -> int:
    further = cast("Callable[[], asyncio.Protocol]", runner.server)
    door = Door(further, parts.sockets.eio.let_in, parts.addresses, KEEPALIVE_SECONDS)
    stack.callback(door.close)
    listening = await asyncio.get_running_loop().create_server(
        door, listen.address, listen.port, backlog=BACKLOG, reuse_port=listen.shared or None
    )
    stack.callback(listening.close)
    return int(listening.sockets[0].getsockname()[1])


async def _send_away(parts: Parts) -> None:
    """Tell balancers, then clients, then let what runs come to its end."""
    parts.health.set("draining", ok=False)
    log.info("draining", connections=len(parts.reception.sessions))
    grace = parts.settings.shutdown.grace_seconds
    await asyncio.gather(parts.sockets.drain(grace), parts.office.workers.stop())
    if not await parts.boundary.wait_idle(parts.settings.shutdown.close_seconds):
        log.warning("handlers_cut_off")


async def _last_words(parts: Parts) -> None:
    """Finish what can be finished; what cannot is in the stores and found by others."""
    seconds = parts.settings.shutdown.close_seconds
    await parts.supervisor.stop(seconds)
    try:
        async with asyncio.timeout(seconds):
            await parts.backlog.deliver()
            await parts.world.archive.archive_once()
            await parts.membership.leave()
    except (DependencyUnavailable, TimeoutError):
        log.warning("stores_away_at_the_end")
