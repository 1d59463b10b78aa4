"""Chat: rooms over two servers, history, whispers, typing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fixtures import Stores
from tests.harness import Player, Server, Table
from tests.integration.chat_kit import Pair, in_archive, new_room, seats
from tests.integration.wire import until


async def test_who_joins_a_room_sees_who_is_there_and_what_was_said(
    pair: Pair, table: Table
) -> None:
    room = new_room()
    ann, bob = await table.seat(pair[0].url, "Ann"), await table.seat(pair[1].url, "Bob")
    empty = await ann.do("chat:join", room=room)
    member = {"id": ann.id, "name": "Ann", "status": "online"}
    assert empty == {"room": room, "members": [member], "member_count": 1, "messages": []}
    said = (await ann.do("chat:send", room=room, text="hello"))["message"]
    joined = await bob.do("chat:join", room=room)
    assert [one["name"] for one in joined["members"]] == ["Ann", "Bob"]
    assert joined["member_count"] == 2
    assert joined["messages"] == [said]


async def test_a_message_reaches_everybody_in_the_room_once(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    eve = await table.seat(pair[1].url)
    for sender, other in ((ann, bob), (bob, ann)):
        message = (await sender.do("chat:send", room=room, text="hi"))["message"]
        assert message.keys() == {"id", "room", "from", "text", "sent_at"}
        assert message["from"] == {"id": sender.id, "name": sender.name}
        assert (message["room"], message["text"]) == (room, "hi")
        assert await other.next("chat:message") == message
        assert await sender.next("chat:message") == message
    assert len(ann.seen("chat:message")) == len(bob.seen("chat:message")) == 2
    assert not eve.seen("chat:message")


async def test_the_order_of_one_sender_is_the_order_that_others_see(
    pair: Pair, table: Table
) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    texts = [str(number) for number in range(30)]
    for text in texts:  # not one answer is waited for
        await ann.socket.emit("chat:send", {"room": room, "text": text})
    for player in (ann, bob):
        await player.next("chat:message", lambda message: message["text"] == texts[-1])
        seen = player.seen("chat:message")
        assert [message["text"] for message in seen] == texts
        assert [message["id"] for message in seen] == sorted(message["id"] for message in seen)
    page = await bob.do("chat:history", room=room, limit=30)
    assert [message["text"] for message in page["messages"]] == texts


async def test_who_left_a_room_neither_hears_nor_speaks(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    for _ in range(2):  # leaving again is no error
        assert await bob.do("chat:leave", room=room) == {}
    await ann.do("chat:send", room=room, text="alone")
    assert await bob.fails("chat:send", room=room, text="me too") == "forbidden"
    await bob.do("chat:join", room=room)
    await ann.do("chat:send", room=room, text="again")
    await bob.next("chat:message", lambda message: message["text"] == "again")
    assert len(bob.seen("chat:message")) == 1


async def test_who_is_gone_is_no_member_any_more(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    second = await table.player(pair[0].url, bob.tokens).connect()
    assert (await second.do("chat:join", room=room))["member_count"] == 2
    await bob.leave()
    await second.do("presence:set", status="away")
    members = (await ann.do("chat:join", room=room))["members"]
    assert {one["id"]: one["status"] for one in members} == {ann.id: "online", bob.id: "away"}
    await second.leave()
    await until(lambda: ann.do("chat:join", room=room), lambda joined: joined["member_count"] == 1)


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("nowhere", "not_found"),
        ("room:", "not_found"),
        ("whisper:0000000000000000000a:0000000000000000000b", "forbidden"),
        ("whisper:0000000000000000000b:0000000000000000000a", "not_found"),
        ("Room:Upper", "validation_failed"),
        ("room:x" + "x" * 60, "validation_failed"),
        ("room:ä", "validation_failed"),
        ("room:x\n", "validation_failed"),
        ("", "validation_failed"),
    ],
)
async def test_a_room_that_is_none_is_refused(
    lone: Server, table: Table, room: str, code: str
) -> None:
    ann = await table.seat(lone.url)
    assert await ann.fails("chat:join", room=room) == code
    if code != "forbidden":
        assert await ann.fails("chat:leave", room=room) == code
    assert await ann.fails("chat:send", room=room, text="hi") in {code, "forbidden"}
    assert await ann.fails("chat:history", room=room) == code


async def test_a_duel_that_does_not_exist_has_no_room(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    for event in ("chat:join", "chat:history"):
        assert await ann.fails(event, room="duel:0123456789abcdef0123") == "not_found"


async def test_everybody_may_enter_the_rooms_that_have_names(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    for room in ("global", "trade", "room:a_b-c"):
        assert (await ann.do("chat:join", room=room))["room"] == room


# The same message again


async def test_50_sends_of_one_client_id_over_two_servers_are_one_message(
    pair: Pair, table: Table
) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    tablet = await table.player(pair[1].url, ann.tokens).connect()
    await tablet.do("chat:join", room=room)
    sends = [
        sender.do("chat:send", room=room, text="once", client_id="c1")
        for _ in range(25)
        for sender in (ann, tablet)
    ]
    messages = [answer["message"] for answer in await asyncio.gather(*sends)]
    assert all(message == messages[0] for message in messages)
    await ann.do("chat:send", room=room, text="after")
    await bob.next("chat:message", lambda message: message["text"] == "after")
    assert [message["text"] for message in bob.seen("chat:message")] == ["once", "after"]
    page = await bob.do("chat:history", room=room)
    assert [message["text"] for message in page["messages"]] == ["once", "after"]


async def test_a_client_id_stands_for_its_first_message(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    first = await ann.do("chat:send", room=room, text="first", client_id="c1")
    assert await ann.do("chat:send", room=room, text="second", client_id="c1") == first
    others = await bob.do("chat:send", room=room, text="mine", client_id="c1")
    assert others["message"]["text"] == "mine"


# History


async def test_history_is_read_back_page_by_page_into_the_archive(
    pair: Pair, table: Table, shared_stores: Stores
) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    texts = [str(number) for number in range(123)]
    for text in texts:
        await ann.do("chat:send", room=room, text=text)
    joined = await bob.do("chat:join", room=room)
    assert [message["text"] for message in joined["messages"]] == texts[-50:]
    for limit in (100, 17):
        assert await pages(bob, room, limit) == texts
    await in_archive(shared_stores, room)
    assert await pages(bob, room, 40) == texts


async def pages(player: Player, room: str, limit: int) -> list[str]:
    """All texts of a room, read from its end to its beginning."""
    texts: list[str] = []
    before: dict[str, Any] = {}
    while True:
        page = await player.do("chat:history", room=room, limit=limit, **before)
        assert len(page["messages"]) <= limit
        texts[:0] = [message["text"] for message in page["messages"]]
        if page["next_before"] is None:
            return texts
        assert len(page["messages"]) == limit
        assert page["next_before"] == page["messages"][0]["id"]
        before = {"before": page["next_before"]}


async def test_history_needs_a_limit_and_a_place_that_exist(lone: Server, table: Table) -> None:
    ann, room = await table.seat(lone.url), new_room()
    assert await ann.do("chat:history", room=room) == {"messages": [], "next_before": None}
    elsewhere = f"1700000000000-00000@{new_room()}"
    for wrong in ({"limit": 0}, {"limit": 101}, {"before": "x"}, {"before": elsewhere}):
        assert await ann.fails("chat:history", room=room, **wrong) == "validation_failed"
    there = f"9999999999999-00000@{room}"
    assert (await ann.do("chat:history", room=room, before=there))["messages"] == []


# Whispers and typing


async def test_a_whisper_reaches_the_two_on_all_their_devices_and_nobody_else(
    pair: Pair, table: Table
) -> None:
    ann, bob = await table.seat(pair[0].url), await table.seat(pair[1].url)
    tablet = await table.player(pair[1].url, ann.tokens).connect()
    eve = await table.seat(pair[1].url)
    sent = await ann.do("chat:whisper", to=bob.id, text="psst", client_id="w1")
    assert await ann.do("chat:whisper", to=bob.id, text="psst", client_id="w1") == sent
    message = sent["message"]
    for player in (ann, bob, tablet):
        assert await player.next("chat:message") == message
    answer = (await bob.do("chat:whisper", to=ann.id, text="yes?"))["message"]
    assert answer["room"] == message["room"]
    for player in (ann, bob):
        page = await player.do("chat:history", room=message["room"])
        assert page["messages"] == [message, answer]
    assert await eve.fails("chat:history", room=message["room"]) == "forbidden"
    assert await eve.fails("chat:send", room=message["room"], text="hi") == "forbidden"
    assert not eve.seen("chat:message")
    assert len(ann.seen("chat:message")) == 2


async def test_a_whisper_needs_somebody_else(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    assert await ann.fails("chat:whisper", to=ann.id, text="hm") == "validation_failed"
    assert await ann.fails("chat:whisper", to="0" * 20, text="hm") == "not_found"
    assert await ann.fails("chat:whisper", to="Ann!", text="hm") == "validation_failed"


async def test_the_others_see_that_somebody_writes(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    await ann.socket.emit("chat:typing", {"room": room})
    shown = {"room": room, "from": {"id": ann.id, "name": "Ann"}}
    assert await bob.next("chat:typing") == shown
    assert await ann.do("chat:typing", room=room) == {}
    await bob.next("chat:typing")
    assert not ann.seen("chat:typing")


async def test_nobody_is_seen_writing_in_a_room_that_he_is_not_in(pair: Pair, table: Table) -> None:
    room = new_room()
    _, bob = await seats(pair, table, room)
    eve = await table.seat(pair[0].url)
    await eve.socket.emit("chat:typing", {"room": room})
    assert (await eve.next("server:error"))["code"] == "forbidden"
    assert not bob.seen("chat:typing")
