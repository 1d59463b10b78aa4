"""Servers that the whole session shares, on stores that no other test empties."""

from __future__ import annotations

from collections.abc import Iterator
from random import getrandbits
from typing import Any

import pytest

from tests.fixtures import Stores
from tests.harness import Server, Table
from tests.integration.hosting import Host

FRIEND = "https://friend.example"  # an origin that browsers may come from


@pytest.fixture(scope="session")
def shared_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Stores of the shared servers: use new players and rooms, not new stores."""
    running = Stores(tmp_path_factory.mktemp("shared"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def session_host(shared_stores: Stores) -> Iterator[Host]:
    """A place for servers that all modules share."""
    running = Host(shared_stores)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def pair(session_host: Host) -> tuple[Server, Server]:
    """Two servers on the same stores, which let everybody talk quickly."""
    settings: dict[str, Any] = {
        "LIMITS__CHAT_MESSAGES": 1_000,
        "LIMITS__EVENTS_PER_SECOND": 500,
        "LIMITS__EVENTS_BURST": 1_000,
        "HTTP__ORIGINS": FRIEND,
    }
    return session_host.start(**settings), session_host.start(**settings)


@pytest.fixture
def lone(pair: tuple[Server, Server]) -> Server:
    """One server, for what is the same with several."""
    return pair[0]


@pytest.fixture(scope="session")
def limited(session_host: Host) -> Server:
    """A server with the limits of protocol.md, and some that a test reaches sooner."""
    return session_host.start(
        JOBS__WORKERS=False,
        LIMITS__AUTH_PER_MINUTE=20,
        LIMITS__CONNECTIONS_PER_ADDRESS=7,
        LIMITS__AUTH_SECONDS=0.7,
        LIMITS__ROOMS_PER_CONNECTION=4,
        PRESENCE__WATCHED_PER_CONNECTION=150,
        HTTP__TRUSTED_PROXIES="127.0.0.0/8",
    )


@pytest.fixture
def strict(limited: Server, table: Table) -> Server:
    """The limited server, from an address of the test's own."""
    table.http.headers["X-Forwarded-For"] = f"10.{getrandbits(8)}.{getrandbits(8)}.{getrandbits(8)}"
    table.options["http_session"] = table.http
    return limited


@pytest.fixture(scope="module")
def host(shared_stores: Stores) -> Iterator[Host]:
    """A place for servers of one module, with settings of their own, on the shared stores."""
    running = Host(shared_stores)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def own_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Stores of modules whose jobs must be done by their own servers, settings and all."""
    running = Stores(tmp_path_factory.mktemp("own"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def own_host(own_stores: Stores) -> Iterator[Host]:
    """A place for the servers of such a module, and for no others."""
    running = Host(own_stores)
    yield running
    running.stop()
