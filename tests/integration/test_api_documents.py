"""Every documented call and event, driven on a running server: once well, once refused.

What is sent and answered is held to the documents by tests/documented.py, here and in all other
integration tests; here it is made sure that nothing of the documents is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.documented import Contract, contract
from tests.harness import ADMIN, ADMIN_PASSWORD, Player, Server, Table
from tests.integration import money_stories, outbound_stories
from tests.integration.chat_kit import new_room
from tests.integration.hosting import Host
from tests.integration.outside import outside
from tests.integration.outside import settings as at_ledger
from tests.integration.stripe import SECRET, Stripe, stripe
from tests.integration.test_purchases import settings as at_bank
from tests.integration.wire import ENGINE, packet

PASSWORD = "correct horse"
NOBODY = "0" * 20
MOVES = {"hit", "stand", "double", "split", "insure"}
GAMES = 300
NO_DAY = {"task": "reports.economy", "payload": {"day": "2026-19-01"}}
ELSEWHERE = {
    ("on.server.notice", True),  # tests/integration/test_audit.py
    ("on.webhook.disabled", True),  # tests/integration/test_webhooks.py
    ("webhooks_replay", True),  # as above
}
# Another server of the same stores, without an outside ledger, may take the job.
AT_TIMES = {("on.withdrawal.changed", True)}
HOLD_ALL = [0, 1, 2, 3, 4]


@pytest.fixture
def documents() -> Iterator[Contract]:
    """The documents, nothing of which was seen yet."""
    judge = contract()
    judge.seen.clear()
    yield judge
    assert judge.take_broken() == []


async def test_all_that_is_documented_happens_as_documented(
    lone: Server, host: Host, table: Table, documents: Contract
) -> None:
    await accounts(lone, table)
    await probes(lone, table, documents)
    await connecting(lone, table, documents)
    await session(lone, table)
    await chat(lone, table)
    await moderation(lone, table)
    await connections(lone, table)
    await review(lone, table)
    await sanctions(lone, table)
    await presence(lone, table)
    await friends(lone, table)
    await duels(lone, table)
    await matches(lone, table)
    await leaderboards(lone, table)
    await wallet(lone, table)
    await shop(lone, table)
    await blackjack(lone, table)
    await jobs(lone, table)
    await money_stories.batches(lone, table)
    async with stripe() as bank, outside() as ledger:
        knobs = {"BLACKJACK__IDLE_SECONDS": 1, "EMAIL__HOST": "127.0.0.1", "EMAIL__PORT": 1}
        server = host.start(Server, **knobs, **at_bank(bank), **at_ledger(ledger))
        await purchases(server, table, bank, documents)
        await left_alone(server, table)
        await money_stories.withdrawals(server, table)
        await outbound_stories.webhooks(server, table)
        await outbound_stories.notifications(server, table, documents)
    documented = set(documents.operations())
    assert documented - documents.seen - AT_TIMES == ELSEWHERE, "documented, but driven by no story"
    assert documents.seen <= documented | {(key, False) for key, _ in documented}


async def accounts(server: Server, table: Table) -> None:
    url = server.url
    assert (await table.post(url, "/auth/guest", {"name": "ann"}))[0] == 201
    assert (await table.post(url, "/auth/guest", {"name": 7}))[0] == 422
    mine = {"username": f"ann-{uuid4().hex[:12]}", "password": PASSWORD}
    assert (await table.post(url, "/auth/register", mine))[0] == 201
    assert (await table.post(url, "/auth/register", mine))[0] == 409
    status, tokens = await table.post(url, "/auth/login", mine)
    assert status == 200
    assert (await table.post(url, "/auth/login", {**mine, "password": "wrong horse"}))[0] == 401
    spent = {"refresh_token": tokens["refresh_token"]}
    status, tokens = await table.post(url, "/auth/refresh", spent)
    assert status == 200
    token = tokens["access_token"]
    for path in ("/me", "/characters"):
        assert (await table.call("GET", url, path, token=token))[0] == 200
        assert (await table.call("GET", url, path))[0] == 401
    assert (await table.post(url, "/characters", {"name": "Zed"}, token))[0] == 201
    assert (await table.post(url, "/characters", {}, token))[0] == 422
    await owning(server, table, token, mine["username"])
    assert (await table.post(url, "/auth/logout", None, token))[0] == 204
    assert (await table.post(url, "/auth/logout", None, token))[0] == 401
    assert (await table.post(url, "/auth/refresh", spent))[0] == 401


async def owning(server: Server, table: Table, token: str, username: str) -> None:
    url, ann = server.url, await table.seat(server.url)
    guest = ann.tokens["access_token"]
    body: dict[str, Any] = {"name": "Anna"}
    path = f"/characters/{ann.id}"
    assert (await table.call("PATCH", url, path, body, guest))[0] == 200
    await ann.next("session:renamed")
    assert (await table.call("PATCH", url, path, {"name": "Bella"}, guest))[0] == 429
    body = {"username": f"{username}2", "password": PASSWORD}
    assert (await table.post(url, "/me/register", body, guest))[0] == 200
    assert (await table.post(url, "/me/register", body, guest))[0] == 409
    body = {"password": PASSWORD, "new_password": f"{PASSWORD} 2"}
    assert (await table.post(url, "/me/password", body, token))[0] == 204
    assert (await table.post(url, "/me/password", body, token))[0] == 403
    for method, path, status in (("GET", "/me/export", 200), ("DELETE", "/me", 204)):
        assert (await table.call(method, url, path, token=guest))[0] == status
        assert (await table.call(method, url, path))[0] == 401


async def probes(server: Server, table: Table, documents: Contract) -> None:
    admin = {"username": ADMIN, "password": ADMIN_PASSWORD}
    _, tokens = await table.post(server.url, "/auth/login", admin)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    for path, headers, status in (
        ("/health/live", {}, 200),
        ("/health/ready", {}, 200),
        ("/health", bearer, 200),
        ("/health", {}, 401),
        ("/metrics", {}, 200),
        ("/openapi.json", {}, 200),
        ("/asyncapi.json", {}, 200),
    ):
        async with table.http.get(server.url + path, headers=headers) as answer:
            text = await answer.text()
            shown = text if path == "/metrics" else orjson.loads(text)
            documents.called("GET", path, answer.status, shown)
            assert answer.status == status


async def connecting(server: Server, table: Table, documents: Contract) -> None:
    ann = await table.guest(server.url)
    good = {"token": ann.tokens["access_token"], "character_id": ann.id}
    for auth, kind in (({"token": "nonsense"}, "4"), (good, "0")):
        async with table.http.ws_connect(server.url + ENGINE) as opened:
            await opened.send_str("40" + orjson.dumps(auth).decode())
            said = await packet(opened)
            assert said[0] == kind
            documents.connected(auth, orjson.loads(said[1:]), accepted=kind == "0")


async def session(server: Server, table: Table) -> None:
    ann = await table.seat(server.url)
    status, newer = await table.post(
        server.url, "/auth/refresh", {"refresh_token": ann.tokens["refresh_token"]}
    )
    assert status == 200
    await ann.do("session:refresh", token=newer["access_token"])
    assert await ann.fails("session:refresh", token="nonsense") == "unauthenticated"
    await ann.socket.emit("chat:send", {"room": "global", "text": "not in there"})
    assert (await ann.next("server:error"))["code"] == "forbidden"
    await table.post(server.url, "/auth/logout", None, newer["access_token"])
    assert (await ann.next("server:disconnect"))["code"] == "token_revoked"


async def chat(server: Server, table: Table) -> None:
    ann, bob, room = await table.seat(server.url), await table.seat(server.url), new_room()
    for player in (ann, bob):
        await player.do("chat:join", room=room)
    assert await ann.fails("chat:join", room="nowhere") == "not_found"
    sent = (await ann.do("chat:send", room=room, text="Hello", client_id="c"))["message"]
    assert await ann.fails("chat:send", room=room, text=" ") == "validation_failed"
    assert (await bob.next("chat:message"))["id"] == sent["id"]
    await ann.do("chat:history", room=room, limit=1)
    assert await ann.fails("chat:history", room=room, before="now") == "validation_failed"
    await ann.do("chat:whisper", to=bob.id, text="psst")
    assert await ann.fails("chat:whisper", to=NOBODY, text="psst") == "not_found"
    await bob.next("chat:message")
    await ann.do("chat:typing", room=room)
    await bob.next("chat:typing")
    assert await ann.fails("chat:typing", room="trade") == "forbidden"
    await changes(ann, bob, sent["id"])
    await bob.do("chat:leave", room=room)
    assert await bob.fails("chat:leave", room="nowhere") == "not_found"


async def changes(ann: Player, bob: Player, message_id: str) -> None:
    await ann.do("chat:edit", message_id=message_id, text="Hello!")
    assert await bob.fails("chat:edit", message_id=message_id, text="no") == "forbidden"
    await bob.next("chat:edited")
    await bob.do("chat:report", message_id=message_id, reason="too loud")
    assert await bob.fails("chat:report", message_id="1", reason="gone") == "not_found"
    await ann.do("chat:delete", message_id=message_id)
    assert await bob.fails("chat:delete", message_id=message_id) == "forbidden"
    await bob.next("chat:deleted")


async def moderation(server: Server, table: Table) -> None:
    moderator, ann = await table.admin(server.url), await table.seat(server.url)
    await moderator.do("chat:mute", player_id=ann.id, seconds=60, reason="shouting")
    await ann.next("chat:muted")
    await moderator.do("chat:unmute", player_id=ann.id)
    for event in ("chat:mute", "chat:unmute"):
        assert await ann.fails(event, player_id=ann.id) == "forbidden"


async def connections(server: Server, table: Table) -> None:
    admin, ann = await table.admin(server.url), await table.seat(server.url)
    for method, path in (("GET", "/connections"), ("DELETE", f"/connections/{ann.id}")):
        for player, status in ((ann, 403), (admin, 200)):
            token = player.tokens["access_token"]
            assert (await table.call(method, server.url, path, token=token))[0] == status
    await admin.leave()  # an account has five connections, and there are more stories


async def review(server: Server, table: Table) -> None:
    """A message is reported, looked at, and its report closed."""
    url, room, admin = server.url, new_room(), await table.admin(server.url)
    ann, bob = await table.seat(url), await table.seat(url)
    token, low = admin.tokens["access_token"], bob.tokens["access_token"]
    await ann.do("chat:join", room=room)
    sent = (await ann.do("chat:send", room=room, text="boo"))["message"]
    which = await bob.do("chat:report", message_id=sent["id"], reason="rude")
    one = f"/moderation/reports/{which['report_id']}"
    reads = ["/moderation/reports", one, "/moderation/players?name=ann"]
    reads += [f"/moderation/players/{ann.id}", "/moderation/sanctions?kind=mute"]
    for path in (*reads, "/moderation/log?action=mute&limit=1"):
        assert (await table.call("GET", url, path, token=token))[0] == 200
        assert (await table.call("GET", url, path, token=low))[0] == 403
    body = {"action": "mute", "note": "seen", "seconds": 5}
    assert (await table.post(url, f"{one}/resolve", body, token))[0] == 200
    assert (await table.post(url, f"{one}/resolve", body, token))[0] == 409
    assert (await table.call("GET", url, "/moderation/reports?status=x", token=token))[0] == 422


async def sanctions(server: Server, table: Table) -> None:
    url, admin, ann = server.url, await table.admin(server.url), await table.seat(server.url)
    token, body = admin.tokens["access_token"], {"reason": "rude"}
    for what in ("mute", "unmute", "ban", "unban"):
        path = f"/moderation/players/{ann.id}/{what}"
        assert (await table.post(url, path, body, token))[0] == 200
        assert (await table.post(url, path, {}, token))[0] == 422
        if what == "ban":
            assert (await ann.next("server:disconnect"))["code"] == "banned"
    mine = {"username": f"mia-{uuid4().hex[:12]}", "password": PASSWORD}
    _, tokens = await table.post(url, "/auth/register", mine)
    path, role = f"/accounts/{tokens['account']['id']}/role", {"role": "moderator", **body}
    assert (await table.call("PUT", url, path, role, token))[0] == 200
    own = f"/accounts/{admin.tokens['account']['id']}/role"
    assert (await table.call("PUT", url, own, role, token))[0] == 403


async def presence(server: Server, table: Table) -> None:
    ann, bob = await table.seat(server.url), await table.seat(server.url)
    await ann.do("presence:watch", player_ids=[bob.id, NOBODY])
    await bob.do("presence:set", status="busy")
    await ann.next("presence:changed")
    await ann.do("presence:query", player_ids=[bob.id])
    await ann.do("presence:unwatch", player_ids=[bob.id])
    assert await ann.fails("presence:set", status="invisible") == "validation_failed"
    for event in ("presence:watch", "presence:query", "presence:unwatch"):
        assert await ann.fails(event, player_ids=[7]) == "validation_failed"


async def friends(server: Server, table: Table) -> None:
    ann, bob = await table.seat(server.url, "ann"), await table.seat(server.url, "bob")
    await ann.do("friends:add", player_id=bob.id)
    await bob.next("friends:changed")
    await bob.do("friends:accept", player_id=ann.id)
    await bob.do("friends:remove", player_id=ann.id)
    assert await bob.fails("friends:accept", player_id=ann.id) == "not_found"
    await ann.do("friends:block", player_id=bob.id)
    await ann.do("friends:list")
    assert await bob.fails("friends:add", player_id=ann.id) == "forbidden"
    await ann.do("friends:unblock", player_id=bob.id)
    assert await ann.fails("friends:list", nonsense=1) == "validation_failed"
    for event in ("friends:remove", "friends:block", "friends:unblock"):
        assert await ann.fails(event, player_id=ann.id) == "validation_failed"


async def duels(server: Server, table: Table) -> None:
    ann, bob, eve = [await table.seat(server.url, name) for name in ("ann", "bob", "eve")]
    assert await ann.fails("duel:challenge", opponent_id=NOBODY, key="0") == "not_found"
    for key, answer, who in (("1", "duel:decline", bob), ("2", "duel:cancel", ann)):
        offer = (await ann.do("duel:challenge", opponent_id=bob.id, key=key))["duel"]
        await bob.next("duel:challenged")
        await who.do(answer, duel_id=offer["id"])
        assert await who.fails(answer, duel_id=offer["id"]) == "conflict"
    assert await ann.fails("duel:active", nonsense=True) == "validation_failed"
    assert (await ann.do("duel:active"))["duel"] is None
    await fight(table, ann, bob, eve)


async def fight(table: Table, ann: Player, bob: Player, eve: Player) -> None:
    duel = await table.duel(ann, bob, "3")
    which = {"duel_id": duel["id"]}
    assert await bob.fails("duel:accept", **which) == "conflict"
    assert (await ann.do("duel:active"))["duel"]["id"] == duel["id"]
    await eve.do("duel:spectate", **which)
    assert await ann.fails("duel:spectate", **which) == "conflict"
    for player in (ann, bob):
        await player.do("duel:play", **which, round=1, hold=HOLD_ALL)
    assert await ann.fails("duel:play", **which, round=2, hold=[0, 0]) == "validation_failed"
    for player in (ann, bob, eve):
        await player.next("duel:round")
    await back_and_forth(ann, bob)
    assert await eve.fails("duel:forfeit", **which) == "not_found"
    await ann.do("duel:forfeit", **which)
    for player in (ann, bob, eve):
        await player.next("duel:ended", lambda view: view.get("end_reason") == "forfeit")
        assert await player.fails("duel:get", duel_id=NOBODY) == "not_found"
    await eve.do("duel:get", **which)
    await eve.do("duel:unspectate", **which)
    assert await eve.fails("duel:unspectate", duel_id=NOBODY) == "not_found"


async def back_and_forth(ann: Player, bob: Player) -> None:
    await bob.leave()
    assert (await ann.next("duel:opponent"))["connected"] is False
    await bob.connect()
    assert (await ann.next("duel:opponent"))["connected"] is True


async def matches(server: Server, table: Table) -> None:
    ann, bob = await table.seat(server.url, "ann"), await table.seat(server.url, "bob")
    assert await ann.fails("match:join", stake=-1) == "validation_failed"
    assert await ann.fails("match:leave", nonsense=1) == "validation_failed"
    await ann.do("match:join", stake=7)
    await ann.do("match:leave", stake=0)
    await ann.next("match:left")
    for player in (ann, bob):
        await player.do("match:join", stake=8)
    duel = (await ann.next("match:found"))["duel"]
    await bob.next("match:found")
    await ann.do("duel:forfeit", duel_id=duel["id"])
    await ann.next("rating:changed")


async def leaderboards(server: Server, table: Table) -> None:
    ann = await table.seat(server.url, "ann")
    for board in ("rating", "wins", "wealth"):
        for event in ("leaderboard:top", "leaderboard:around"):
            await ann.do(event, board=board, limit=5)
            assert await ann.fails(event, board=board, season="1999-q1") == "not_found"
    await ann.do("rating:get")
    assert await ann.fails("rating:get", player_id=NOBODY) == "not_found"
    token = ann.tokens["access_token"]
    for path, status in (
        ("wins?limit=2", 200),
        ("wins?limit=0", 422),
        ("wins?season=1999-q1", 404),
    ):
        called = await table.call("GET", server.url, f"/leaderboards/{path}", token=token)
        assert called[0] == status


async def wallet(server: Server, table: Table) -> None:
    ann, bob = await table.seat(server.url), await table.seat(server.url)
    await ann.do("wallet:get")
    await ann.do("wallet:transfer", to=bob.id, amount=10, key="1")
    assert await ann.fails("wallet:transfer", to=NOBODY, amount=1, key="2") == "not_found"
    await bob.next("wallet:changed")
    await bob.do("wallet:ledger", limit=10)
    assert await bob.fails("wallet:ledger", before="now") == "validation_failed"
    assert await bob.fails("wallet:get", nonsense=1) == "validation_failed"
    await ann.do("rob:attempt", victim_id=bob.id, key="3")
    assert await ann.fails("rob:attempt", victim_id=ann.id, key="4") == "validation_failed"
    assert (await bob.next("notification"))["by"]["id"] == ann.id


async def shop(server: Server, table: Table) -> None:
    ann = await table.seat(server.url)
    await ann.do("shop:list")
    await ann.do("shop:buy", item="padlock", count=2, key="1")
    await ann.do("inventory:use", item="padlock", key="2")
    await ann.do("inventory:list")
    await ann.do("inventory:sell", item="padlock", key="3")
    for event in ("shop:list", "inventory:list"):
        assert await ann.fails(event, nonsense=1) == "validation_failed"
    for event in ("shop:buy", "inventory:use", "inventory:sell"):
        assert await ann.fails(event, item="castle", key=event) == "not_found"


async def blackjack(server: Server, table: Table) -> None:
    """Games until every move was possible once: one pair in 17, one ace in 13 of the dealer's."""
    ann, done = await table.seat(server.url), set[str]()
    for number in range(GAMES):
        if done == MOVES:
            break
        game = (await ann.do("blackjack:start", bet=2, key=f"start {number}"))["game"]
        for step in itertools.count():
            if not game["can"]:
                break
            offered = [*game["can"], *(["insure"] if game["status"] == "insurance" else [])]
            fresh = [move for move in reversed(offered) if move not in done]
            move = [*fresh, "stand"][0]
            done.add(move)
            which = {"game_id": game["id"], "key": f"{number} {step}"}
            more = {"take": False} if move == "insure" else {}
            game = (await ann.do(f"blackjack:{move}", **which, **more))["game"]
    assert done == MOVES
    await ann.do("blackjack:state")
    assert await ann.fails("blackjack:start", bet=0, key="1") == "validation_failed"
    assert await ann.fails("blackjack:state", game_id=NOBODY) == "not_found"
    for move in MOVES:
        more = {"take": True} if move == "insure" else {}
        which = {"game_id": NOBODY, "key": "1"}
        assert await ann.fails(f"blackjack:{move}", **which, **more) == "not_found"


