"""A hundred connections a second come and go, in order and not: nothing of them stays."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.chaos.chaos_kit import Footprint, quick, started, unharmed
from tests.chaos.raw import PATIENCE, Clients, Raw, visiting
from tests.fixtures import Stores, on
from tests.harness import Table
from tests.sizes import sized

SECONDS = sized("LEAK_SECONDS", 10, 250)  # 100,000 connections are the real thing
WARM_UP_SECONDS = 3.0
PER_SECOND = sized("LEAK_PER_SECOND", 100, 400)
VISITORS = 16  # at once
SETTINGS = {
    "LIMITS__CONNECTIONS_PER_ACCOUNT": 5_000,
    "LIMITS__AUTH_SECONDS": 3,
    "LIMITS__PING_SECONDS": 2,
    "LIMITS__PING_TIMEOUT_SECONDS": 2,
    "MONGO__POOL_SIZE": 1,  # full at once, so that it stays what it is
    "JOBS__WORKERS": False,  # whose tasks and connections come and go by themselves
}

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(120 + 2 * SECONDS)]

Visit = Callable[[Clients], Awaitable[None]]


# What a visitor does: come in some way, do something, go in some way.


async def _look_around(raw: Raw) -> None:
    """Leave something of everything behind that a connection can have."""
    await raw.batch(
        [
            (1, '21["chat:join",{"room":"room:leak"}]'),
            (2, '22["presence:watch",{"player_ids":["0123456789abcdef0123"]}]'),
            (3, '23["presence:set",{"status":"away"}]'),
            (None, '51-["chat:send",{"_placeholder":true,"num":0}]'),
        ]
    )


async def says_goodbye(clients: Clients) -> None:
    async with clients.client() as raw:
        await _look_around(raw)
        await raw.send("1")


async def closes_the_websocket(clients: Clients) -> None:
    async with clients.client() as raw:
        await _look_around(raw)


async def loses_the_network(clients: Clients) -> None:
    async with clients.client() as raw:
        await _look_around(raw)
        _abort(raw.socket)


async def loses_the_network_before_signing_in(clients: Clients) -> None:
    async with clients.client(signed_in=False) as raw:
        _abort(raw.socket)


async def loses_the_network_while_signing_in(clients: Clients) -> None:
    async with clients.client(signed_in=False) as raw:
        await raw.send(f'0{{"token":"{clients.token}"}}')
        _abort(raw.socket)


async def loses_the_network_while_it_asks(clients: Clients) -> None:
    async with clients.client() as raw:
        await raw.send('21["chat:join",{"room":"room:leak"}]')
        _abort(raw.socket)


async def is_not_let_in(clients: Clients) -> None:
    async with clients.client(signed_in=False) as raw:
        await raw.send('0{"token":"a.b.c"}')
        assert (await raw.next()).startswith("4")


async def polls_and_says_goodbye(clients: Clients) -> None:
    url = await clients.poll()
    async with clients.http.get(url) as answer:
        assert answer.status == 200
    async with clients.http.post(url, data="1") as answer:
        assert answer.status == 200


async def polls_and_is_never_heard_of_again(clients: Clients) -> None:
    await clients.poll()


async def leaves_in_the_middle_of_a_poll(clients: Clients) -> None:
    url = await clients.poll()
    async with clients.http.get(url) as answer:
        assert answer.status == 200
    with contextlib.suppress(TimeoutError):  # unless it is the moment of a ping
        async with clients.http.get(url, timeout=aiohttp.ClientTimeout(total=0.05)):
            pass


async def upgrades(clients: Clients) -> None:
    socket = await _probing(clients)
    await socket.send_str("5")
    await _look_around(Raw(socket))
    await socket.close()


async def leaves_in_the_middle_of_an_upgrade(clients: Clients) -> None:
    _abort(await _probing(clients))


async def _probing(clients: Clients) -> aiohttp.ClientWebSocketResponse:
    url = await clients.poll()
    upgrade = url.replace("transport=polling", "transport=websocket")
    socket = await clients.http.ws_connect(upgrade)
    await socket.send_str("2probe")
    assert await socket.receive_str(timeout=PATIENCE) == "3probe"
    return socket


def _abort(socket: aiohttp.ClientWebSocketResponse) -> None:
    connection = socket._conn
    assert connection
    transport: Any = connection.transport
    transport.abort()


VISITS: list[Visit] = [
    *(says_goodbye, closes_the_websocket, loses_the_network, is_not_let_in, upgrades),
    *(loses_the_network_before_signing_in, loses_the_network_while_signing_in),
    *(loses_the_network_while_it_asks, leaves_in_the_middle_of_an_upgrade),
    *(polls_and_says_goodbye, polls_and_is_never_heard_of_again, leaves_in_the_middle_of_a_poll),
]


async def traffic(clients: list[Clients], seconds: float) -> Counter[str]:
    """Visits for that long, at a hundred a second if the machine is fast enough."""
    dice = random.Random(4)
    done: Counter[str] = Counter()
    began = time.monotonic()

    async def visitor() -> None:
        while (now := time.monotonic()) < began + seconds:
            if done.total() > (now - began) * PER_SECOND:
                await asyncio.sleep(0.01)
                continue
            visit = dice.choice(VISITS)
            done[visit.__name__] += 1
            await visit(dice.choice(clients))

    await asyncio.gather(*(visitor() for _ in range(VISITORS)))
    return done


async def test_comings_and_goings_leave_no_key_task_or_descriptor(
    emptied: Stores, table: Table
) -> None:
    async with (
        started(**on(emptied, **quick(**SETTINGS))) as server,
        visiting() as http,
    ):
        guests = [await table.guest(server.url, f"g{n}") for n in range(4)]
        clients = [Clients(server, http, guest.tokens) for guest in guests]
        await traffic(clients, WARM_UP_SECONDS)
        footprint = Footprint(server, emptied, table)
        await footprint.settle()
        done = await traffic(clients, SECONDS)
        print(f"{done.total():,} visits")  # noqa: T201 - the long form says how long it was
        assert set(done) == {visit.__name__ for visit in VISITS}
        assert done.total() > SECONDS * 20, "this machine is too slow to tell"
        await footprint.check(megabytes=16)
        shown = await table.guest(server.url)
        await shown.connect()
        ids = {"player_ids": [guest.id for guest in guests]}
        presence = (await shown.do("presence:query", **ids))["presence"]
        assert {view["status"] for view in presence.values()} == {"offline"}
        room = await shown.do("chat:join", room="room:leak")
        assert [member["id"] for member in room["members"]] == [shown.id]
        unharmed(server)
