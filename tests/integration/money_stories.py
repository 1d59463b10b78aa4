"""Coins that jobs move, for tests/integration/test_api_documents.py."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.harness import Player, Server, Table

NOBODY = "0" * 20


async def batches(server: Server, table: Table) -> None:
    ann, bob = await table.seat(server.url), await table.seat(server.url)
    token = ann.tokens["access_token"]
    items = [{"to": bob.id, "amount": 1}, {"to": NOBODY, "amount": 1}]
    which = (await ann.do("wallet:batch", items=items, key="1"))["id"]
    assert await ann.fails("wallet:batch", items=[], key="2") == "validation_failed"
    await ann.next("wallet:batch_changed", lambda news: news["batch"]["ended_at"], 30)
    assert await ann.fails("wallet:batch_cancel", batch_id=NOBODY) == "not_found"
    many: dict[str, Any] = {"items": items * 200, "key": "3", "character_id": ann.id}
    for status, body in ((202, many), (403, {**many, "character_id": bob.id})):
        assert (await table.post(server.url, "/transfers/batch", body, token))[0] == status
    await ann.do("wallet:batch_cancel", batch_id=await newest(server, table, many, token))
    await deleted(server, table, {**many, "key": "4"}, token)
    for part in ("", "/items"):
        for batch_id, status in ((which, 200), (NOBODY, 404)):
            path = f"/transfers/batch/{batch_id}{part}"
            assert (await table.call("GET", server.url, path, token=token))[0] == status


async def newest(server: Server, table: Table, body: dict[str, Any], token: str) -> str:
    """The id of the batch that this body orders, or has ordered."""
    status, ordered = await table.post(server.url, "/transfers/batch", body, token)
    assert status == 202
    batch_id: str = ordered["id"]
    return batch_id


async def deleted(server: Server, table: Table, body: dict[str, Any], token: str) -> None:
    path = f"/transfers/batch/{await newest(server, table, body, token)}"
    for where, status in ((path, 202), (f"/transfers/batch/{NOBODY}", 404)):
        assert (await table.call("DELETE", server.url, where, token=token))[0] == status


async def by_hand(server: Server, table: Table, ann: Player, admin: Player) -> None:
    """A withdrawal whose job is taken back is settled by an administrator."""
    reply = await ann.do("wallet:withdraw", amount=1, address="elsewhere", key="by hand")
    wish = {"decision": "refund", "reason": "it never came", "key": "1"}

    async def settle(player: Player, which: str, **more: object) -> int:
        path, token = f"/withdrawals/{which}/settle", player.tokens["access_token"]
        status: int = (await table.post(server.url, path, {**wish, **more}, token))[0]
        return status

    which = reply["withdrawal"]["id"]
    assert await settle(ann, which) == 403
    assert await settle(admin, NOBODY) == 404
    assert await settle(admin, which, decision="paid") == 422
    async with asyncio.timeout(30):
        while await settle(admin, which) == 409:  # its job goes on, and is followed by another
            await take_back(server, table, admin, which)
    assert await settle(admin, which) == 200


async def take_back(server: Server, table: Table, admin: Player, which: str) -> None:
    token = admin.tokens["access_token"]
    for state in ("waiting", "delayed", "running"):
        path = f"/queues/withdrawals.settle/jobs?state={state}"
        _, found = await table.call("GET", server.url, path, token=token)
        for job in found["jobs"]:
            if job["payload"]["withdrawal_id"] == which:
                await table.call("DELETE", server.url, f"/jobs/{job['id']}", token=token)


async def withdrawals(server: Server, table: Table) -> None:
    """The calls; what becomes of them: tests/integration/test_withdrawals.py."""
    ann, admin = await table.seat(server.url), await table.admin(server.url)
    reply = await ann.do("wallet:withdraw", amount=1, address="good", key="1")
    assert await ann.fails("wallet:withdraw", amount=1, address="", key="2") == "validation_failed"
    token = ann.tokens["access_token"]
    for which, status in ((reply["withdrawal"]["id"], 200), (NOBODY, 404)):
        assert (await table.call("GET", server.url, f"/withdrawals/{which}", token=token))[0] == (
            status
        )
    for player, status in ((admin, 200), (ann, 403)):
        token = player.tokens["access_token"]
        assert (await table.call("GET", server.url, "/withdrawals", token=token))[0] == status
    await by_hand(server, table, ann, admin)
    await admin.leave()  # an account has five connections, and others are to come
