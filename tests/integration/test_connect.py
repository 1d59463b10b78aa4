"""A socket's way in: who is let in, who is not, and what both are told."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from socketio.exceptions import ConnectionError as RefusedError

from config.sections import Mongo, Redis
from state.connect import RedisStore
from state.copies import key_of, of_account, of_requests
from state.documents import DocumentStore
from tests.fixtures import Stores
from tests.harness import Player, Server, Table
from tests.integration.wire import ENGINE, Socket, closed, forged, packet, sign_in


async def refusal(player: Player, **auth: Any) -> dict[str, Any]:
    """The error object that a player is refused with, as `connect_error` gets it."""
    with pytest.raises(RefusedError):
        await player.connect(**auth)
    said: dict[str, Any] = player.refusal
    assert said.keys() == {"message", "data"}
    assert said["message"] == said["data"]["code"]
    assert {"type", "title", "status", "detail", "code", "retryable", "request_id"} <= set(
        said["data"]
    )
    assert not player.seen("session:ready")
    error: dict[str, Any] = said["data"]
    return error


async def test_a_player_is_told_who_he_is_and_where_he_stands(lone: Server, table: Table) -> None:
    before = time.time() * 1000
    ann = await table.seat(lone.url, "Ann")
    ready = ann.ready
    assert ready.keys() == {"player", "session_id", "recovered", "server_time", "resume"}
    assert ready["player"] == {"id": ann.id, "name": "Ann", "role": "player"}
    assert ready["session_id"] == ann.socket.get_sid()
    assert ready["recovered"] is False
    assert abs(ready["server_time"] - before) < 30_000
    nothing = {"duel": None, "muted_until": None, "match": None, "friend_requests": 0}
    assert ready["resume"] == {"rooms": [], **nothing}
    assert ann.history[0][0] == "session:ready"


async def test_a_player_plays_as_the_character_that_he_names(lone: Server, table: Table) -> None:
    ann = await table.guest(lone.url, "Ann")
    token = ann.tokens["access_token"]
    _, made = await table.post(lone.url, "/characters", {"name": "Zoe"}, token)
    await ann.connect(character_id=made["character"]["id"])
    assert ann.ready["player"] == {**made["character"], "role": "player"}


async def test_who_signed_in_over_rest_comes_in_without_a_question_to_mongodb(
    pair: tuple[Server, Server], table: Table, shared_stores: Stores
) -> None:
    here, there = pair
    names = {"username": "returning", "password": "correct horse"}
    _, tokens = await table.post(here.url, "/auth/register", names)
    ids = of_account(tokens["account"]["id"]), of_requests(tokens["character"]["id"])
    for again in ("login", "refresh"):
        async with RedisStore(shared_stores.redis_url, Redis()) as redis:
            await redis.call("DEL", *map(key_of, ids))  # as after a quarter of an hour
        body = {"refresh_token": tokens["refresh_token"]} if again == "refresh" else names
        status, tokens = await table.post(here.url, f"/auth/{again}", body)
        assert status == 200
        asked = await questions(there, table)
        ann = await table.player(there.url, tokens).connect()
        assert ann.ready["player"]["name"] == "returning"
        assert await questions(there, table) == asked


async def questions(server: Server, table: Table) -> dict[str, str]:
    """What a server has asked MongoDB so far of those who come."""
    async with table.http.get(f"{server.url}/metrics") as answer:
        lines = [line.rpartition(" ") for line in (await answer.text()).splitlines()]
    asked = ("accounts.find_one", "characters.find", "circles.find_one")
    count = "showdown_store_seconds_count"
    return {
        what: number
        for what, _, number in lines
        if what.startswith(count) and any(f'"{one}"' in what for one in asked)
    }


async def test_without_a_token_nobody_is_let_in(lone: Server, table: Table) -> None:
    player = await table.guest(lone.url)
    nothing: tuple[object, ...] = (None, {}, "", [], "text", 7)
    for auth in nothing:
        player.socket.on("connect_error", player._refused)
        with pytest.raises(RefusedError):
            await player.socket.connect(lone.url, auth=auth, transports=["websocket"])
        assert player.refusal["message"] == "unauthenticated"


@pytest.mark.parametrize(
    "token", ["nonsense", "a.b.c", "é" * 20, "x" * 5_000, "eyJhbGciOiJub25lIn0.e30."]
)
async def test_a_token_that_is_none_is_refused(lone: Server, table: Table, token: str) -> None:
    player = await table.guest(lone.url)
    assert (await refusal(player, token=token))["code"] == "unauthenticated"


async def test_a_token_of_another_signer_is_refused(lone: Server, table: Table) -> None:
    player = await table.guest(lone.url)
    token = forged(player.tokens, "another secret, long enough for HS256")
    assert (await refusal(player, token=token))["code"] == "unauthenticated"


async def test_an_expired_token_is_refused_as_such(lone: Server, table: Table) -> None:
    player = await table.guest(lone.url)
    token = forged(player.tokens, exp=int(time.time()) - 1)
    error = await refusal(player, token=token)
    assert (error["code"], error["status"]) == ("token_expired", 401)


async def test_a_revoked_token_is_refused_on_every_server(
    pair: tuple[Server, Server], table: Table
) -> None:
    player = await table.guest(pair[0].url)
    await table.post(pair[0].url, "/auth/logout", token=player.tokens["access_token"])
    again = table.player(pair[1].url, player.tokens)
    assert (await refusal(again))["code"] == "token_revoked"


@pytest.mark.parametrize("token", [7, "", None, {}])
async def test_what_is_no_token_is_no_sign_in(lone: Server, table: Table, token: object) -> None:
    error = await refusal(await table.guest(lone.url), token=token)
    assert (error["code"], error["status"]) == ("unauthenticated", 401)


@pytest.mark.parametrize("auth", [{"character_id": 7}, {"character_id": "x" * 65}])
async def test_an_auth_object_of_another_shape_is_named(
    lone: Server, table: Table, auth: dict[str, object]
) -> None:
    error = await refusal(await table.guest(lone.url), **auth)
    assert error["code"] == "validation_failed"
    assert [problem["field"] for problem in error["errors"]] == list(auth)


async def test_what_a_recovering_client_sends_more_does_no_harm(lone: Server, table: Table) -> None:
    player = await (await table.guest(lone.url)).connect(pid="p", offset="o")
    assert player.ready["recovered"] is False


async def test_somebody_elses_character_is_forbidden(lone: Server, table: Table) -> None:
    ann, bob = await table.guest(lone.url), await table.guest(lone.url)
    for other in (bob.id, "0" * 20):
        assert (await refusal(ann, character_id=other))["code"] == "forbidden"


async def test_a_banned_account_is_told_for_how_long(
    lone: Server, table: Table, shared_stores: Stores
) -> None:
    player = await table.guest(lone.url)
    account = {"_id": player.tokens["account"]["id"]}
    until = {"$set": {"banned_until": int(time.time() * 1000) + 60_000}}
    settings = Mongo(database="test_server")
    async with DocumentStore(shared_stores.mongo_url, settings) as documents:
        await documents.call("accounts", "update_one", account, until)
    async with RedisStore(shared_stores.redis_url, Redis()) as redis:
        await redis.call("DEL", key_of(of_account(account["_id"])))
    error = await refusal(player)
    assert (error["code"], error["status"]) == ("banned", 403)
    assert 30 < error["retry_after"] <= 60
    body = {"refresh_token": player.tokens["refresh_token"]}
    status, problem = await table.post(lone.url, "/auth/refresh", body)
    assert (status, problem["code"]) == (403, "banned")


# On the wire


async def test_another_namespace_is_refused_and_the_default_one_goes_on(
    lone: Server, table: Table
) -> None:
    tokens = (await table.guest(lone.url)).tokens
    asked = "40/admin," + orjson.dumps({"token": tokens["access_token"]}).decode()
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        await opened.send_str(asked)
        await check_refused(opened)
        await sign_in(opened, tokens)
        await opened.send_str(asked)
        await check_refused(opened)
        await opened.send_str('421["presence:set",{"status":"busy"}]')
        assert await packet(opened) == '31[{"ok":true,"data":{"status":"busy"}}]'


async def check_refused(opened: Socket) -> None:
    said = await packet(opened)
    assert said.startswith("4/admin,")
    assert orjson.loads(said.removeprefix("4/admin,"))["message"] == "not_found"


async def test_a_second_connect_and_unexpected_packets_do_no_harm(
    lone: Server, table: Table
) -> None:
    tokens = (await table.guest(lone.url)).tokens
    auth = orjson.dumps({"token": tokens["access_token"]}).decode()
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        await sign_in(opened, tokens)
        for junk in ("40" + auth, "44{}", "46[]", "431[1]", "47", "4", "450-[]", "42/x,[]"):
            await opened.send_str(junk)
        await opened.send_str('421["presence:set",{"status":"away"}]')
        said = await packet(opened)
        while said.startswith('2["server:error",'):
            assert orjson.loads(said[1:])[1]["code"] == "malformed_payload"
            said = await packet(opened)
        assert said == '31[{"ok":true,"data":{"status":"away"}}]'


@pytest.mark.parametrize("junk", ['42["presence:set",{}]', "41", "4x", "45", "4", "46-[]"])
async def test_who_speaks_before_he_signed_in_is_sent_away(
    lone: Server, table: Table, junk: str
) -> None:
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        await opened.send_str(junk)
        assert await closed(opened)


async def test_a_client_may_sign_out_of_the_namespace_and_in_again(
    lone: Server, table: Table
) -> None:
    tokens = (await table.guest(lone.url)).tokens
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        sids = set()
        for _ in range(2):
            sids.add((await sign_in(opened, tokens))["session_id"])
            await opened.send_str("41")
        assert len(sids) == 2
