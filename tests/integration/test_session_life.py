"""How long a socket stays: tokens run out and are renewed, silent clients are noticed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from config.sections import Redis
from state.connect import RedisStore
from state.recovery import PREFIX
from tests.fixtures import Stores
from tests.harness import Player, Server, Table
from tests.integration.hosting import Host
from tests.integration.wire import (
    ENGINE,
    POLLING,
    closed,
    forged,
    let_in,
    packet,
    refused,
    sign_in,
    until,
)


def short_lived(player: Player, seconds: int = 1) -> dict[str, Any]:
    """The player's tokens, of which the access token ends soon."""
    token = forged(player.tokens, exp=int(time.time()) + seconds)
    return {**player.tokens, "access_token": token}


async def test_an_idle_socket_ends_with_its_token_unless_it_was_refreshed(
    lone: Server, table: Table
) -> None:
    ann = await table.guest(lone.url)
    tokens = short_lived(ann, 2)
    idle = await table.player(lone.url, tokens).connect()
    refreshed = await table.player(lone.url, tokens).connect()
    expires_at = int(time.time()) + 600
    reply = await refreshed.do("session:refresh", token=forged(ann.tokens, exp=expires_at))
    assert reply == {"expires_at": expires_at * 1000}
    farewell = await idle.next("server:disconnect", seconds=20)
    assert (farewell["code"], farewell["reconnect"]) == ("token_expired", True)
    await asyncio.wait_for(idle.socket.wait(), 5)
    await refreshed.do("presence:set", status="busy")


async def test_an_event_after_the_token_s_end_is_refused_and_ends_the_connection(
    lone: Server, table: Table
) -> None:
    ann = await table.guest(lone.url)
    busy = await table.player(lone.url, short_lived(ann)).connect()
    answer = await until(lambda: busy.ask("presence:query", player_ids=[]), lambda it: not it["ok"])
    assert answer["error"]["code"] == "token_expired"
    assert (await busy.next("server:disconnect"))["code"] == "token_expired"


async def test_a_session_is_not_refreshed_with_a_bad_token(lone: Server, table: Table) -> None:
    ann, bob = await table.seat(lone.url), await table.guest(lone.url)
    assert await ann.fails("session:refresh", token="nonsense") == "unauthenticated"
    assert await ann.fails("session:refresh", token=bob.tokens["access_token"]) == "forbidden"
    expired = forged(ann.tokens, exp=1)
    assert await ann.fails("session:refresh", token=expired) == "token_expired"
    assert await ann.fails("session:refresh") == "validation_failed"
    await ann.do("presence:set", status="online")


async def test_a_refreshed_session_belongs_to_the_newer_sign_in(lone: Server, table: Table) -> None:
    body = {"username": f"zoe{time.time_ns()}", "password": "correct horse"}
    _, phone = await table.post(lone.url, "/auth/register", body)
    _, tablet = await table.post(lone.url, "/auth/login", body)
    player = await table.player(lone.url, phone).connect()
    await player.do("session:refresh", token=tablet["access_token"])
    await table.post(lone.url, "/auth/logout", token=phone["access_token"])
    revoked = phone["access_token"]
    assert await player.fails("session:refresh", token=revoked) == "token_revoked"
    await table.post(lone.url, "/auth/logout", token=tablet["access_token"])
    assert (await player.next("server:disconnect"))["code"] == "token_revoked"


@pytest.fixture(scope="module")
def brief(host: Host) -> Server:
    """A server that asks often for signs of life, and has room for two, and three to come."""
    return host.start(
        JOBS__WORKERS=False,
        LIMITS__PING_SECONDS=0.3,
        LIMITS__PING_TIMEOUT_SECONDS=0.3,
        LIMITS__CONNECTIONS_PER_NODE=2,
        LIMITS__HANDSHAKES_PER_NODE=3,
    )


async def test_a_client_that_answers_no_ping_is_taken_for_gone(brief: Server, table: Table) -> None:
    ann, bob = await table.seat(brief.url), await table.guest(brief.url)
    async with table.http.ws_connect(brief.url + ENGINE) as silent:
        await sign_in(silent, bob.tokens)
        before = (await ann.do("presence:watch", player_ids=[bob.id]))["presence"]
        assert before[bob.id]["status"] == "online"
        await ann.next(
            "presence:changed", lambda news: news["presence"][bob.id]["status"] == "offline"
        )
        assert await closed(silent)
    await ann.do("presence:set", status="online")  # it answered every ping meanwhile


