"""Chat: edit, delete, report, mute."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.fixtures import Stores
from tests.harness import Server, Table
from tests.integration.chat_kit import Pair, in_archive, new_room, seats
from tests.integration.wire import until


async def test_an_author_edits_his_message_for_all_to_see(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    first = (await ann.do("chat:send", room=room, text="helo"))["message"]
    edited = (await ann.do("chat:edit", message_id=first["id"], text="hello"))["message"]
    assert edited == {**first, "text": "hello", "edited_at": edited["edited_at"]}
    # The first is told by the server's clock, the second by Redis'.
    assert abs(edited["edited_at"] - first["sent_at"]) < 10_000
    for player in (ann, bob):
        assert await player.next("chat:edited") == edited
    assert (await bob.do("chat:history", room=room))["messages"] == [edited]


async def test_a_deleted_message_keeps_its_place_and_loses_its_text(
    pair: Pair, table: Table
) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    first = (await ann.do("chat:send", room=room, text="oops"))["message"]
    gone = {**first, "text": "", "deleted": True}
    for _ in range(2):  # deleting again is no error
        assert await ann.do("chat:delete", message_id=first["id"], text="") == {"message": gone}
        assert await bob.next("chat:deleted") == gone
    assert (await bob.do("chat:join", room=room))["messages"] == [gone]
    assert await ann.fails("chat:edit", message_id=first["id"], text="again") == "conflict"


async def test_only_the_author_and_moderators_change_a_message(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    moderator = await table.admin(pair[1].url)
    first = (await ann.do("chat:send", room=room, text="mine"))["message"]
    which = {"message_id": first["id"]}
    assert await bob.fails("chat:edit", **which, text="yours") == "forbidden"
    assert await bob.fails("chat:delete", **which) == "forbidden"
    edited = await moderator.do("chat:edit", **which, text="theirs")
    assert edited["message"]["from"]["id"] == ann.id
    assert (await ann.next("chat:edited"))["text"] == "theirs"
    assert (await moderator.do("chat:delete", **which))["message"]["deleted"]
    await moderator.leave()


async def test_a_message_in_the_archive_is_changed_as_well(
    pair: Pair, table: Table, shared_stores: Stores
) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    first = (await ann.do("chat:send", room=room, text="old"))["message"]
    for number in range(60):  # the servers keep 50 messages of a room in Redis
        await ann.do("chat:send", room=room, text=str(number))
    await in_archive(shared_stores, room)
    await ann.do("chat:edit", message_id=first["id"], text="new")
    assert (await bob.next("chat:edited"))["text"] == "new"
    page = await bob.do("chat:history", room=room, limit=100)
    assert [message["text"] for message in page["messages"][:2]] == ["new", "0"]


async def test_parallel_edits_leave_one_of_the_texts(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    tablet = await table.player(pair[1].url, ann.tokens).connect()
    which = (await ann.do("chat:send", room=room, text="start"))["message"]["id"]
    answers = await asyncio.gather(
        *(
            editor.ask("chat:edit", message_id=which, text=str(number))
            for number, editor in enumerate((ann, tablet) * 3)
        )
    )
    codes = {answer["error"]["code"] for answer in answers if not answer["ok"]}
    assert codes <= {"stale_version"}
    last = (await bob.do("chat:history", room=room))["messages"][0]
    assert last["text"] in {a["data"]["message"]["text"] for a in answers if a["ok"]}


async def test_what_is_not_there_cannot_be_changed(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, _ = await seats(pair, table, room)
    for message_id in ("nonsense", f"1700000000000-00000@{room}", "1700000000000-00000@nowhere"):
        which = {"message_id": message_id}
        assert await ann.fails("chat:edit", **which, text="x") == "not_found"
        assert await ann.fails("chat:delete", **which) == "not_found"
        assert await ann.fails("chat:report", **which, reason="x") == "not_found"
    assert await ann.fails("chat:edit", message_id="", text="x") == "validation_failed"


async def test_a_whisper_of_others_is_not_there(pair: Pair, table: Table) -> None:
    ann, bob = await seats(pair, table, new_room())
    eve = await table.seat(pair[0].url)
    message = (await ann.do("chat:whisper", to=bob.id, text="psst"))["message"]
    which = {"message_id": message["id"]}
    assert await eve.fails("chat:edit", **which, text="x") == "not_found"
    assert await eve.fails("chat:report", **which, reason="x") == "not_found"
    assert await bob.fails("chat:delete", **which) == "forbidden"
    await ann.do("chat:delete", **which)
    assert (await bob.next("chat:deleted"))["id"] == message["id"]
    assert not eve.seen("chat:deleted")


async def test_a_message_is_reported_once_a_player(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    which = {"message_id": (await ann.do("chat:send", room=room, text="boo"))["message"]["id"]}
    first = await bob.do("chat:report", **which, reason="rude")
    assert first.keys() == {"report_id"}
    assert await bob.do("chat:report", **which, reason="very rude") == first
    assert await ann.do("chat:report", **which, reason="sorry") != first
    for reason in ("", "x" * 501):
        assert await bob.fails("chat:report", **which, reason=reason) == "validation_failed"


# Mutes


async def test_a_muted_player_is_told_and_does_not_speak(pair: Pair, table: Table) -> None:
    room = new_room()
    ann, bob = await seats(pair, table, room)
    phone = await table.player(pair[1].url, ann.tokens).connect()
    moderator = await table.admin(pair[1].url)
    message = (await ann.do("chat:send", room=room, text="boo"))["message"]
    muted = await moderator.do("chat:mute", player_id=ann.id, seconds=100, reason="rude")
    assert muted == {"player_id": ann.id, "muted_until": muted["muted_until"], "reason": "rude"}
    assert 90_000 < muted["muted_until"] - time.time() * 1000 < 110_000
    for player in (ann, phone):
        assert await player.next("chat:muted") == muted
    answer = await ann.ask("chat:send", room=room, text="again")
    assert (answer["error"]["code"], answer["error"]["status"]) == ("muted", 403)
    assert 90 < answer["error"]["retry_after"] <= 100
    assert await ann.fails("chat:whisper", to=bob.id, text="again") == "muted"
    assert await ann.fails("chat:edit", message_id=message["id"], text="again") == "muted"
    await ann.do("chat:delete", message_id=message["id"])
    back = await table.player(pair[0].url, ann.tokens).connect()
    assert back.ready["resume"]["muted_until"] == muted["muted_until"]
    unmuted = await moderator.do("chat:unmute", player_id=ann.id, seconds=60)
    assert unmuted == {"player_id": ann.id, "muted_until": None, "reason": ""}
    assert await ann.next("chat:muted") == unmuted
    await ann.do("chat:send", room=room, text="thanks")
    await moderator.leave()


async def test_only_moderators_mute_and_only_players(lone: Server, table: Table) -> None:
    ann, bob = await table.seat(lone.url), await table.seat(lone.url)
    for event in ("chat:mute", "chat:unmute"):
        assert await ann.fails(event, player_id=bob.id) == "forbidden"
    moderator = await table.admin(lone.url)
    for event in ("chat:mute", "chat:unmute"):
        assert await moderator.fails(event, player_id="0" * 20) == "not_found"
    bad: tuple[dict[str, Any], ...] = ({"seconds": 0}, {"seconds": 10**9}, {"reason": "x" * 501})
    for wrong in bad:
        assert await moderator.fails("chat:mute", player_id=bob.id, **wrong) == "validation_failed"
    await moderator.leave()


async def test_a_mute_ends_by_itself(lone: Server, table: Table) -> None:
    room = new_room()
    ann = await table.seat(lone.url)
    await ann.do("chat:join", room=room)
    moderator = await table.admin(lone.url)
    await moderator.do("chat:mute", player_id=ann.id, seconds=1)
    assert await ann.fails("chat:send", room=room, text="now?") == "muted"
    await until(lambda: ann.ask("chat:send", room=room, text="now?"), lambda answer: answer["ok"])
    await moderator.leave()
