"""Probes and metrics."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.harness import Server, Table
from tests.integration.chat_kit import Pair, new_room, seats
from tests.integration.duel_kit import begin
from tests.integration.wire import refused, until

CHECKS = {"redis", "mongo", "adapter", "jobs", "loop_lag", "draining"}


async def scrape(server: Server, table: Table) -> Counter[str]:
    """All samples of /metrics, by name and labels, each series once."""
    found: Counter[str] = Counter()
    async with table.http.get(server.url + "/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            assert f"{sample.name} {labels}" not in found
            found[f"{sample.name} {labels}"] = sample.value  # type: ignore[assignment]
    return found


async def test_a_server_that_listens_is_live_and_ready(lone: Server, table: Table) -> None:
    async with table.http.get(lone.url + "/health/live") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "live"})
    async with table.http.get(lone.url + "/health/ready") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ready", "failing": []})


async def details(server: Server, table: Table, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    async with table.http.get(server.url + "/health", headers=headers) as answer:
        body: dict[str, Any] = await answer.json(content_type=None)
        assert answer.status == body.get("status", 200)
        return body


async def test_the_details_are_for_admins(lone: Server, table: Table) -> None:
    ann, admin = await table.seat(lone.url), await table.admin(lone.url)
    assert (await details(lone, table, ""))["code"] == "unauthenticated"
    assert (await details(lone, table, ann.tokens["access_token"]))["code"] == "forbidden"
    body = await details(lone, table, admin.tokens["access_token"])
    assert body.keys() == {"checks", "node", "connections", "stores", "works_on", "beyond"}
    assert body["checks"].keys() == CHECKS
    assert all(check["ok"] and check["since"] > 0 for check in body["checks"].values())
    assert body["connections"] >= 2
    assert re.fullmatch(r"[0-9a-f]{8}", body["node"])
    for store in ("redis", "mongo"):
        pool = body["stores"][store]
        assert 0 <= pool["in_use"] <= pool["size"]
        assert pool["open"] is False
    await admin.leave()


async def test_connections_are_counted_up_and_down(lone: Server, table: Table) -> None:
    name = "showdown_connections "
    before = (await scrape(lone, table))[name]
    players = [await table.seat(lone.url) for _ in range(3)]
    assert (await scrape(lone, table))[name] >= before + 3
    for player in players:
        await player.leave()
    await until(lambda: scrape(lone, table), lambda found: found[name] <= before)


async def test_requests_are_counted_and_timed_by_their_outcome(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    before = await scrape(pair[0], table)
    await ann.do("chat:send", room=room, text="hi")
    await ann.fails("chat:send", room=room, text="")
    await ann.fails("no:such:event")
    await table.call("GET", pair[0].url, "/me")
    await refused(await table.guest(pair[0].url), token="nonsense")
    for player in (ann, bob):
        await player.next("chat:message")
    after = await scrape(pair[0], table)
    for series, more in {
        "showdown_requests_total kind=event,name=chat:send,outcome=ok": 1,
        "showdown_requests_total kind=event,name=chat:send,outcome=validation_failed": 1,
        "showdown_requests_total kind=route,name=GET /me,outcome=unauthenticated": 1,
        "showdown_requests_total kind=route,name=POST /auth/guest,outcome=ok": 1,
        "showdown_requests_total kind=hook,name=connect,outcome=unauthenticated": 1,
        "showdown_request_seconds_count kind=event,name=chat:send": 2,
        "showdown_refusals_total code=unknown_event": 1,
        "showdown_deliveries_total ": 1,
    }.items():
        assert after[series] == before[series] + more, series


async def test_clients_do_not_make_series(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    for number in range(20):
        await ann.fails(f"made:up:{number}")
        await table.call("GET", lone.url, f"/made/up/{number}")
    assert not [series for series in await scrape(lone, table) if "made" in series]


async def test_the_state_of_stores_pools_and_duels_is_shown(pair: Pair, table: Table) -> None:
    ann, bob = await table.seat(pair[0].url), await table.seat(pair[1].url)
    await begin(table, ann, bob)
    await until(
        lambda: scrape(pair[0], table), lambda found: found["showdown_duels state=active"] >= 1
    )
    found = await scrape(pair[0], table)
    for check in CHECKS:
        assert found[f"showdown_check_ok check={check}"] == 1
    for store in ("redis", "mongo"):
        assert f"showdown_pool_in_use store={store}" in found
        assert any(f"store={store}" in one and "store_seconds_count" in one for one in found)
    assert 0 <= found["showdown_loop_lag_seconds "] < 5
    assert "showdown_send_buffer_bytes " in found
    await ann.do("duel:forfeit", duel_id=(await ann.do("duel:active"))["duel"]["id"])


async def test_probes_answer_while_everybody_asks(lone: Server, table: Table) -> None:
    async def probe(path: str) -> int:
        async with table.http.get(lone.url + path) as answer:
            return answer.status

    paths = ("/health/live", "/health/ready", "/metrics") * 20
    assert set(await asyncio.gather(*map(probe, paths))) == {200}


async def test_no_answer_tells_which_software_this_is(lone: Server, table: Table) -> None:
    for path in ("/health/live", "/api/v1/me", "/socket.io/?EIO=4&transport=polling", "/none"):
        async with table.http.get(lone.url + path) as answer:
            assert answer.headers["Server"] == "Showdown"
