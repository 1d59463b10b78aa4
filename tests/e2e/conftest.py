"""A server, a browser and guests for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser

from tests.e2e.browser import Room, browsing
from tests.fixtures import Stores
from tests.harness import Server
from tests.integration.hosting import Host


@pytest.fixture(scope="module")
def host(stores: Stores) -> Iterator[Host]:
    """A place for the servers of one module."""
    running = Host(stores)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def web(host: Host) -> Server:
    """A server with time to think and to talk."""
    return host.start(
        LIMITS__CHAT_MESSAGES=1_000,
        LIMITS__EVENTS_PER_SECOND=500,
        LIMITS__EVENTS_BURST=1_000,
        DUELS__ROUND_SECONDS=60,
        PURCHASES__PROVIDER="sandbox",
    )


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A Chromium of the test's own."""
    async with browsing() as running:
        yield running


@pytest.fixture
async def room(browser: Browser) -> AsyncIterator[Room]:
    """Where guests come from; at the end no page has complained of anything."""
    room = Room(browser)
    yield room
    for guest in room.guests:
        assert guest.problems == [], guest.name