async def purchases(server: Server, table: Table, bank: Stripe, documents: Contract) -> None:
    ann = await table.seat(server.url)
    await ann.do("purchase:packs")
    assert await ann.fails("purchase:packs", nonsense=1) == "validation_failed"
    order = (await ann.do("purchase:create", pack="purse", key="1"))["order"]
    assert await ann.fails("purchase:create", pack="castle", key="2") == "not_found"
    await ann.do("purchase:get", order_id=order["id"])
    assert await ann.fails("purchase:get", order_id=NOBODY) == "not_found"
    path, paid = "/api/v1/purchases/stripe", bank.paid(order["id"])
    for secret, status in (("guessed", 401), (SECRET, 200)):
        async with table.http.post(server.url + path, **bank.said(paid, secret)) as answer:
            assert answer.status == status
            documents.called("POST", path, status, await answer.json(content_type=None), body=paid)
    await ann.next("purchase:changed")


async def jobs(server: Server, table: Table) -> None:
    admin = await table.admin(server.url)
    token = admin.tokens["access_token"]

    async def call(status: int, method: str, path: str, body: object = None) -> Any:
        said, answer = await table.call(method, server.url, path, body, token)
        assert said == status, answer
        return answer

    dead = [await call(202, "POST", "/jobs", NO_DAY) for _ in range(2)]
    letters = [(await admin.next("jobs:dead_letter", seconds=30))["id"] for _ in dead]
    await call(422, "POST", "/jobs", {"task": "reports.economy", "payload": {"day": 1}})
    waiting = {"task": "reports.economy", "delay": 600}
    items = (await call(202, "POST", "/jobs/batch", {"jobs": [waiting, {"task": "none"}]}))["jobs"]
    assert [item["ok"] for item in items] == [True, False]
    await call(422, "POST", "/jobs/batch", {"jobs": []})
    job = f"/jobs/{items[0]['id']}"
    assert (await call(200, "GET", job))["status"] == "delayed"
    assert (await call(202, "DELETE", job))["status"] == "cancelled"
    await call(409, "DELETE", job)
    await call(404, "GET", "/jobs/reports.economy-nobody")
    await call(404, "POST", "/jobs/reports.economy-nobody/retry")
    await call(202, "POST", f"/jobs/{letters[0]}/retry")
    await admin.next("jobs:dead_letter", seconds=30)
    await call(200, "GET", "/dead-letters?limit=1")
    await call(422, "GET", "/dead-letters?limit=0")
    await call(202, "POST", f"/dead-letters/{letters[0]}/replay")
    await admin.next("jobs:dead_letter", seconds=30)
    await call(404, "POST", "/dead-letters/reports.economy-nobody/replay")
    await call(202, "POST", "/dead-letters/replay", {"ids": [letters[0], "none-1"]})
    await admin.next("jobs:dead_letter", seconds=30)
    await call(422, "POST", "/dead-letters/replay", {"ids": []})
    for letter in letters:
        await call(204, "POST", f"/dead-letters/{letter}/discard", {"reason": "no such day"})
    await call(404, "POST", f"/dead-letters/{letters[0]}/discard", {"reason": "again"})
    for path in ("/queues", "/schedules"):
        assert (await table.call("GET", server.url, path))[0] == 401
    await queues(call)


