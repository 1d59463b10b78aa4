"""Connections over all nodes: counted, shown and ended by administrators."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import Any

from tests.chaos.chaos_kit import until
from tests.harness import ADMIN, ADMIN_PASSWORD, Server, Table


async def ask(table: Table, server: Server, token: str, query: str = "") -> dict[str, Any]:
    status, found = await table.call("GET", server.url, f"/connections{query}", token=token)
    assert status == 200, found
    shown: dict[str, Any] = found
    return shown


async def test_administrators_see_and_end_connections_of_all_nodes(
    two_servers: tuple[Server, Server], table: Table
) -> None:
    one, other = two_servers
    body = {"username": ADMIN, "password": ADMIN_PASSWORD}
    _, tokens = await table.post(one.url, "/auth/login", body)
    admin = tokens["access_token"]
    ann = await table.seat(one.url, "ann")
    again = await table.player(other.url, ann.tokens).connect()
    bob = await table.seat(other.url, "bob")
    for player in (ann, bob):
        await player.do("chat:join", room="room:counted")

    everybody = await ask(table, one, admin)
    assert (everybody["total"], everybody["complete"]) == (3, True)
    assert sorted(node["connections"] for node in everybody["nodes"]) == [1, 2]
    counted = await ask(table, other, admin, "?room=room:counted&limit=1")
    assert (counted["total"], len(counted["connections"])) == (2, 1)
    hers = await ask(table, other, admin, f"?player_id={ann.id}")
    assert {view["node"] for view in hers["connections"]} == {
        node["node"] for node in everybody["nodes"]
    }
    assert sorted(view["rooms"] for view in hers["connections"]) == [[], ["room:counted"]]
    both = f"/connections?player_id={ann.id}&room=room:counted"
    assert (await table.call("GET", one.url, both, token=admin))[0] == 422
    hers_to_see = await table.call("GET", one.url, "/connections", token=ann.tokens["access_token"])
    assert hers_to_see[0] == 403

    os.kill(other.pid, signal.SIGSTOP)
    try:
        partly = await ask(table, one, admin)
    finally:
        os.kill(other.pid, signal.SIGCONT)
    assert (partly["total"], partly["complete"]) == (1, False)
    assert [node["answered"] for node in partly["nodes"]] == [True, False]

    gone = f"/connections/{ann.id}"
    status, ended = await table.call("DELETE", one.url, gone, token=admin)
    assert (status, ended) == (200, {"ended": 2, "complete": True})
    for socket in (ann, again):
        assert (await socket.next("server:disconnect"))["code"] == "kicked"
    await until(partial(ask, table, one, admin), lambda found: found["total"] == 1)
