"""What leaves the server, for tests/integration/test_api_documents.py."""

from __future__ import annotations

from typing import Any

from game import links
from game.links import Link
from tests.documented import Contract
from tests.harness import SECRET, Player, Server, Table
from tests.integration.post_office import Browser
from tests.integration.receiver import Operator

NOBODY = "0" * 20


async def webhooks(server: Server, table: Table) -> None:
    """The calls; what is sent: tests/integration/test_webhooks.py."""
    url, admin = server.url, Operator(table, server.url, await table.admin(server.url))
    ann = Operator(table, url, await table.guest(url))
    body = {"url": "https://webhooks.invalid/", "events": ["player.created"]}
    status, made = await admin.call("POST", "", body)
    assert (status, (await ann.call("POST", "", body))[0]) == (201, 403)
    path = f"/{made['webhook']['id']}"
    for who, wanted in ((admin, 200), (ann, 403)):
        assert (await who.call("GET", ""))[0] == wanted
        assert (await who.call("GET", path))[0] == wanted
        assert (await who.call("PATCH", path, {"description": "mine"}))[0] == wanted
        assert (await who.call("POST", f"{path}/rotate"))[0] == wanted
    guest = await table.guest(url)
    told = await admin.newest(made["webhook"]["id"], "pending")
    again = f"{path}/deliveries/{told['event_id']}/replay"
    assert (await admin.call("POST", again))[0] == 409  # it waits, since nobody is there
    assert guest.id
    assert (await ann.call("GET", f"{path}/deliveries"))[0] == 403
    assert (await ann.call("DELETE", path))[0] == 403
    assert (await admin.call("DELETE", path))[0] == 204
    await admin.player.leave()


async def notifications(server: Server, table: Table, documents: Contract) -> None:
    """The events, and the links of e-mails."""
    ann = await table.seat(server.url)
    await ann.do("notifications:list")
    assert await ann.fails("notifications:list", limit=0) == "validation_failed"
    await ann.do("notifications:read", ids=[NOBODY])
    assert await ann.fails("notifications:read", ids=[7]) == "validation_failed"
    await ann.do("notifications:settings")
    wrong = [{"kind": "robbed", "channel": "pigeon", "on": True}]
    assert await ann.fails("notifications:settings", choices=wrong) == "validation_failed"
    await ann.do("account:email", email="ann@players.invalid")
    assert await ann.fails("account:email", email="ann") == "validation_failed"
    await _devices(ann)
    await _links(server, table, ann, documents)


async def _devices(ann: Player) -> None:
    device: dict[str, Any] = {**Browser().subscription, "endpoint": "https://push.invalid/1"}
    await ann.do("push:subscribe", **device)
    insecure = {**device, "endpoint": "http://push.invalid/1"}
    assert await ann.fails("push:subscribe", **insecure) == "validation_failed"
    await ann.do("push:unsubscribe", endpoint=device["endpoint"])
    assert await ann.fails("push:unsubscribe", endpoint=7) == "validation_failed"


async def _links(server: Server, table: Table, ann: Player, documents: Contract) -> None:
    link = Link("stop", ann.tokens["account"]["id"], "robbed")
    for token, status in ((links.token(link, SECRET), 200), ("made-up", 404)):
        for method in ("GET", "POST"):
            path = f"/api/v1/email/{token}"
            async with table.http.request(method, server.url + path) as answer:
                assert answer.status == status
                refused = None if status == 200 else await answer.json(content_type=None)
                shown = refused or await answer.text()
                documents.called(method, path, status, shown)
