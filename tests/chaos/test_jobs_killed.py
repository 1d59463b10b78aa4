"""Workers and Valkey are killed while there is much to do: nothing is lost, nothing done twice.

CHAOS_JOBS and CHAOS_TICK_SECONDS make them longer.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from config.sections import Mongo
from state.documents import DocumentStore
from tests.chaos.chaos_kit import on_stores_of, quick, store_pid
from tests.harness import ADMIN, ADMIN_PASSWORD, Server, Table
from tests.integration.errands import ERRANDS
from tests.integration.office_kit import OfficeServer, Operator, WorkServer
from tests.sizes import sized

JOBS = sized("CHAOS_JOBS", 150, 10_000)
TICK_SECONDS = sized("CHAOS_TICK_SECONDS", 4, 300)
WORKERS = sized("CHAOS_WORKERS", 2, 3)
SCHEDULES = 20
FAILING = 25  # one in so many jobs is made to fail
KILL_SECONDS = 0.7
VALKEY_EVERY = 6  # kills, beginning with the first
PATIENCE = 120.0 + JOBS / 20

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(int(300 + JOBS / 10 + 3 * TICK_SECONDS))]


def chosen(**settings: object) -> dict[str, object]:
    return quick(
        ADMIN__USERNAME=ADMIN,
        ADMIN__PASSWORD=ADMIN_PASSWORD,
        JOBS__LOCK_SECONDS=1.0,
        JOBS__RELAY_SECONDS=0.3,
        JOBS__RECHECK_SECONDS=3,
        LIMITS__REQUESTS_PER_SECOND=10_000,
        LIMITS__REQUESTS_BURST=10_000,
        MONGO__TIMEOUT_SECONDS=10,
        **settings,
    )


class Company:
    """A front with the stores, workers, and somebody who kills them."""

    def __init__(self, data_dir: Path, front: Server, workers: list[Server]) -> None:
        self.data_dir = data_dir
        self.front = front
        self.workers = workers
        self.kills = {"worker": 0, "valkey": 0}
        self.enough = False

    async def start_worker(self) -> Server:
        return await WorkServer(**chosen(**on_stores_of(self.data_dir))).start()

    async def kill_until_enough(self) -> None:
        while not self.enough:
            await asyncio.sleep(random.uniform(0.5, 1.5) * KILL_SECONDS)
            if sum(self.kills.values()) % VALKEY_EVERY == 0:
                os.kill(store_pid(self.data_dir, "valkey"), signal.SIGKILL)
                self.kills["valkey"] += 1
                continue
            place = random.randrange(len(self.workers))
            await self.workers[place].kill()
            self.kills["worker"] += 1
            with suppress(RuntimeError):  # Valkey was killed under its start
                self.workers[place] = await self.start_worker()

    async def errands(self) -> list[dict[str, Any]]:
        port = on_stores_of(self.data_dir)["MONGO_URL"]
        async with DocumentStore(str(port), Mongo(timeout_seconds=20)) as documents:
            return [one async for one in documents.each(ERRANDS, {}, sort=[("_id", 1)])]


@asynccontextmanager
async def company(data_dir: Path) -> AsyncIterator[Company]:
    front = OfficeServer(**chosen(DATA_DIR=data_dir, JOBS__WORKERS=False))
    made = Company(data_dir, await front.start(), [])
    try:
        made.workers += await asyncio.gather(*(made.start_worker() for _ in range(WORKERS)))
        yield made
    finally:
        living = [one for one in made.workers if one._process and one._process.returncode is None]
        await asyncio.gather(*(worker.kill() for worker in living))
        await front.stop()


async def order_all(op: Operator, numbers: Sequence[int]) -> dict[int, str]:
    """Every job, asked for again with its key until it is taken."""
    ids: dict[int, str] = {}
    for start in range(0, len(numbers), 100):
        left = list(numbers[start : start + 100])
        while left:
            items = await ask(op, left)
            ids |= {n: item["id"] for n, item in zip(left, items, strict=True) if item["ok"]}
            left = [n for n in left if n not in ids]
    return ids


async def ask(op: Operator, numbers: list[int]) -> list[Any]:
    jobs = [
        {
            "task": "test.bill" if number % 2 else "test.errand",
            "payload": {"number": number, "fails": number % FAILING == 0, "seconds": 0.02},
            "key": str(number),
        }
        for number in numbers
    ]
    status, answer = await op.ask("POST", "/jobs/batch", jobs=jobs)
    if status != 202:
        await asyncio.sleep(0.1)
        return [{"ok": False}] * len(numbers)
    items: list[Any] = answer["jobs"]
    return items


async def letters(op: Operator) -> set[str]:
    """Every dead letter, page by page."""
    found: list[str] = []
    before = ""
    while True:
        page = await op.does("GET", f"/dead-letters?limit=100{before}")
        found += [job["id"] for job in page["dead_letters"]]
        if page["next_before"] is None:
            assert len(found) == len(set(found))
            return set(found)
        before = f"&before={page['next_before']}"


async def test_no_job_is_lost_none_is_done_twice_and_only_those_die_that_must(
    tmp_path: Path, table: Table
) -> None:
    async with company(tmp_path) as made:
        op = await Operator.sign_in(table, made.front.url)
        began = time.monotonic()
        killing = asyncio.create_task(made.kill_until_enough())
        ids = await order_all(op, range(JOBS))
        ordered = time.monotonic() - began
        bad = {ids[number] for number in range(JOBS) if number % FAILING == 0}
        good = {number for number in range(JOBS) if number % FAILING}
        async with asyncio.timeout(PATIENCE):
            while len(await made.errands()) < len(good):
                await asyncio.sleep(0.5)
                if killing.done():
                    killing.result()
        made.enough = True
        await killing
        print(f"{JOBS} jobs, ordered in {ordered:.1f} s, done in {time.monotonic() - began:.1f} s")
        print(f"kills: {made.kills}")
        effects = await made.errands()
        assert {int(one["_id"].split("/")[1]) for one in effects} == good
        assert len({one["job"] for one in effects}) == len(good)
        async with asyncio.timeout(60):
            while await letters(op) != bad:  # noqa: ASYNC110 - processes tell
                await asyncio.sleep(0.5)
        async with asyncio.timeout(60):
            while await busy(op):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.5)
        assert await letters(op) == bad


async def busy(op: Operator) -> bool:
    queues: list[Any] = (await op.does("GET", "/queues"))["queues"]
    ours = [one for one in queues if one["name"] in {"test.errand", "test.bill"}]
    return any(one["waiting"] + one["delayed"] + one["running"] for one in ours)


async def test_no_tick_of_a_schedule_is_missed_or_doubled(tmp_path: Path, table: Table) -> None:
    async with company(tmp_path) as made:
        op = await Operator.sign_in(table, made.front.url)
        for number in range(SCHEDULES):
            times = {"every": 1} if number % 2 else {"cron": "*/2 * * * * *", "tz": "Asia/Tokyo"}
            await op.does(
                *("POST", "/schedules"),
                name=f"tick-{number}",
                task="test.tick",
                payload={"number": number},
                missed="each",
                **times,
            )
        killing = asyncio.create_task(made.kill_until_enough())
        await asyncio.sleep(TICK_SECONDS)
        made.enough = True
        await killing
        last = {one["name"]: one for one in await settled(op)}
        async with asyncio.timeout(PATIENCE):
            while missing(last, await made.errands()):  # noqa: ASYNC110 - processes tell
                await asyncio.sleep(0.3)
        effects = await made.errands()
        ran = by_schedule(effects)
        print(f"{sum(map(len, ran.values()))} ticks, kills: {made.kills}")
        for name, ticks in ran.items():
            step = last[name]["every"] or 2
            assert {later - earlier for earlier, later in pairwise(ticks)} <= {step * 1_000}, name
        # Twice only what was killed between its effect and the note of it.
        again = sum(one["runs"] - 1 for one in effects)
        assert again <= made.kills["worker"] * 8 + made.kills["valkey"] * 24


async def settled(op: Operator) -> list[Any]:
    """The schedules, paused, so that no more ticks come."""
    found = []
    for number in range(SCHEDULES):
        changed = await patiently(op, number)
        found.append(changed["schedule"])
    return found


async def patiently(op: Operator, number: int) -> Any:
    while True:
        status, answer = await op.ask("PATCH", f"/schedules/tick-{number}", paused=True)
        if status == 200:
            return answer
        await asyncio.sleep(0.2)


def by_schedule(effects: list[dict[str, Any]]) -> dict[str, list[int]]:
    ran: dict[str, list[int]] = defaultdict(list)
    for one in effects:
        _, name, at = one["_id"].rsplit(".", 2)  # test.tick-s.<name>.<at>
        ran[name].append(int(at))
    return {name: sorted(ticks) for name, ticks in ran.items()}


def missing(last: dict[str, Any], effects: list[dict[str, Any]]) -> set[str]:
    """Schedules whose last run has had no effect yet."""
    ran = by_schedule(effects)
    return {
        name
        for name, one in last.items()
        if one["last_at"] is not None and one["last_at"] not in ran.get(name, [])
    }
