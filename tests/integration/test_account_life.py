"""An account's life after the sign-in: characters, names, passwords, export, deletion."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pymongo
import pytest
import socketio

from config.sections import Mongo, Redis
from game.books import Finding
from state.audit import Audit
from state.connect import RedisStore
from state.documents import DocumentStore
from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table, serving

PASSWORD, OTHER_PASSWORD = "correct horse", "battery staple"
PATIENCE, PAUSE_SECONDS = 300, 0.1
DOOMED = 6
# What still has a deleted player's name goes by itself: state.md says when.
EXPIRING = ("{log}:room:", "{chat}:sent:", "{duels}:duel:", "{duels}:key:")


async def registered(table: Table, url: str, name: str) -> Player:
    status, tokens = await table.post(
        url, "/auth/register", {"username": name, "password": PASSWORD}
    )
    assert status == 201
    return table.player(url, tokens)


async def mine(
    table: Table, method: str, player: Player, path: str, body: Any = None
) -> tuple[int, Any]:
    return await table.call(method, player.url, path, body, player.tokens["access_token"])


async def test_two_characters_of_an_account_are_two_players(lone: Server, table: Table) -> None:
    first = await table.guest(lone.url, "first")
    _, made = await mine(table, "POST", first, "/characters", {"name": "second"})
    tokens = {**first.tokens, "character": made["character"]}
    second = table.player(lone.url, tokens)
    await first.connect()
    await second.connect(character_id=second.id)
    assert second.ready["player"] == {"id": second.id, "name": "second", "role": "player"}
    await second.do("presence:set", status="busy")
    both = [first.id, second.id]
    shown = (await first.do("presence:query", player_ids=both))["presence"]
    assert [shown[one]["status"] for one in both] == ["online", "busy"]
    await first.do("wallet:transfer", to=second.id, amount=100, key="1")
    assert (await second.do("wallet:get"))["balance"] == 1_100
    duel = await table.duel(first, second)
    assert [one["name"] for one in duel["players"]] == ["first", "second"]
    await second.leave()
    assert (await first.next("duel:opponent"))["connected"] is False
    third = table.player(lone.url, tokens)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await third.connect(character_id=(await table.guest(lone.url)).id)
    assert third.refusal["message"] == "forbidden"


async def test_a_new_name_is_the_name_on_every_node_at_once(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = (server.url for server in pair)
    ann, bob = await table.seat(one, "ann"), await table.seat(other, "bob")
    tablet = await table.player(other, ann.tokens).connect()
    room = f"room:{uuid4().hex[:8]}"
    await bob.do("chat:join", room=room)
    path = f"/characters/{ann.id}"
    assert (await mine(table, "PATCH", bob, path, {"name": "mine"}))[0] == 404
    assert (await mine(table, "PATCH", ann, path, {"name": "\u200b"}))[0] == 422
    status, answer = await mine(table, "PATCH", ann, path, {"name": "Anna"})
    assert (status, answer["character"]["name"]) == (200, "Anna")
    for device in (ann, tablet):
        news = await device.next("session:renamed")
        assert news == {"player_id": ann.id, "name": "Anna"}
    await tablet.do("chat:join", room=room)
    message = (await tablet.do("chat:send", room=room, text="hello"))["message"]
    assert message["from"] == {"id": ann.id, "name": "Anna"}
    members = (await bob.do("chat:join", room=room))["members"]
    assert {one["name"] for one in members} == {"Anna", "bob"}
    duel = (await bob.do("duel:challenge", opponent_id=ann.id, key="1"))["duel"]
    assert [one["name"] for one in duel["players"]] == ["bob", "Anna"]
    status, problem = await mine(table, "PATCH", ann, path, {"name": "Annabel"})
    assert (status, problem["code"]) == (429, "rate_limited")
    assert problem["retry_after"] > 86_000
    assert (await mine(table, "PATCH", ann, path, {"name": "Anna"}))[0] == 200


async def test_a_guest_registers_and_a_new_password_ends_all_other_sign_ins(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = (server.url for server in pair)
    ann = await table.seat(one, "ann")
    await ann.do("wallet:get")
    names = {"username": f"ann-{uuid4().hex[:8]}", "password": PASSWORD}
    change = {"password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert (await mine(table, "POST", ann, "/me/password", change))[0] == 409
    statuses = await asyncio.gather(
        *(mine(table, "POST", ann, "/me/register", names) for _ in range(4))
    )
    assert sorted(status for status, _ in statuses) == [200] + [409] * 3
    bob = await table.guest(one, "bob")
    assert (await mine(table, "POST", bob, "/me/register", names))[0] == 409
    status, tokens = await table.post(other, "/auth/login", names)
    assert (status, tokens["character"]["id"]) == (200, ann.id)
    elsewhere = await table.player(other, tokens).connect()
    wrong = {**change, "password": "wrong horse"}
    assert (await mine(table, "POST", ann, "/me/password", wrong))[0] == 403
    assert (await mine(table, "POST", ann, "/me/password", change))[0] == 204
    assert (await elsewhere.next("server:disconnect"))["code"] == "token_revoked"
    assert (await mine(table, "GET", elsewhere, "/me"))[0] == 401
    assert (await mine(table, "GET", ann, "/me"))[0] == 200
    await ann.do("wallet:get")
    assert (await table.post(one, "/auth/login", names))[0] == 401
    again = {**names, "password": OTHER_PASSWORD}
    assert (await table.post(one, "/auth/login", again))[0] == 200


async def lived(table: Table, ann: Player, bob: Player, room: str) -> str:
    """Ann leaves something everywhere; returns the id of a duel that goes on."""
    await ann.do("chat:join", room=room)
    await bob.do("chat:join", room=room)
    await ann.do("chat:send", room=room, text="first words", client_id="1")
    await bob.do("chat:send", room=room, text="words of another")
    whisper = await ann.do("chat:whisper", to=bob.id, text="secret words")
    await bob.do("chat:report", message_id=whisper["message"]["id"], reason="rude")
    await ann.do("friends:add", player_id=bob.id)
    await bob.do("friends:add", player_id=ann.id)
    await ann.do("shop:buy", item="padlock", count=2, key="1")
    await ann.do("inventory:use", item="padlock", key="2")
    await ann.do("wallet:transfer", to=bob.id, amount=10, key="3")
    offer = await ann.do("duel:challenge", opponent_id=bob.id, stake=50, key="4")
    await bob.do("duel:accept", duel_id=offer["duel"]["id"])
    duel_id: str = offer["duel"]["id"]
    return duel_id


def documents_with(url: str, *words: str) -> set[str]:
    """The collections that have one of these words anywhere."""
    with pymongo.MongoClient[Any](url) as client:
        database = client["test_server"]
        return {
            name
            for name in database.list_collection_names()
            for document in database[name].find()
            if any(word in str(document) for word in words)
        }


async def keys_with(redis: RedisStore, word: str) -> dict[str, int]:
    """The keys that have a word in their value, with their TTL in ms."""
    found: dict[str, int] = {}
    for key in await redis.call("KEYS", "*"):
        dumped = await redis.call("EVAL", DUMP, 1, key)
        if word in str(dumped):
            found[key] = await redis.call("PTTL", key)
    return found


DUMP = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'string' then return redis.call('GET', KEYS[1]) end
if kind == 'hash' then return redis.call('HGETALL', KEYS[1]) end
if kind == 'list' then return redis.call('LRANGE', KEYS[1], 0, -1) end
if kind == 'set' then return redis.call('SMEMBERS', KEYS[1]) end
if kind == 'zset' then return redis.call('ZRANGE', KEYS[1], 0, -1) end
if kind == 'stream' then return redis.call('XRANGE', KEYS[1], '-', '+') end
return ''
"""


