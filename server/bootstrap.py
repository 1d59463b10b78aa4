"""All wiring, in one file that reads like a parts list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from config.settings import Settings
from handlers import reactions
from handlers.base import World
from handlers.registry import Catalogue
from handlers.ways import Ways
from jobs.base import Task
from jobs.office import Office
from server import payments, settlement
from server.admin import Admin
from server.api import Api
from server.auth import Authenticator
from server.backlog import Backlog
from server.boundary import Boundary, new_request_id
from server.broadcast import Adapter, Hub, RoomPublisher
from server.census import Census
from server.documents.pages import ApiPages
from server.health import Details, Health
from server.http_address import Addresses
from server.mail import Smtp
from server.metrics import Metrics
from server.nodes import Membership
from server.outgoing import Outgoing
from server.pages import Pages
from server.push import WebPush
from server.reception import Reception
from server.session import Places
from server.sockets import SocketServer
from server.stores import Stores
from server.supervisor import Supervisor
from server.watchers import Watchers
from state.accounts import Accounts
from state.archive import Archive
from state.belongings import Belongings
from state.chat import Chat
from state.connect import RedisStore
from state.copies import Copies
from state.deletions import Deletions
from state.documents import DocumentStore
from state.duels import Duels
from state.economy import Economy
from state.entrance import Entrance
from state.friends import Friends
from state.ladder import Ladder
from state.live import Clock, Live
from state.moderation import Moderation
from state.operations import OperationsLog
from state.outbound import Outbound
from state.profiles import Profiles
from state.rates import Rates
from state.recovery import Recovery
from state.tokens import Tokens
from state.upkeep import Upkeep


@dataclass(frozen=True, slots=True)
class Parts:
    """One node, put together; server/app.py gives it a life."""

    settings: Settings
    node: str
    redis: RedisStore
    documents: DocumentStore
    world: World
    catalogue: Catalogue
    boundary: Boundary
    metrics: Metrics
    health: Health
    adapter: Adapter
    backlog: Backlog
    watchers: Watchers
    reception: Reception
    sockets: SocketServer
    addresses: Addresses
    membership: Membership
    supervisor: Supervisor
    api: Api
    pages: Pages
    api_pages: ApiPages
    admin: Admin
    office: Office


def build(
    settings: Settings,
    stores: Stores,
    *,
    catalogue: Catalogue,
    node: str,
    tasks: Sequence[Task[Any]],
    hired: Collection[str],
) -> Parts:
    """Put a node together. Nothing is started, nothing is connected.

    Args:
        hired: the queues, named as their tasks, that this node works on.
    """
    metrics = Metrics()
    redis = RedisStore(stores.redis_url, settings.redis, metrics.observe_store)
    copies = Copies(redis, settings.mongo.copy_seconds)
    documents = DocumentStore(stores.mongo_url, settings.mongo, metrics.observe_store, copies)
    clock = Clock()
    recovery = Recovery(redis, settings.recovery, settings.limits)
    backlog = Backlog(recovery, metrics)
    hub = Hub()
    adapter = Adapter(redis, recovery, hub, metrics, clock, node)
    publisher = RoomPublisher(recovery, backlog, adapter)
    backlog.on_lost = publisher.lost
    duels = Duels(redis, settings)
    office = Office(
        settings,
        redis,
        documents,
        clock,
        metrics.jobs,
        tasks=tasks,
        hired=hired,
        observe=metrics.observe_store,
    )
    accounts = Accounts(documents, settings, clock)
    economy = Economy.build(documents, duels, settings, clock)
    friends = Friends(documents, settings.social, clock)
    tokens = Tokens(redis, stores.secret, settings, clock)
    world = World(
        settings=settings,
        now=clock,
        accounts=accounts,
        profiles=Profiles(documents, accounts, settings, clock),
        tokens=tokens,
        entrance=Entrance(accounts, friends, tokens, copies),
        rates=Rates(redis, settings),
        live=Live(redis, settings.limits, node, settings.nodes.lease_seconds),
        chat=Chat(redis, settings),
        archive=Archive(documents, redis, settings, metrics.archived.inc),
        duels=duels,
        outbound=Outbound.build(documents, settings, clock),
        ways=_ways(settings, metrics, stores.secret.get_secret_value()),
        friends=friends,
        economy=economy,
        moderation=Moderation.build(documents, clock, metrics.open_reports.set),
        operations=OperationsLog(documents, clock),
        ladder=Ladder.build(redis, documents, settings, clock, metrics.match_wait.observe),
        belongings=Belongings(documents, redis, economy.ledger),
        deletions=Deletions(documents, settings.auth.fresh_seconds * 1000, clock),
        publisher=publisher,
        jobs=office.queues,
        schedules=office.scheduler,
        upkeep=Upkeep(documents),
        reactions=reactions.react,
        provider=payments.provider(settings),
        settlement=settlement.outside(settings.settlement),
        erasing=catalogue.erasing,
        exporting=catalogue.exporting,
    )
    boundary = Boundary(metrics, settings.limits.handler_seconds)
    office.hire(world, catalogue, boundary.guard, new_request_id)
    addresses = Addresses(settings.http)
    authenticator = Authenticator(accounts, tokens, world.entrance, clock)
    health = Health(metrics)
    watchers = Watchers(world.live, settings.presence.watched_per_connection)
    reception = Reception(
        settings=settings,
        world=world,
        catalogue=catalogue,
        boundary=boundary,
        places=Places(hub, adapter, watchers, recovery),
        publisher=publisher,
        authenticator=authenticator,
        metrics=metrics,
        ask=redis.ask,
    )
    sockets = SocketServer(
        limits=settings.limits,
        node=node,
        catalogue=catalogue,
        boundary=boundary,
        reception=reception,
        addresses=addresses,
        metrics=metrics,
        world=world,
    )
    api = Api(
        world=world,
        boundary=boundary,
        authenticator=authenticator,
        addresses=addresses,
        health=health,
        metrics=metrics,
        limits=settings.limits,
        details=lambda: _details(node, redis, documents, reception, office),
    )
    pages = Pages()
    census = Census(world.live, hub, reception.sessions, publisher.ask)
    publisher.find, reception.on_census = census.find, census.hear
    watchers.send = reception.send
    adapter.on_nodes = reception.hear
    adapter.on_gap = reception.start_over
    adapter.on_ready = watchers.all_changed
    return Parts(
        settings=settings,
        node=node,
        redis=redis,
        documents=documents,
        world=world,
        catalogue=catalogue,
        boundary=boundary,
        metrics=metrics,
        health=health,
        adapter=adapter,
        backlog=backlog,
        watchers=watchers,
        reception=reception,
        sockets=sockets,
        addresses=addresses,
        membership=Membership(world.live, clock, reception, settings.nodes, documents.free_locks),
        supervisor=Supervisor(boundary, metrics),
        office=office,
        api=api,
        pages=pages,
        api_pages=ApiPages(catalogue, settings),
        admin=Admin(
            world=world,
            api=api,
            pages=pages,
            boundary=boundary,
            authenticator=authenticator,
            addresses=addresses,
        ),
    )


def _ways(settings: Settings, metrics: Metrics, secret: str) -> Ways:
    hooks, push = settings.webhooks, settings.push

    def count_of(kind: str) -> Callable[[str], None]:
        return lambda outcome: metrics.outgoing.labels(kind, outcome).inc()

    pushed = Outgoing(
        private=push.private,
        seconds=push.timeout_seconds,
        slots=hooks.concurrency,
        count=count_of("push"),
    )
    return Ways(
        webhooks=Outgoing(
            private=hooks.private,
            seconds=hooks.timeout_seconds,
            slots=hooks.concurrency,
            count=count_of("webhook"),
        ),
        disabled=metrics.webhooks_disabled.inc,
        mail=Smtp(settings.email, count_of("email")) if settings.email.host else None,
        push=WebPush(push, push.secret.get_secret_value() if push.secret else secret, pushed),
        secret=secret,
    )


def _details(
    node: str, redis: RedisStore, documents: DocumentStore, reception: Reception, office: Office
) -> Details:
    return {
        "node": node,
        "connections": len(reception.sessions),
        "stores": {
            "redis": {"in_use": redis.in_use, "size": redis.size, "open": redis.breaker.open},
            "mongo": {
                "in_use": documents.in_use,
                "size": documents.size,
                "open": documents.breaker.open,
            },
        },
        "works_on": [worker.task.name for worker in office.workers.workers],
        "beyond": office.beyond,
    }
