"""Jobs through REST on running servers: ordered on one, run by another."""

from __future__ import annotations

import asyncio
import csv
import os
import signal
from pathlib import Path

from config.sections import Mongo
from state.documents import DocumentStore
from tests.fixtures import Stores
from tests.harness import Server, Table
from tests.integration.errands import ERRANDS
from tests.integration.office_kit import OfficeServer, Operator, WorkServer, offices, settings

LOCK_SECONDS = 1.0


async def test_an_operators_day(emptied: Stores, table: Table, tmp_path: Path) -> None:
    chosen = settings(emptied, tmp_path)
    front = OfficeServer(**chosen, JOBS__WORKERS=False, LIMITS__EVENTS_BURST=50)
    async with offices(front, WorkServer(**chosen)):
        op = await Operator.sign_in(table, front.url)
        await only_operators(front, table, op)
        await keys(op)
        await reports(op, tmp_path)
        await batches(op)
        await taken_back(op)
        await dead_letters(front, table, op)
        await queues(op)
        await schedules(op)
        await metrics(front, table)


async def only_operators(server: Server, table: Table, op: Operator) -> None:
    ann = await table.guest(server.url)
    token = ann.tokens["access_token"]
    for method, path in (("POST", "/jobs"), ("GET", "/queues"), ("DELETE", "/schedules/audit")):
        assert (await table.call(method, server.url, path, {}, token))[0] == 403
    assert (await op.ask("POST", "/jobs", task="test.nothing"))[0] == 404
    assert (await op.ask("POST", "/jobs", task="test.errand", payload={"numb": 1}))[0] == 422
    assert (await op.ask("POST", "/jobs", task="test.errand", priority=11))[0] == 422
    assert (await op.ask("GET", "/jobs/test.errand-nobody"))[0] == 404
    assert (await op.ask("GET", "/jobs/nothing-nobody"))[0] == 404


async def keys(op: Operator) -> None:
    for task in ("test.errand", "test.bill"):
        order = {"task": task, "payload": {"number": 1}, "key": "one"}
        first = await op.does("POST", "/jobs", **order)
        ended = await op.ended(first["id"])
        assert (ended["status"], ended["result"], ended["attempts"]) == ("completed", 1, 1)
        # The earlier job and its result; nothing runs again.
        again = await op.does("POST", "/jobs", **order)
        assert again == {**first, "status": "completed"}
        assert (await op.job(first["id"]))["result"] == 1
        status, refused = await op.ask("POST", "/jobs", **{**order, "payload": {"number": 2}})
        assert (status, refused["code"]) == (409, "idempotency_mismatch")