async def until_gone(url: str, *words: str) -> None:
    left = {"?"}
    for _ in range(PATIENCE):
        left = await asyncio.to_thread(documents_with, url, *words)
        if not left:
            return
        await asyncio.sleep(PAUSE_SECONDS)
    pytest.fail(f"{words} is still in {left}")


async def export_of(table: Table, ann: Player) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {ann.tokens['access_token']}"}
    async with table.http.get(f"{ann.url}/api/v1/me/export", headers=headers) as answer:
        assert answer.status == 200
        assert "attachment" in answer.headers["Content-Disposition"]
        exported: dict[str, Any] = await answer.json()
        return exported


async def test_an_export_has_it_all_and_a_deletion_leaves_nothing_of_it(
    pair: tuple[Server, Server], shared_stores: Stores, table: Table
) -> None:
    one, other = pair
    name, room = f"zebra-{uuid4().hex[:8]}", f"room:{uuid4().hex[:8]}"
    ann = await (await registered(table, one.url, name)).connect()
    bob = await table.seat(other.url, "bob")
    duel_id = await lived(table, ann, bob, room)
    check_export(await until_archived(table, ann), name, bob)
    await asyncio.to_thread(grow_old, shared_stores.mongo_url, ann.tokens["account"]["id"])
    assert (await mine(table, "DELETE", ann, "/me"))[0] == 403
    body = {"username": name, "password": PASSWORD}
    _, tokens = await table.post(one.url, "/auth/login", body)
    assert (await mine(table, "DELETE", table.player(one.url, tokens), "/me"))[0] == 204
    assert (await ann.next("server:disconnect"))["code"] == "token_revoked"
    assert (await mine(table, "GET", ann, "/me"))[0] == 401
    assert (await table.post(one.url, "/auth/login", body))[0] == 401
    ended = await bob.next("duel:ended")
    assert (ended["id"], ended["winner_id"]) == (duel_id, bob.id)
    assert ended["end_reason"] == "forfeit"
    await bob.next("friends:changed", lambda news: news["friend"] is None)
    await until_gone(shared_stores.mongo_url, name)
    await check_what_stays(shared_stores, bob, name, room)
    assert await bob.fails("chat:whisper", to=ann.id, text="?") == "not_found"


