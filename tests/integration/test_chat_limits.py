"""Chat: what a text may be, how much of it, and what follows from too much."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.harness import Server, Table
from tests.integration.chat_kit import in_room, new_room
from tests.integration.hosting import Host
from tests.integration.wire import until


async def test_a_text_is_shown_composed_and_without_white_space_around(
    lone: Server, table: Table
) -> None:
    ann, room = await in_room(lone, table)
    for text, shown in (
        ("  hi \n", "hi"),
        ("Zoe\u0308", "Zoë"),
        ("a\nb", "a\nb"),
        ("well, shit happens", "well, **** happens"),
        ("x" * 500, "x" * 500),
        ("e\u0301" * 500, "é" * 500),
        ("👩‍🚀🂡", "👩‍🚀🂡"),
    ):
        sent = await ann.do("chat:send", room=room, text=text)
        assert sent["message"]["text"] == shown


@pytest.mark.parametrize(
    "text",
    ["", " \n ", "x" * 501, "\u200b", "a\x00b", "a\x07", "\u202eabc", "x" * 3_000, 7, None, ["a"]],
)
async def test_a_text_that_cannot_be_shown_is_refused(
    lone: Server, table: Table, text: object
) -> None:
    ann, room = await in_room(lone, table)
    message = (await ann.do("chat:send", room=room, text="fine"))["message"]
    for event, fields in (
        ("chat:send", {"room": room}),
        ("chat:edit", {"message_id": message["id"]}),
        ("chat:whisper", {"to": "0" * 20}),
    ):
        answer = await ann.ask(event, {**fields, "text": text})
        if event == "chat:whisper" and isinstance(text, str):
            assert answer["error"]["code"] == "not_found"  # asked first, and told nobody
            continue
        assert answer["error"]["code"] == "validation_failed"
        assert [problem["field"] for problem in answer["error"]["errors"]] == ["text"]


async def test_the_sixth_message_in_five_seconds_is_refused_on_all_devices(
    strict: Server, table: Table
) -> None:
    ann, room = await in_room(strict, table)
    phone = await table.player(strict.url, ann.tokens).connect()
    await phone.do("chat:join", room=room)
    sends = [sender.ask("chat:send", room=room, text="hi") for sender in (ann, phone) * 3]
    answers = await asyncio.gather(*sends)
    assert [answer["ok"] for answer in answers].count(True) == 5
    (error,) = [answer["error"] for answer in answers if not answer["ok"]]
    assert (error["code"], error["status"], error["retryable"]) == ("rate_limited", 429, True)
    assert 0 < error["retry_after"] <= 5
    answer = await ann.ask("chat:whisper", to=(await table.guest(strict.url)).id, text="hi")
    assert answer["error"]["code"] == "rate_limited"


async def test_the_third_refusal_in_a_minute_mutes_for_60_seconds(
    strict: Server, table: Table
) -> None:
    ann, room = await in_room(strict, table)
    phone = await table.player(strict.url, ann.tokens).connect()
    codes, waits = [], []
    for number in range(9):
        answer = await ann.ask("chat:send", room=room, text=str(number))
        codes.append("ok" if answer["ok"] else answer["error"]["code"])
        waits.append(answer["ok"] or answer["error"]["retry_after"])
    assert codes == ["ok"] * 5 + ["rate_limited"] * 3 + ["muted"]
    assert waits[5] <= 5
    assert waits[6] <= 5
    assert 55 < waits[7] <= 60
    for player in (ann, phone):
        told = await player.next("chat:muted")
        assert told["player_id"] == ann.id
        assert 50_000 < told["muted_until"] - time.time() * 1000 < 65_000
    assert len(ann.seen("chat:muted")) == 1
    await ann.do("presence:set", status="busy")  # nothing else is forbidden


async def test_the_same_client_id_costs_nothing_again(strict: Server, table: Table) -> None:
    ann, room = await in_room(strict, table)
    for _ in range(10):
        await ann.do("chat:send", room=room, text="hi", client_id="c1")
    for _ in range(4):
        await ann.do("chat:send", room=room, text="hi")
    assert await ann.fails("chat:send", room=room, text="hi") == "rate_limited"


async def test_a_refused_text_costs_nothing(strict: Server, table: Table) -> None:
    ann, room = await in_room(strict, table)
    for _ in range(6):
        assert await ann.fails("chat:send", room=room, text="") == "validation_failed"
        assert await ann.fails("chat:send", room="room:other", text="x") == "forbidden"
    for _ in range(5):
        await ann.do("chat:send", room=room, text="hi")


@pytest.fixture(scope="module")
def stern(host: Host) -> Server:
    """One message in half a minute, a short ladder, and little time to think again."""
    return host.start(
        JOBS__WORKERS=False,
        LIMITS__CHAT_MESSAGES=1,
        LIMITS__CHAT_WINDOW_SECONDS=30,
        CHAT__MUTE_SECONDS="[1, 2, 3]",
        CHAT__EDIT_SECONDS=1,
    )


async def test_who_does_not_learn_is_muted_for_longer_and_longer(
    stern: Server, table: Table
) -> None:
    ann, room = await in_room(stern, table)
    await ann.do("chat:send", room=room, text="hi")

    async def say() -> dict[str, Any]:
        return await ann.ask("chat:send", room=room, text="and another")

    for seconds in (1, 2, 3):
        await until(say, lambda answer: answer["error"]["code"] == "rate_limited")
        await say()
        third = await say()
        assert seconds - 1 < third["error"]["retry_after"] <= seconds
        assert (await say())["error"]["code"] == "muted"
    assert len(ann.seen("chat:muted")) == 3


async def test_an_author_changes_his_message_only_for_a_while(stern: Server, table: Table) -> None:
    ann, room = await in_room(stern, table)
    which = {"message_id": (await ann.do("chat:send", room=room, text="hi"))["message"]["id"]}

    async def edit() -> dict[str, Any]:
        return await ann.ask("chat:edit", **which, text="ho")

    late = await until(edit, lambda answer: not answer["ok"])
    assert late["error"]["code"] == "forbidden"
    assert await ann.fails("chat:delete", **which) == "forbidden"
    moderator = await table.admin(stern.url)
    await moderator.do("chat:delete", **which)
    await moderator.leave()


async def test_a_connection_is_in_a_bounded_number_of_rooms(strict: Server, table: Table) -> None:
    ann = await table.seat(strict.url)
    rooms = [new_room() for _ in range(5)]
    for room in rooms[:4]:
        await ann.do("chat:join", room=room)
    await ann.do("chat:join", room=rooms[0])  # again, it is the same one
    assert await ann.fails("chat:join", room=rooms[4]) == "conflict"
    assert await ann.fails("chat:send", room=rooms[4], text="hi") == "forbidden"
    await ann.do("chat:leave", room=rooms[0])
    await ann.do("chat:join", room=rooms[4])
