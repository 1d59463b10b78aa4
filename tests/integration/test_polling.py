"""Long-polling: all that WebSocket can, and the change from one to the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.harness import Player, Server, Table
from tests.integration.chat_kit import Pair, in_room, new_room, seats
from tests.integration.duel_kit import Fight, begin, check_secrets
from tests.integration.polling import Poller
from tests.integration.wire import ENGINE, Socket, closed, packet


async def polling_fight(first: Server, second: Server, table: Table) -> Fight:
    ann = await table.seat(first.url, "Ann", transport="polling")
    bob = await table.seat(second.url, "Bob", transport="polling")
    return await begin(table, ann, bob)


async def test_a_whole_duel_is_fought_over_polling(pair: Pair, table: Table) -> None:
    fight = await polling_fight(*pair, table)
    view = await fight.play_out()
    for player, seat in ((fight.ann, 0), (fight.bob, 1)):
        assert player.socket.transport() == "polling"
        assert await player.next("duel:ended") == view
        assert len(player.seen("duel:round")) == len(view["rounds"])
        check_secrets(player, seat, view)


async def test_polling_and_websocket_talk_to_each_other(pair: Pair, table: Table) -> None:
    room = new_room()
    ann = await table.seat(pair[0].url, transport="polling")
    bob = await table.seat(pair[1].url)
    for player in (ann, bob):
        await player.do("chat:join", room=room)
    for sender, other in ((ann, bob), (bob, ann)):
        said = [f"{sender.id} {number}" for number in range(20)]
        for text in said:
            await sender.socket.emit("chat:send", {"room": room, "text": text})
        heard = [(await other.next("chat:message", from_(sender)))["text"] for _ in said]
        assert heard == said


def from_(sender: Player) -> Callable[[dict[str, Any]], bool]:
    return lambda message: bool(message["from"]["id"] == sender.id)


async def test_packets_of_one_body_are_taken_in_their_order(lone: Server, table: Table) -> None:
    ann, room = await in_room(lone, table)
    poller = Poller(lone.url, table.http)
    opened = await poller.open((await table.guest(lone.url)).tokens)
    assert opened["upgrades"] == ["websocket"]
    assert (opened["maxPayload"], opened["pingInterval"]) == (65_536, 25_000)
    await poller.ask(1, "chat:join", room=room)
    texts = [str(number) for number in range(60)]
    sends = [{"room": room, "text": text} for text in texts]
    await poller.send(*(f'42["chat:send",{orjson.dumps(one).decode()}]' for one in sends))
    await ann.next("chat:message", lambda message: message["text"] == texts[-1])
    assert [message["text"] for message in ann.seen("chat:message")] == texts


async def test_a_session_that_is_unknown_is_refused(lone: Server, table: Table) -> None:
    for sid in ("nonsense", "0badf00d.x", "../x", ""):
        poller = Poller(lone.url, table.http)
        poller.sid = sid
        async with table.http.post(poller.address, data=b"3") as answer:
            assert answer.status == 400
    for query in ("EIO=3&transport=polling", "EIO=4&transport=carrier-pigeon", "EIO=4", ""):
        async with table.http.get(f"{lone.url}/socket.io/?{query}") as answer:
            assert answer.status == 400


# From polling to WebSocket


async def begun(poller: Poller, server: Server, table: Table) -> Socket:
    """A WebSocket for the poller's session, up to the answered probe."""
    opened = await table.http.ws_connect(f"{server.url}{ENGINE}&sid={poller.sid}")
    await opened.send_str("2probe")
    assert await opened.receive_str() == "3probe"
    return opened


@pytest.fixture
async def polled(pair: Pair, table: Table) -> tuple[Player, str, Poller]:
    """A player in a room, and a poller in the same."""
    room = new_room()
    ann, _ = await seats(pair, table, room)
    poller = Poller(pair[1].url, table.http)
    await poller.open((await table.guest(pair[1].url)).tokens)
    await poller.ask(1, "chat:join", room=room)
    return ann, room, poller


async def say(player: Player, room: str, first: int, last: int) -> None:
    for number in range(first, last):
        await player.do("chat:send", room=room, text=str(number))


def texts(packets: list[str]) -> list[str]:
    """What was said in these packets."""
    messages = [orjson.loads(text[2:]) for text in packets if text.startswith('42["chat:message"')]
    return [message[1]["text"] for message in messages]


async def test_no_message_is_lost_while_the_transport_changes(
    pair: Pair, table: Table, polled: tuple[Player, str, Poller]
) -> None:
    ann, room, poller = polled
    talk = asyncio.create_task(say(ann, room, 0, 100))
    heard: list[str] = []
    while len(texts(heard)) < 20:
        heard += await poller.poll()
    waiting = asyncio.create_task(poller.poll())
    opened = await begun(poller, pair[1], table)
    heard += await waiting  # the server ends it, for nothing if need be
    assert await poller.poll() == ["6"]
    await opened.send_str("5")
    while len(texts(heard)) < 100:
        heard.append("4" + await packet(opened))
    await talk
    assert texts(heard) == [str(number) for number in range(100)]
    await opened.send_str('422["presence:set",{"status":"busy"}]')
    assert await packet(opened) == '32[{"ok":true,"data":{"status":"busy"}}]'
    await opened.close()


@pytest.mark.parametrize("then", ["closed", "wrong"])
async def test_after_an_upgrade_that_failed_polling_goes_on(
    pair: Pair, table: Table, polled: tuple[Player, str, Poller], then: str
) -> None:
    ann, room, poller = polled
    opened = await begun(poller, pair[1], table)
    await say(ann, room, 0, 10)
    if then == "wrong":
        await opened.send_str("4nonsense")
        await opened.receive()
    await opened.close()
    heard: list[str] = []
    async with asyncio.timeout(10):
        while len(texts(heard)) < 10:
            heard += await poller.poll()
    assert texts(heard) == [str(number) for number in range(10)]
    again = await begun(poller, pair[1], table)
    await again.send_str("5")
    await say(ann, room, 10, 11)
    assert texts(["4" + await packet(again)]) == ["10"]
    await again.close()


async def test_a_second_upgrade_is_refused(
    pair: Pair, table: Table, polled: tuple[Player, str, Poller]
) -> None:
    _, _, poller = polled
    opened = await begun(poller, pair[1], table)
    await opened.send_str("5")
    async with table.http.ws_connect(f"{pair[1].url}{ENGINE}&sid={poller.sid}") as second:
        assert await closed(second)
    await opened.send_str('422["presence:set",{"status":"busy"}]')
    assert (await packet(opened)).startswith("32[")
    await opened.close()


async def test_the_python_client_changes_its_transport(pair: Pair, table: Table) -> None:
    ann = await table.seat(pair[0].url)
    guest: Any = await table.guest(pair[1].url)
    both = ["polling", "websocket"]
    await guest.socket.connect(
        guest.url, auth={"token": guest.tokens["access_token"]}, transports=both
    )
    await guest.next("session:ready")
    assert guest.socket.transport() == "websocket"
    await ann.do("chat:whisper", to=guest.id, text="psst")
    assert (await guest.next("chat:message"))["text"] == "psst"