def check_export(exported: dict[str, Any], name: str, bob: Player) -> None:
    (character,) = exported["characters"]
    assert (exported["account"]["username"], character["name"]) == (name, name)
    records = character["records"]
    assert {one["text"] for one in records["messages"]} == {"first words", "secret words"}
    reasons = {one["reason"] for one in records["ledger"]}
    assert {"start", "shop_buy", "transfer", "stake"} <= reasons
    assert [one["other"] for one in records["ties"]] == [bob.id]
    assert [one["item"] for one in records["inventory"]] == ["padlock"]
    assert len(records["boosts"]) == 1


def grow_old(url: str, account_id: str) -> None:
    """The account's sign-ins are of yesterday."""
    yesterday = {"created_at": datetime.now(UTC) - timedelta(days=1)}
    with pymongo.MongoClient[Any](url) as client:
        families = client["test_server"]["families"]
        families.update_many({"account_id": account_id}, {"$set": yesterday})


async def until_archived(table: Table, ann: Player) -> dict[str, Any]:
    for _ in range(PATIENCE):
        exported = await export_of(table, ann)
        if len(exported["characters"][0]["records"]["messages"]) == 2:
            return exported
        await asyncio.sleep(PAUSE_SECONDS)
    pytest.fail("the messages are not archived")


async def check_what_stays(stores: Stores, bob: Player, name: str, room: str) -> None:
    page = (await bob.do("chat:history", room=room))["messages"]
    deleted = {"id": "deleted", "name": "Deleted player"}
    assert [(one["from"], one["text"]) for one in page] == [
        (deleted, "first words"),
        ({"id": bob.id, "name": "bob"}, "words of another"),
    ]
    async with RedisStore(stores.redis_url, Redis()) as redis:
        for key, ttl in (await keys_with(redis, name)).items():
            assert key.startswith(EXPIRING), key
            assert ttl > 0, key
    assert (await bob.do("friends:list"))["friends"] == []


async def test_deletions_are_finished_by_others_when_their_node_is_killed(
    lone: Server, shared_stores: Stores, table: Table
) -> None:
    bob = await table.seat(lone.url, "bob")
    async with serving(**on(shared_stores, CHAT__TAIL=50)) as doomed:
        names = [f"quagga-{uuid4().hex[:8]}" for _ in range(DOOMED)]
        players = [await (await registered(table, doomed.url, name)).connect() for name in names]
        for player in players:
            await player.do("chat:whisper", to=bob.id, text="goodbye")
        asked = [asyncio.create_task(mine(table, "DELETE", one, "/me")) for one in players]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        await doomed.kill()
        await asyncio.gather(*asked, return_exceptions=True)
    answered = [one for one in asked if not one.exception() and one.result()[0] == 204]
    assert answered
    kept = 0
    for player in players:
        body = {"username": player.name, "password": PASSWORD}
        if (await table.post(lone.url, "/auth/login", body))[0] == 200:
            kept += 1  # killed before it began: nothing happened at all
        else:
            await until_names_gone(shared_stores.mongo_url, player.name, player.id)
    assert kept <= DOOMED - len(answered)
    findings = await audited(shared_stores)
    assert [one for one in findings if any(player.id in one.subject for player in players)] == []


async def until_names_gone(url: str, name: str, player_id: str) -> None:
    """Its account, its character, and its name as an author; the text it wrote stays."""
    for _ in range(PATIENCE):
        if not await asyncio.to_thread(traces, url, name, player_id):
            return
        await asyncio.sleep(PAUSE_SECONDS)
    pytest.fail(f"{name}: {traces(url, name, player_id)}")


def traces(url: str, name: str, player_id: str) -> list[str]:
    queries: dict[str, Any] = {
        "accounts": {"username": name},
        "characters": {"name": name},
        "messages": {"from.id": player_id},
        "wallets": {"_id": f"player:{player_id}", "balance": {"$gt": 0}},
    }
    with pymongo.MongoClient[Any](url) as client:
        database = client["test_server"]
        return [where for where, query in queries.items() if database[where].find_one(query)]


async def audited(stores: Stores) -> list[Finding]:
    mongo = Mongo(database="test_server", timeout_seconds=15)
    async with DocumentStore(stores.mongo_url, mongo) as documents:
        return (await Audit(documents).run()).findings