async def test_a_polling_client_that_does_not_come_back_is_taken_for_gone(
    brief: Server, table: Table
) -> None:
    ann = await table.seat(brief.url)
    bob = await table.seat(brief.url, transport="polling")
    await ann.do("presence:watch", player_ids=[bob.id])
    stopped = bob.socket.eio.http
    await stopped.close()
    await ann.next("presence:changed", lambda news: news["presence"][bob.id]["status"] == "offline")


async def test_a_full_server_says_so(brief: Server, table: Table) -> None:
    players = [await table.guest(brief.url) for _ in range(3)]
    for player in players[:2]:
        await player.connect()
    error = await refused(players[2])
    assert (error["code"], error["status"], error["retryable"]) == ("server_full", 503, True)
    await players[0].leave()
    await let_in(players[2])


async def test_only_so_many_may_be_on_their_way_in(brief: Server, table: Table) -> None:
    waiting = [await table.http.ws_connect(brief.url + ENGINE) for _ in range(3)]
    async with table.http.get(brief.url + POLLING) as refused:
        assert refused.status == 503
        assert refused.headers["Retry-After"] == "1"
    ann = await table.guest(brief.url)
    await sign_in(waiting[0], ann.tokens)
    async with table.http.ws_connect(brief.url + ENGINE) as next_one:
        assert (await next_one.receive_str()).startswith('0{"sid"')
    for opened in waiting:
        await opened.close()


# On the way in


async def test_who_does_not_sign_in_in_time_is_closed(strict: Server, table: Table) -> None:
    async with table.http.ws_connect(strict.url + ENGINE) as opened:
        assert await closed(opened)
    polling = strict.url + POLLING
    async with table.http.get(polling) as answer:
        sid = (await answer.text()).split('"')[3]
    async with table.http.get(f"{polling}&sid={sid}") as answer:
        assert await answer.text() in {"1", ""}
    async with table.http.get(f"{polling}&sid={sid}") as answer:
        assert answer.status == 400


async def test_a_refused_client_may_try_again_on_the_same_connection(
    strict: Server, table: Table
) -> None:
    ann = await table.guest(strict.url)
    async with table.http.ws_connect(strict.url + ENGINE) as opened:
        await opened.send_str('40{"token":"nonsense"}')
        assert '"code":"unauthenticated"' in await packet(opened)
        await sign_in(opened, ann.tokens)


# Connections of an account and of an address


async def records(stores: Stores, player_id: str) -> list[dict[str, str]]:
    """The sessions of a player that can be taken up again, or could be if they had ended."""
    async with RedisStore(stores.redis_url, Redis()) as redis:
        keys = await redis.call("KEYS", f"{PREFIX}session:*")
        found = await redis.batch([("HGETALL", key) for key in keys])
    return [one for one in found if one.get("player") == player_id]


async def test_an_account_has_five_connections_over_all_servers(
    pair: tuple[Server, Server], shared_stores: Stores, table: Table
) -> None:
    ann = await table.guest(pair[0].url)
    sockets = [table.player(pair[i % 2].url, ann.tokens) for i in range(9)]
    outcomes = await asyncio.gather(
        *(socket.connect() for socket in sockets), return_exceptions=True
    )
    refused = [s for s, came in zip(sockets, outcomes, strict=True) if came is not s]
    inside = [socket for socket in sockets if socket not in refused]
    assert len(inside) == 5
    for socket in refused:
        error = socket.refusal["data"]
        assert (error["code"], error["status"]) == ("too_many_connections", 429)
    assert len(await records(shared_stores, ann.id)) == 5, "who is refused has no session"
    await inside[0].leave()
    await let_in(table.player(inside[1].url, ann.tokens))


async def test_an_address_has_its_share_of_connections(strict: Server, table: Table) -> None:
    guests = [await table.guest(strict.url) for _ in range(9)]
    for guest in guests[:7]:
        await guest.connect()
    assert (await refused(guests[7]))["code"] == "too_many_connections"
    table.http.headers["X-Forwarded-For"] = "198.51.100.2"
    await guests[8].connect()