async def reports(op: Operator, folder: Path) -> None:
    ended = await op.ended(await op.order("reports.economy"))
    with (folder / ended["result"]["file"]).open(encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == []
    audited = await op.ended(await op.order("books.audit"))
    assert (audited["result"]["ok"], audited["result"]["findings"]) == (True, 0)


async def batches(op: Operator) -> None:
    orders = [{"task": "test.errand", "payload": {"number": 10 + n}} for n in range(98)]
    wrong = [{"task": "test.nothing"}, {"task": "test.errand", "payload": {"number": "1"}}]
    items = (await op.does("POST", "/jobs/batch", jobs=[*orders, *wrong]))["jobs"]
    assert [item["ok"] for item in items] == [True] * 98 + [False] * 2
    assert [item["code"] for item in items[98:]] == ["not_found", "validation_failed"]
    ends = await asyncio.gather(*(op.ended(item["id"]) for item in items[:98]))
    assert sorted(job["result"] for job in ends) == list(range(10, 108))
    status, _ = await op.ask("POST", "/jobs/batch", jobs=[*orders, *orders])
    assert status == 422


async def taken_back(op: Operator) -> None:
    runs = await op.order("test.slow", payload={"seconds": 60})
    waits = await op.order("test.slow", payload={"seconds": 60}, delay=60, priority=1)
    assert (await op.job(waits))["status"] == "delayed"
    shown = await op.until(runs, lambda job: job.get("progress", {}).get("done"))
    assert shown["progress"]["total"] == 100
    for job_id in (runs, waits):
        await op.does("DELETE", f"/jobs/{job_id}")
        assert (await op.ended(job_id, 5.0))["status"] == "cancelled"
        assert (await op.ask("DELETE", f"/jobs/{job_id}"))[0] == 409


async def dead_letters(server: Server, table: Table, op: Operator) -> None:
    admin = await table.admin(server.url)
    before = {"number": 200, "fails": True}
    ids = [await op.order("test.errand", payload={**before, "number": n}) for n in (200, 201)]
    told = [await admin.next("jobs:dead_letter", seconds=30) for _ in ids]
    assert {letter["id"] for letter in told} == set(ids)
    first = (await op.does("GET", "/dead-letters?limit=1"))["dead_letters"][0]
    assert (first["reason"], first["attempts"]) == ("made to fail", 1)
    page = await op.does("GET", "/dead-letters?queue=test.errand&limit=1")
    rest = await op.does("GET", f"/dead-letters?limit=5&before={page['next_before']}")
    assert [job["id"] for job in (*page["dead_letters"], *rest["dead_letters"])] == ids[::-1]
    await op.does("POST", f"/dead-letters/{ids[0]}/replay")
    assert (await admin.next("jobs:dead_letter", seconds=30))["id"] == ids[0]
    replayed = await op.does("POST", "/dead-letters/replay", ids=[*ids, "test.errand-nobody"])
    assert replayed == {"replayed": ids, "refused": {"test.errand-nobody": "not_found"}}
    for _ in ids:
        await admin.next("jobs:dead_letter", seconds=30)
    await op.does("POST", f"/dead-letters/{ids[0]}/discard", reason="a test")
    assert (await op.ask("GET", f"/jobs/{ids[0]}"))[0] == 404
    assert (await op.ask("POST", f"/jobs/{ids[0]}/retry"))[0] == 404
    await op.does("POST", f"/jobs/{ids[1]}/retry")


async def queues(op: Operator) -> None:
    names = {queue["name"] for queue in (await op.does("GET", "/queues"))["queues"]}
    assert {"books.audit", "test.bill"} <= names
    paused = (await op.does("POST", "/queues/test.slow/pause"))["queue"]
    assert paused["paused"]
    job_id = await op.order("test.slow", payload={"number": 300})
    found = (await op.does("GET", "/queues/test.slow/jobs?state=waiting"))["jobs"]
    assert [job["id"] for job in found] == [job_id]
    assert (await op.does("GET", "/queues/test.slow/stats"))["queue"]["waiting"] == 1
    await op.does("POST", "/queues/test.slow/resume")
    assert (await op.ended(job_id))["result"] == 300
    removed = await op.does("DELETE", "/queues/test.slow/clean")
    assert removed["removed"] >= 1
    assert (await op.ask("GET", "/queues/nothing/stats"))[0] == 404


async def schedules(op: Operator) -> None:
    own = {one["name"]: one for one in (await op.does("GET", "/schedules"))["schedules"]}
    assert own["economy-report"]["cron"] == "10 0 * * *"
    new = {"name": "often", "task": "test.errand", "payload": {"number": 400}, "every": 1}
    made = (await op.does("POST", "/schedules", **new))["schedule"]
    assert made["next_at"] % 1_000 == 0
    assert (await op.ask("POST", "/schedules", **new))[0] == 409
    wrong = {**new, "name": "wrong", "cron": "* * * * *"}
    assert (await op.ask("POST", "/schedules", **wrong))[0] == 422
    async with asyncio.timeout(20):
        ran = made
        while ran["last_at"] is None:
            await asyncio.sleep(0.1)
            ran = (await op.does("GET", "/schedules"))["schedules"][3]
    assert ran["name"] == "often"
    ended = await op.ended(f"test.errand-s.often.{ran['last_at']}")
    assert abs(ended["result"]) == 400
    paused = (await op.does("PATCH", "/schedules/often", paused=True))["schedule"]
    assert paused["paused"]
    assert (await op.ask("PATCH", "/schedules/audit", every=5))[0] == 409
    other = await op.does("PATCH", "/schedules/often", cron="0 8 * * *", tz="Europe/Berlin")
    assert (other["schedule"]["every"], other["schedule"]["tz"]) == (None, "Europe/Berlin")
    await op.does("DELETE", "/schedules/often")
    assert (await op.ask("DELETE", "/schedules/often"))[0] == 404
    assert (await op.ask("DELETE", "/schedules/audit"))[0] == 409


async def metrics(server: Server, table: Table) -> None:
    async with asyncio.timeout(20):
        while True:
            async with table.http.get(f"{server.url}/metrics") as answer:
                text = await answer.text()
            if 'showdown_dead_letters{queue="test.errand"} 1.0' in text:
                break
            await asyncio.sleep(0.2)
    assert 'showdown_job_orders_total{task="test.bill"} 1.0' in text
    assert 'showdown_check_ok{check="jobs"} 1.0' in text
    assert "showdown_schedule_lag_seconds" in text


async def test_a_process_that_stood_still_has_lost_its_job_and_does_nothing_more(
    emptied: Stores, table: Table, tmp_path: Path
) -> None:
    chosen = settings(emptied, tmp_path, JOBS__LOCK_SECONDS=LOCK_SECONDS)
    front = OfficeServer(**chosen, JOBS__WORKERS=False)
    still = WorkServer(**chosen)
    async with offices(front, still):
        op = await Operator.sign_in(table, front.url)
        job_id = await op.order("test.frozen", payload={"number": 1, "seconds": 0.5})
        await op.until(job_id, lambda job: job.get("progress"))
        os.kill(still.pid, signal.SIGSTOP)
        try:
            async with offices(WorkServer(**chosen)):
                ended = await op.ended(job_id)
                assert (ended["status"], ended["attempts"]) == ("completed", 1)
                os.kill(still.pid, signal.SIGCONT)
                # It goes on with the job where it stood, and is stopped at the hold.
                async with asyncio.timeout(20):
                    while b"queue_error" not in b"".join(still.output):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
        finally:
            os.kill(still.pid, signal.SIGCONT)
        assert (await op.job(job_id))["status"] == "completed"
        async with DocumentStore(emptied.mongo_url, Mongo(database="test_server")) as documents:
            assert await documents.call(ERRANDS, "count_documents", {}) == 1
