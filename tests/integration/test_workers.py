"""`--workers 2`: one port, two processes, whichever of them a connection gets to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness import Player, Server, Table
from tests.integration.chat_kit import new_room
from tests.integration.duel_kit import begin
from tests.integration.hosting import Host
from tests.integration.node import check_upgrades
from tests.integration.polling import Poller
from tests.integration.wire import ENGINE, packet, until


@pytest.fixture(scope="module")
def workers(host: Host) -> Server:
    """A server of two processes."""
    return host.start(WORKERS=2, LIMITS__CHAT_MESSAGES=1_000, LIMITS__EVENTS_BURST=1_000)


@pytest.fixture
async def scattered() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that opens a connection for each request: the kernel gives it to either."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


def node_of(player: Player) -> str:
    """The node that a player's session lives on."""
    sid: str = player.socket.eio.sid
    return sid.partition(".")[0]


async def apart(server: Server, table: Table, transport: str) -> tuple[Player, Player]:
    """Two players on different workers."""
    ann = await table.seat(server.url, "Ann", transport=transport)
    bob = await until(
        lambda: table.seat(server.url, "Bob", transport=transport),
        lambda bob: node_of(bob) != node_of(ann),
    )
    return ann, bob


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_players_on_two_workers_talk_and_fight(
    workers: Server, table: Table, scattered: aiohttp.ClientSession, transport: str
) -> None:
    table.options["http_session"] = scattered
    ann, bob = await apart(workers, table, transport)
    room = new_room()
    for player in (ann, bob):
        await player.do("chat:join", room=room)
    said = [f"{name} {number}" for name in ("Ann", "Bob") for number in range(10)]
    for text in said:
        await (ann if text.startswith("Ann") else bob).do("chat:send", room=room, text=text)
    for player in (ann, bob):
        assert [(await player.next("chat:message"))["text"] for _ in said] == said
    fight = await begin(table, ann, bob)
    view = await fight.play_out()
    assert await ann.next("duel:ended") == view
    await bob.leave()
    await until(
        lambda: ann.do("presence:query", player_ids=[bob.id]),
        lambda answer: answer["presence"][bob.id]["status"] == "offline",
    )


async def test_every_request_of_a_polling_session_finds_its_worker(
    workers: Server, table: Table, scattered: aiohttp.ClientSession
) -> None:
    tokens = (await table.guest(workers.url)).tokens
    poller = Poller(workers.url, scattered)
    await poller.open(tokens)
    for number in range(20):  # that all 40 get to the right one by chance is beyond belief
        assert (await poller.ask(number, "duel:active"))["ok"] is True
    async with scattered.post(poller.address, data=b"x") as answer:
        assert answer.status == 400
    async with scattered.post(poller.address, data=b"4" * 65_537) as answer:
        assert answer.status in {400, 413}


async def test_a_session_changes_to_websocket_through_the_other_worker(
    workers: Server, table: Table, scattered: aiohttp.ClientSession
) -> None:
    ann, room = await table.seat(workers.url), new_room()
    await ann.do("chat:join", room=room)
    for _ in range(6):
        poller = Poller(workers.url, scattered)
        await poller.open((await table.guest(workers.url)).tokens)
        await poller.ask(1, "chat:join", room=room)
        opened = await scattered.ws_connect(f"{workers.url}{ENGINE}&sid={poller.sid}")
        await opened.send_str("2probe")
        assert await opened.receive_str() == "3probe"
        await ann.do("chat:send", room=room, text="during")
        await opened.send_str("5")
        await ann.do("chat:send", room=room, text="after")
        texts = [orjson.loads((await packet(opened))[1:])[1]["text"] for _ in range(2)]
        assert texts == ["during", "after"]
        await opened.send_str('422["duel:active"]')
        assert (await packet(opened)).startswith("32[")
        await opened.close()


@pytest.mark.js
async def test_javascript_clients_change_their_transport_on_both_workers(workers: Server) -> None:
    reports = await check_upgrades(workers.url, clients=8, messages=20)
    assert len({report["node"] for report in reports}) == 2


async def test_a_session_of_no_worker_is_unknown(workers: Server, table: Table) -> None:
    poller = Poller(workers.url, table.http)
    for sid in ("0badf00d.x", "../../x.y", "."):
        poller.sid = sid
        async with table.http.post(poller.address, data=b"3") as answer:
            assert answer.status == 400


async def test_the_metrics_of_all_workers_are_added_up(workers: Server, table: Table) -> None:
    await apart(workers, table, "websocket")

    async def connections() -> float:
        async with table.http.get(workers.url + "/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
        samples = [sample for family in families for sample in family.samples]
        return sum(one.value for one in samples if one.name == "showdown_connections")

    assert await until(connections, lambda count: count >= 2)
    async with table.http.get(workers.url + "/health/ready") as answer:
        assert answer.status == 200
