"""The boundary: whatever fails, the client gets `internal` once and everything lives on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness import Player, Server, Table
from tests.integration.faulty import RAISED, RETURNED, SECRET
from tests.integration.hosting import Host
from tests.integration.wire import refused, until


class FaultyServer(Server):
    module = "tests.integration.faulty"


@pytest.fixture(scope="module")
def faulty(host: Host) -> Server:
    """A server with the faults of faulty.py."""
    return host.start(FaultyServer, LIMITS__HANDLER_SECONDS=1.5, LOGS__FORMAT="json")


def lines(server: Server, request_id: str) -> list[dict[str, Any]]:
    """The log's lines about a request, parsed."""
    texts = [text for text in server.log.splitlines() if request_id in text]
    parsed = [orjson.loads(text) for text in texts]
    return [line for line in parsed if line.get("request_id") == request_id]


async def logged_once(server: Server, request_id: str) -> dict[str, Any]:
    """The only line about a request, which is written before or just after the answer."""

    async def found() -> list[dict[str, Any]]:
        return lines(server, request_id)

    (line,) = await until(found, bool)
    return line


async def check_failure(server: Server, error: dict[str, Any], kind: str, name: str) -> None:
    """The client knows nothing, the log all of it."""
    assert (error["code"], error["status"], error["retryable"]) == ("internal", 500, True)
    assert SECRET not in str(error)
    assert "Error" not in str(error)
    line = await logged_once(server, error["request_id"])
    assert (line["event"], line["level"]) == ("failed", "error")
    assert (line["kind"], line["name"]) == (kind, name)
    assert line["exception"][0]["frames"]


async def count(server: Server, table: Table, metric: str, **labels: str) -> float:
    """A sample of /metrics; 0 if there is none."""
    async with table.http.get(server.url + "/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    found = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == metric and sample.labels.items() >= labels.items()
    ]
    return sum(found)


async def outcomes(server: Server, table: Table, kind: str, name: str, outcome: str) -> float:
    """How often something came to an outcome."""
    labels = {"kind": kind, "name": name, "outcome": outcome}
    return await count(server, table, "showdown_requests_total", **labels)


async def check_alive(player: Player) -> None:
    assert await player.do("presence:set", status="online") == {"status": "online"}


@pytest.mark.parametrize("how", [*RAISED, *RETURNED])
async def test_an_event_that_fails_is_answered_once(faulty: Server, table: Table, how: str) -> None:
    ann = await table.seat(faulty.url)
    name = f"faulty:{how}"
    answer = await ann.ask(name)
    assert answer.keys() == {"ok", "error"}
    await check_failure(faulty, answer["error"], "event", name)
    await ann.socket.emit(name, {})
    error = await ann.next("server:error")
    await check_failure(faulty, error, "event", name)
    await check_alive(ann)
    assert len(ann.seen("server:error")) == 1
    assert await outcomes(faulty, table, "event", name, "internal") == 2


@pytest.mark.parametrize("how", [*RAISED, *RETURNED])
async def test_a_route_that_fails_is_answered_once(faulty: Server, table: Table, how: str) -> None:
    status, problem = await table.post(faulty.url, f"/faulty/{how}", {})
    assert status == 500
    name = f"POST /faulty/{how}"
    await check_failure(faulty, problem, "route", name)
    assert await outcomes(faulty, table, "route", name, "internal") == 1
    assert (await table.post(faulty.url, "/auth/guest", {}))[0] == 201


async def test_a_handler_that_takes_too_long_is_stopped(faulty: Server, table: Table) -> None:
    ann = await table.seat(faulty.url)
    answer = await ann.ask("faulty:sleep")
    error = answer["error"]
    assert (error["code"], error["status"], error["retryable"]) == ("timeout", 504, True)
    line = await logged_once(faulty, error["request_id"])
    assert (line["event"], line["code"]) == ("refused", "timeout")
    await check_alive(ann)
    assert await outcomes(faulty, table, "event", "faulty:sleep", "timeout") == 1


async def test_a_route_that_takes_too_long_is_stopped(faulty: Server, table: Table) -> None:
    status, problem = await table.post(faulty.url, "/faulty/sleep", {})
    assert (status, problem["code"]) == (504, "timeout")


@pytest.mark.parametrize("how", [*RAISED, *RETURNED])
async def test_a_sign_in_that_fails_is_refused_and_leaves_nothing(
    faulty: Server, table: Table, how: str
) -> None:
    before = await outcomes(faulty, table, "hook", "connect", "internal")
    ann = await table.guest(faulty.url, f"came {how}")
    for _ in range(6):  # more than an account's connections: each seat is given back
        error = await refused(ann)
        await check_failure(faulty, error, "hook", "connect")
    assert await outcomes(faulty, table, "hook", "connect", "internal") == before + 6
    eve = await table.seat(faulty.url)
    presence = (await eve.do("presence:query", player_ids=[ann.id]))["presence"]
    assert presence[ann.id]["status"] == "offline"


@pytest.mark.parametrize("how", RAISED)
async def test_a_departure_that_fails_does_not_stop_what_else_follows(
    faulty: Server, table: Table, how: str
) -> None:
    ann, eve = await table.seat(faulty.url, f"went {how}"), await table.seat(faulty.url)
    before = await outcomes(faulty, table, "hook", "__main__.went", "internal")
    await ann.do("chat:join", room="global")
    await eve.do("presence:watch", player_ids=[ann.id])
    await ann.leave()
    await eve.next("presence:changed", lambda news: news["presence"][ann.id]["status"] == "offline")
    members = (await eve.do("chat:join", room="global"))["members"]
    assert ann.id not in [member["id"] for member in members]
    assert await outcomes(faulty, table, "hook", "__main__.went", "internal") == before + 1


async def test_tasks_that_fail_are_begun_again_and_disturb_nobody(
    faulty: Server, table: Table
) -> None:
    names = [f"faulty {how}" for how in RAISED]

    async def restarts() -> list[float]:
        metric = "showdown_task_restarts_total"
        return [await count(faulty, table, metric, task=name) for name in names]

    await until(restarts, lambda counts: min(counts) >= 2, seconds=30)
    failures = [orjson.loads(text) for text in texts(faulty, '"kind":"task"')]
    for name in names:
        mine = [line for line in failures if line["name"] == name]
        assert all(line["event"] == "failed" and line["exception"] for line in mine)
        assert len({line["request_id"] for line in mine}) == len(mine) >= 2
    ann = await table.seat(faulty.url)
    await check_alive(ann)
    async with table.http.get(faulty.url + "/health/ready") as answer:
        assert answer.status == 200


def texts(server: Server, part: str) -> Iterable[str]:
    compact = (text.replace('": ', '":') for text in server.log.splitlines())
    return [text for text in compact if part in text]


async def test_many_failures_at_once_end_nothing(faulty: Server, table: Table) -> None:
    players = await asyncio.gather(*(table.seat(faulty.url) for _ in range(5)))
    asked = [player.ask(f"faulty:{how}") for player in players for how in RAISED]
    answers = await asyncio.gather(*asked)
    assert {answer["error"]["code"] for answer in answers} == {"internal"}
    ids = {answer["error"]["request_id"] for answer in answers}
    assert len(ids) == len(answers)
    for player in players:
        await check_alive(player)
