"""The log of what operators do, on a real store; and which calls are in it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from game.economy import DAY_MS
from game.errors import Conflict, DependencyUnavailable, Unauthenticated
from handlers.base import ADMINS, OPERATORS, Caller, Context
from handlers.catalogue import CATALOGUE
from handlers.schedules import AddSchedule, add
from server.noting import details, run_noted
from state.documents import DocumentStore
from state.operations import OperationsLog
from state.upkeep import LOG_DAYS, Upkeep
from tests.contract.accounts_kit import NOON, Clock

ORDERS = {"POST /jobs", "POST /jobs/batch"}  # use of the server, not its administration
MODERATION = {"PUT /accounts/{account_id}/role"}  # in the moderators' log


class World:
    """As much of one as an operator's call needs."""

    def __init__(self, log: OperationsLog, refusal: Exception | None = None) -> None:
        self.operations = log
        self.jobs = self.schedules = self
        self.seen: list[Any] = []
        self._log, self._refusal = log, refusal

    def read(self, *_: object) -> None:
        """The payload, whatever it is."""

    async def add(self, *_: object, **__: object) -> dict[str, Any]:
        self.seen = await self._log.page(None, 10, None)
        if self._refusal:
            raise self._refusal
        return {}


@pytest.fixture
async def log(documents: DocumentStore) -> OperationsLog:
    account = {"_id": "a1", "username": "Ann"}
    await documents.call("accounts", "insert_one", account)
    return OperationsLog(documents, Clock())


def asked(world: World, by: str = "a1") -> Context:
    return Context(cast("Any", world), "", Caller(by, "operator", "f", "t", 0))


CMD = AddSchedule(name="often", task="x.y", every=5, payload={"token": "secret"})


async def test_an_action_is_written_down_before_it_is_done(log: OperationsLog) -> None:
    world = World(log)
    await run_noted(add, CMD, asked(world))
    assert [one["outcome"] for one in world.seen] == [None]
    (entry,) = await log.page(None, 10, "a1")
    assert (entry["action"], entry["outcome"], entry["at"]) == ("POST /schedules", "ok", NOON)
    assert entry["by"] == {"account_id": "a1", "name": "Ann"}
    assert entry["details"] == {"name": "often", "task": "x.y", "every": 5}
    assert await log.page(None, 10, "a2") == await log.page(entry["id"], 10, None) == []


@pytest.mark.parametrize(("failure", "outcome"), [(Conflict(), "conflict"), (ValueError(), None)])
async def test_a_refusal_is_an_outcome_and_a_crash_is_none(
    log: OperationsLog, failure: Exception, outcome: str | None
) -> None:
    with pytest.raises(type(failure)):
        await run_noted(add, CMD, asked(World(log, failure)))
    assert [one["outcome"] for one in await log.page(None, 10, None)] == [outcome]


async def test_what_cannot_be_written_down_is_not_done(log: OperationsLog) -> None:
    world = World(log)
    with pytest.raises(Unauthenticated):
        await run_noted(add, CMD, asked(world, "nobody"))

    class Away(OperationsLog):
        async def begin(self, *_: object) -> str:
            raise DependencyUnavailable

    world.operations = Away(log._documents, Clock())
    with pytest.raises(DependencyUnavailable):
        await run_noted(add, CMD, asked(world))
    assert world.seen == []


async def test_the_clean_up_keeps_a_year(documents: DocumentStore, log: OperationsLog) -> None:
    await log.begin("a1", "POST /x", {})
    upkeep, year = Upkeep(documents), LOG_DAYS * DAY_MS
    assert (await upkeep.tidy(NOON + year))["operations_log"] == 0
    assert (await upkeep.tidy(NOON + year + 1))["operations_log"] == 1


def test_long_texts_are_cut_and_payloads_are_left_out() -> None:
    given = details(AddSchedule(name="n", task="t", cron="x" * 120, payload={"a": 1}))
    assert given == {"name": "n", "task": "t", "cron": "x" * 120}


def test_whatever_operators_change_is_noted() -> None:
    theirs = [one for one in CATALOGUE.routes if one.roles in (OPERATORS, ADMINS)]
    changing = [one for one in theirs if one.method != "GET"]
    silent = {f"{one.method} {one.path}" for one in changing if not one.noted}
    assert silent == ORDERS | MODERATION
