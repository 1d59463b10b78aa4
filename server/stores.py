"""The stores that a process stands on: those of the settings, or its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from config.logging import get_logger
from config.settings import Settings, embedded_secret
from state.connect import RedisStore
from state.embedded import EmbeddedDocuments, EmbeddedValkey
from state.live import Live

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the live and the durable state are, and what signs tokens."""

    redis_url: str
    mongo_url: str
    secret: SecretStr


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Stores]:
    """The stores of the settings, or bundled ones in the data directory."""
    async with AsyncExitStack() as stack:
        redis_url, mongo_url = settings.redis_url, settings.mongo_url
        if redis_url is None:
            data_dir = settings.data_dir
            valkey = EmbeddedValkey(data_dir, fsync=settings.redis.fsync, on_event=log.info)
            redis_url = (await stack.enter_async_context(valkey)).url
            await _all_former_nodes_are_gone(redis_url, settings)
        if mongo_url is None:
            documents = EmbeddedDocuments(settings.data_dir, on_event=log.info)
            mongo_url = (await stack.enter_async_context(documents)).url
        secret = settings.auth.secret or embedded_secret(settings.data_dir)
        yield Stores(redis_url, mongo_url, secret)


async def _all_former_nodes_are_gone(redis_url: str, settings: Settings) -> None:
    """We own the store, so whatever node beat in it before is dead: no lease to wait for."""
    async with RedisStore(redis_url, settings.redis) as redis:
        await Live(redis, settings.limits, "", settings.nodes.lease_seconds).declare_gone()