async def queues(call: Any) -> None:
    good, bad = "/queues/reports.economy", "/queues/none"
    await call(200, "GET", "/queues")
    for method, path in (
        ("GET", "/stats"),
        ("GET", "/jobs?state=completed"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("DELETE", "/clean?state=completed&older=60"),
    ):
        await call(200, method, good + path)
        await call(404, method, bad + path)
    new = {"name": "lately", "task": "reports.economy", "cron": "0 8 * * *"}
    await call(201, "POST", "/schedules", new)
    await call(409, "POST", "/schedules", new)
    await call(200, "GET", "/schedules")
    await call(200, "PATCH", "/schedules/lately", {"paused": True})
    await call(404, "PATCH", "/schedules/nobody", {"paused": True})
    await call(200, "GET", "/operations/log?limit=1")
    await call(422, "GET", "/operations/log?limit=0")
    await call(204, "DELETE", "/schedules/lately")
    await call(409, "DELETE", "/schedules/audit")


async def left_alone(server: Server, table: Table) -> None:
    ann = await table.seat(server.url)
    for number in range(GAMES):
        if (await ann.do("blackjack:start", bet=1, key=str(number)))["game"]["can"]:
            break
    await ann.next("blackjack:ended", seconds=30)


async def test_the_documents_are_served_as_files_and_as_a_page(lone: Server, table: Table) -> None:
    for path, media in (
        ("/openapi.json", "application/json"),
        ("/asyncapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
        ("/docs/parts.js", "text/javascript; charset=utf-8"),
        ("/docs/text.js", "text/javascript; charset=utf-8"),
        ("/docs/docs.css", "text/css; charset=utf-8"),
    ):
        async with table.http.get(lone.url + path) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == media
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            known = {"If-None-Match": answer.headers["ETag"]}
        async with table.http.get(lone.url + path, headers=known) as again:
            assert (again.status, await again.read()) == (304, b"")
        plain = {"Accept-Encoding": "identity"}
        async with table.http.get(lone.url + path, headers=plain) as unzipped:
            assert "Content-Encoding" not in unzipped.headers


async def test_the_limits_of_the_documents_are_those_in_force(strict: Server, table: Table) -> None:
    for path in ("/openapi.json", "/asyncapi.json"):
        async with table.http.get(strict.url + path) as answer:
            document: dict[str, Any] = await answer.json()
        rows = {row["setting"]: row["value"] for row in document["x-limits"]}
        assert rows["SHOWDOWN_LIMITS__ROOMS_PER_CONNECTION"] == "4"
        assert "SHOWDOWN_LIMITS__ROOMS_PER_CONNECTION | 4 |" in document["info"]["description"]
        assert not [name for name in rows if "SECRET" in name or "URL" in name]
