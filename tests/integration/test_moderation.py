"""Moderators at work on two servers: what they do counts everywhere, and is written down."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from socketio.exceptions import ConnectionError as Refused

from config.sections import Mongo
from state.documents import DocumentStore
from tests.fixtures import Stores
from tests.harness import Player, Server, Table
from tests.integration.chat_kit import new_room
from tests.integration.wire import until

PASSWORD = "correct horse"
CLOSED_SECONDS = 8.0  # one look of the nodes (5 s) and some patience; mostly it is at once
Pair = tuple[Server, Server]


class Staff:
    """An administrator, and the calls of whoever has a token."""

    def __init__(self, table: Table, pair: Pair, admin: Player) -> None:
        self.table, self.here, self.there = table, pair[0].url, pair[1].url
        self.admin = admin

    async def call(self, who: Player, method: str, path: str, **body: Any) -> tuple[int, Any]:
        token = who.tokens["access_token"]
        return await self.table.call(method, self.here, path, body or None, token)

    async def does(self, who: Player, method: str, path: str, **body: Any) -> Any:
        status, answer = await self.call(who, method, path, **body)
        assert status == 200, answer
        return answer

    async def fails(self, who: Player, method: str, path: str, **body: Any) -> str:
        status, answer = await self.call(who, method, path, **body)
        assert status >= 400, answer
        code: str = answer["code"]
        return code

    async def registered(self, role: str | None = None) -> tuple[Player, dict[str, str]]:
        """Somebody with a password, and his credentials; not connected."""
        mine = {"username": f"m-{uuid4().hex[:12]}", "password": PASSWORD}
        status, tokens = await self.table.post(self.here, "/auth/register", mine)
        assert status == 201
        if role:
            path = f"/accounts/{tokens['account']['id']}/role"
            await self.does(self.admin, "PUT", path, role=role, reason="trusted")
            status, tokens = await self.table.post(self.here, "/auth/login", mine)
            assert (status, tokens["account"]["role"]) == (200, role)
        return self.table.player(self.there, tokens), mine

    async def logged(self, whom: Player) -> list[tuple[str, str]]:
        """What was done to somebody, and why, the oldest first."""
        account = whom.tokens["account"]["id"]
        page = await self.does(self.admin, "GET", f"/moderation/log?whom={account}")
        return [(one["action"], one["reason"]) for one in reversed(page["entries"])]


@pytest.fixture
async def staff(pair: Pair, table: Table) -> Staff:
    return Staff(table, pair, await table.admin(pair[0].url))


async def refused(player: Player) -> Any:
    with pytest.raises(Refused):
        await player.connect()
    return player.refusal["data"]


async def test_a_ban_closes_sockets_everywhere_and_is_told_everywhere(
    staff: Staff, pair: Pair, table: Table
) -> None:
    mia, _ = await staff.registered("moderator")
    ann, credentials = await staff.registered()
    await ann.connect()
    phone = await table.player(pair[0].url, ann.tokens).connect()
    started = time.monotonic()
    path = f"/moderation/players/{ann.id}"
    ban = await staff.does(mia, "POST", f"{path}/ban", reason="cheating", seconds=1_000)
    assert ban["entry"]["by"]["account_id"] == mia.tokens["account"]["id"]
    for socket in (ann, phone):
        farewell = await socket.next("server:disconnect", seconds=CLOSED_SECONDS)
        assert (farewell["code"], farewell["reconnect"]) == ("banned", False)
        await gone(socket)
    assert time.monotonic() - started < CLOSED_SECONDS
    await _is_banned(table, pair, ann, credentials)
    assert await staff.fails(mia, "POST", f"{path}/ban", seconds=5) == "validation_failed"
    listed = await staff.does(mia, "GET", "/moderation/sanctions?kind=ban")
    assert ann.id in {one["player_id"] for one in listed["sanctions"]}
    await staff.does(mia, "POST", f"{path}/unban", reason="a mistake")
    assert await staff.fails(mia, "POST", f"{path}/unban", reason="again") == "conflict"
    assert (await staff.call(ann, "GET", "/me"))[1]["code"] == "token_revoked"
    _, tokens = await table.post(pair[1].url, "/auth/login", credentials)
    back = await table.player(pair[1].url, tokens).connect()
    assert back.id == ann.id
    assert await staff.logged(ann) == [("ban", "cheating"), ("unban", "a mistake")]


async def gone(player: Player) -> None:
    """Wait until a socket is closed."""

    async def connected() -> bool:
        return bool(player.socket.connected)

    await until(connected, lambda still: not still)


async def test_what_one_server_changes_the_next_connection_to_the_other_shows(
    staff: Staff, table: Table
) -> None:
    """Each was connected to the other before, which makes copies (state/copies.py)."""
    ann, bob = [(await staff.registered())[0] for _ in range(2)]
    for player in (ann, bob):
        await player.connect()
    assert ann.ready["resume"]["friend_requests"] == 0
    await staff.does(ann, "PATCH", f"/characters/{ann.id}", name="Anna")
    here = await table.player(staff.here, bob.tokens).connect()
    await here.do("friends:add", player_id=ann.id)
    path = f"/accounts/{ann.tokens['account']['id']}/role"
    again = await table.player(staff.there, ann.tokens).connect()
    assert again.ready["player"] == {"id": ann.id, "name": "Anna", "role": "player"}
    assert again.ready["resume"]["friend_requests"] == 1
    await staff.does(staff.admin, "PUT", path, role="moderator", reason="trusted")
    assert (await refused(table.player(staff.there, ann.tokens)))["code"] == "token_revoked"
    await staff.does(staff.admin, "POST", f"/moderation/players/{bob.id}/ban", reason="x")
    assert (await refused(table.player(staff.there, bob.tokens)))["code"] == "banned"


async def test_nobody_slips_through_while_the_ban_is_made(
    staff: Staff, pair: Pair, table: Table
) -> None:
    """Sign-ins and sockets of the account on both servers, before, while and after it is banned."""
    ann, credentials = await staff.registered()
    came: list[Player] = []

    async def come(url: str) -> None:
        status, tokens = await table.post(url, "/auth/login", credentials)
        if status == 200:
            came.append(table.player(url, tokens))
            with suppress(Refused, TimeoutError):
                await came[-1].connect()

    async def ban() -> None:
        await asyncio.sleep(0.15)  # most are in between a password and a seat then
        await staff.does(staff.admin, "POST", f"/moderation/players/{ann.id}/ban", reason="x")

    await asyncio.gather(ban(), *(come((pair[0].url, pair[1].url)[n % 2]) for n in range(24)))
    for one in came:
        await gone(one)
        for url in (pair[0].url, pair[1].url):
            renewal = {"refresh_token": one.tokens["refresh_token"]}
            token = one.tokens["access_token"]
            assert (await table.call("GET", url, "/me", token=token))[1]["code"] == "banned"
            assert (await table.post(url, "/auth/refresh", renewal))[1]["code"] == "banned"


async def _is_banned(table: Table, pair: Pair, ann: Player, credentials: dict[str, str]) -> None:
    """Sign-in, refresh, calls and sockets, on both servers, say so and for how long."""
    renewal = {"refresh_token": ann.tokens["refresh_token"]}
    for url in (pair[0].url, pair[1].url):
        _, login = await table.post(url, "/auth/login", credentials)
        _, refresh = await table.post(url, "/auth/refresh", renewal)
        _, me = await table.call("GET", url, "/me", token=ann.tokens["access_token"])
        socket = await refused(table.player(url, ann.tokens))
        for error in (login, refresh, me, socket):
            assert error["code"] == "banned"
            assert 900 < error["retry_after"] <= 1_000


async def test_a_ban_ends_by_itself(staff: Staff, table: Table) -> None:
    ann, credentials = await staff.registered()
    await ann.connect()
    path = f"/moderation/players/{ann.id}/ban"
    await staff.does(staff.admin, "POST", path, reason="calm down", seconds=1)
    await ann.next("server:disconnect", seconds=CLOSED_SECONDS)
    again = await until(
        lambda: table.post(staff.there, "/auth/login", credentials), lambda answer: answer[0] == 200
    )
    await table.player(staff.there, again[1]).connect()


async def test_moderators_act_on_players_only(staff: Staff, table: Table) -> None:
    mia, _ = await staff.registered("moderator")
    max_, _ = await staff.registered("moderator")
    ann = await table.guest(staff.there)
    for whom in (mia, max_, staff.admin):
        path = f"/moderation/players/{whom.id}"
        for what in ("ban", "unban", "mute", "unmute"):
            assert await staff.fails(mia, "POST", f"{path}/{what}", reason="x") == "forbidden"
    await mia.connect()
    for whom in (mia, max_, staff.admin):
        assert await mia.fails("chat:mute", player_id=whom.id) == "forbidden"
    role = {"role": "admin", "reason": "x"}
    own = f"/accounts/{mia.tokens['account']['id']}/role"
    assert await staff.fails(mia, "PUT", own, **role) == "forbidden"
    assert await staff.fails(mia, "GET", "/moderation/log") == "forbidden"
    assert await staff.fails(ann, "GET", "/moderation/reports") == "forbidden"
    mine = f"/accounts/{staff.admin.tokens['account']['id']}/role"
    assert await staff.fails(staff.admin, "PUT", mine, **role) == "forbidden"
    assert await staff.logged(max_) == [("set_role", "trusted")]


async def test_a_role_taken_away_is_gone_from_sockets_and_tokens(staff: Staff) -> None:
    mia, _ = await staff.registered("moderator")
    await mia.connect()
    path = f"/accounts/{mia.tokens['account']['id']}/role"
    await staff.does(staff.admin, "PUT", path, role="player", reason="no more")
    farewell = await mia.next("server:disconnect", seconds=CLOSED_SECONDS)
    assert farewell["code"] == "token_revoked"
    assert await staff.fails(mia, "GET", "/moderation/reports") == "token_revoked"


async def test_a_mute_is_of_the_account(staff: Staff, table: Table) -> None:
    ann, _ = await staff.registered()
    await ann.connect()
    await staff.does(
        staff.admin, "POST", f"/moderation/players/{ann.id}/mute", reason="rude", seconds=100
    )
    told = await ann.next("chat:muted")
    assert (told["player_id"], told["reason"]) == (ann.id, "rude")
    status, made = await staff.call(ann, "POST", "/characters", name="Another")
    assert status == 201
    other = table.player(staff.here, {**ann.tokens, "character": made["character"]})
    await other.connect(character_id=other.id)
    assert other.ready["resume"]["muted_until"] == told["muted_until"]
    room = new_room()
    for player in (ann, other):
        await player.do("chat:join", room=room)
        assert await player.fails("chat:send", room=room, text="still me") == "muted"
    await staff.does(staff.admin, "POST", f"/moderation/players/{ann.id}/unmute", reason="fine")
    for player in (ann, other):
        await player.next("chat:muted", lambda told: told["muted_until"] is None)
        await player.do("chat:send", room=room, text="sorry")
    record = await staff.does(staff.admin, "GET", f"/moderation/players/{other.id}")
    assert {one["id"] for one in record["characters"]} == {ann.id, other.id}
    assert [one["ended"]["how"] for one in record["sanctions"]] == ["lifted"]


async def test_a_report_is_read_in_context_and_closed_by_one(staff: Staff, table: Table) -> None:
    ann, bob = await table.seat(staff.here, "ann"), await table.seat(staff.there, "bob")
    mia, _ = await staff.registered("moderator")
    room = new_room()
    for player in (ann, bob):
        await player.do("chat:join", room=room)
    said = [(await ann.do("chat:send", room=room, text=str(n)))["message"] for n in range(5)]
    sent = await bob.do("chat:report", message_id=said[2]["id"], reason="rude")
    assert sent == await bob.do("chat:report", message_id=said[2]["id"], reason="very rude")
    await ann.do("chat:delete", message_id=said[2]["id"])
    path = f"/moderation/reports/{sent['report_id']}"
    shown = await until(
        lambda: staff.does(mia, "GET", path), lambda one: len(one["said_after"]) == 2
    )
    assert shown["report"]["message"] == said[2]
    assert shown["message_now"]["deleted"]
    assert [one["text"] for one in shown["said_before"]] == ["0", "1"]
    calls = [(staff.admin, "ban"), (mia, "mute")] * 3
    done = await asyncio.gather(
        *(
            staff.call(who, "POST", f"{path}/resolve", action=action, note="seen", seconds=60)
            for who, action in calls
        )
    )
    assert sorted(status for status, _ in done) == [200, 409, 409, 409, 409, 409]
    assert {answer["code"] for status, answer in done if status == 409} == {"conflict"}
    (won,) = [answer["report"] for status, answer in done if status == 200]
    action = won["resolution"]["action"]
    assert sorted(await staff.logged(ann)) == sorted([(action, "seen"), ("resolve_report", "seen")])
    listed = await staff.does(mia, "GET", "/moderation/reports?status=resolved&limit=100")
    assert won in listed["reports"]
    told = await bob.next("notification", lambda one: one["ref"] == sent["report_id"])
    box = await bob.do("notifications:list")  # of six who closed it, and told of it
    assert [one["id"] for one in box["notifications"]] == [told["id"]]
    assert (told["kind"], told["by"]) == ("report_resolved", None)


async def test_a_reported_whisper_shows_nothing_around_it(staff: Staff, table: Table) -> None:
    ann, bob = await table.seat(staff.here, "ann"), await table.seat(staff.there, "bob")
    await ann.do("chat:whisper", to=bob.id, text="one")
    message = (await ann.do("chat:whisper", to=bob.id, text="two"))["message"]
    sent = await bob.do("chat:report", message_id=message["id"], reason="rude")
    shown = await staff.does(staff.admin, "GET", f"/moderation/reports/{sent['report_id']}")
    assert shown["report"]["message"] == message
    assert shown["said_before"] == shown["said_after"] == []


async def test_what_moderators_do_to_messages_is_in_the_log(staff: Staff, table: Table) -> None:
    ann, room = await table.seat(staff.there, "ann"), new_room()
    mia, _ = await staff.registered("moderator")
    await mia.connect()
    for player in (ann, mia):
        await player.do("chat:join", room=room)
    message = (await ann.do("chat:send", room=room, text="boo"))["message"]
    own = (await mia.do("chat:send", room=room, text="hm"))["message"]
    await mia.do("chat:edit", message_id=message["id"], text="(boo)")
    for one in (message, own):
        await mia.do("chat:delete", message_id=one["id"])
    assert await staff.logged(ann) == [("edit_message", ""), ("delete_message", "")]
    assert await staff.logged(mia) == [("set_role", "trusted")]


async def test_a_player_reports_only_so_much(session_host: Any, table: Table) -> None:
    server = session_host.start(LIMITS__REPORTS_PER_HOUR=2)
    ann, bob, room = await table.seat(server.url), await table.seat(server.url), new_room()
    await ann.do("chat:join", room=room)
    said = [(await ann.do("chat:send", room=room, text=str(n)))["message"] for n in range(3)]
    for message in said[:2]:
        await bob.do("chat:report", message_id=message["id"], reason="rude")
    answer = await bob.ask("chat:report", message_id=said[2]["id"], reason="rude")
    assert answer["error"]["code"] == "rate_limited"
    assert 3_500 < answer["error"]["retry_after"] <= 3_600


async def test_what_a_killed_node_left_undone_another_does(
    staff: Staff, shared_stores: Stores, table: Table
) -> None:
    """As it is when a node dies right after the transaction: only the database knows."""
    ann, credentials = await staff.registered()
    await ann.connect()
    settings = Mongo(database="test_server", timeout_seconds=15)
    long_ago = int(time.time() * 1000) - 60_000
    ban = {
        "banned_until": int(time.time() * 1000) + 60_000,
        "enforce": {"at": long_ago, "reason": "x", "sign_out": True},
    }
    async with DocumentStore(shared_stores.mongo_url, settings) as documents:
        which = {"_id": ann.tokens["account"]["id"]}
        await documents.call("accounts", "update_one", which, {"$set": ban})
        assert (await ann.next("server:disconnect", seconds=CLOSED_SECONDS))["code"] == "banned"
        assert (await table.post(staff.here, "/auth/login", credentials))[1]["code"] == "banned"
        await until(
            lambda: documents.call("accounts", "find_one", which), lambda one: "enforce" not in one
        )
