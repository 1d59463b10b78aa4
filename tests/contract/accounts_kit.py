"""What the tests of accounts and sign-ins share: a clock, and a second node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from argon2 import PasswordHasher

from config.sections import Mongo
from state.documents import DocumentStore
from tests.fixtures import Stores

NOON = 1_900_000_000_000  # far from the stores' own time, which deletes what expired
PHRASE = "correct horse"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Clock:
    """Milliseconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


@asynccontextmanager
async def second_documents(
    stores: Stores, request: pytest.FixtureRequest
) -> AsyncIterator[DocumentStore]:
    """Another node's client of the test's database, with the same driver."""
    driver = request.node.callspec.params["documents"]
    settings = Mongo(driver=driver, database=f"test_{driver}", timeout_seconds=15)
    async with DocumentStore(stores.mongo_url, settings) as store:
        yield store
