"""What clients ask of the chat, and who is told: on real stores, below the sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from config.sections import Mongo
from config.settings import Settings
from game import duels as duel_rules
from game import rooms
from game.errors import Conflict, Forbidden, Muted, NotFound, RateLimited, ValidationFailed
from handlers.base import Caller, Publisher, World
from handlers.catalogue import CATALOGUE
from state.accounts import Accounts
from state.archive import Archive
from state.chat import Chat
from state.connect import RedisStore
from state.documents import DocumentStore
from state.duels import Duels
from state.friends import Friends
from state.ids import new_id
from state.live import Clock, Live, Seat
from state.migrations import m0007_moderation
from state.moderation import Moderation
from state.outbound import Outbound
from state.rates import Rates
from tests.contract.players_kit import Player, Recorder, Socket

SETTINGS = Settings()
NOBODY = "0" * 20


SignIn = Callable[[str], Awaitable[Player]]


@pytest.fixture
async def world(redis: RedisStore, documents: DocumentStore) -> World:
    clock = Clock()
    await m0007_moderation.run(documents)
    return World(
        settings=SETTINGS,
        now=clock,
        accounts=Accounts(documents, SETTINGS, clock),
        profiles=cast("Any", None),
        tokens=cast("Any", None),
        entrance=cast("Any", None),
        rates=Rates(redis, SETTINGS),
        live=Live(redis, SETTINGS.limits, "n1", 10),
        chat=Chat(redis, SETTINGS),
        archive=Archive(documents, redis, SETTINGS),
        duels=Duels(redis, SETTINGS),
        friends=Friends(documents, SETTINGS.social, clock),
        economy=cast("Any", None),
        outbound=Outbound.build(documents, SETTINGS, clock),
        ways=cast("Any", None),
        moderation=Moderation.build(documents, clock),
        operations=cast("Any", None),
        ladder=cast("Any", None),
        belongings=cast("Any", None),
        deletions=cast("Any", None),
        publisher=cast("Publisher", Recorder()),
        jobs=cast("Any", None),
        schedules=cast("Any", None),
        upkeep=cast("Any", None),
        reactions=cast("Any", None),
    )


@pytest.fixture
def told(world: World) -> Recorder:
    return cast("Recorder", world.publisher)


@pytest.fixture
def sign_in(world: World) -> SignIn:
    async def enter(name: str) -> Player:
        account, character = await world.accounts.create_guest(name)
        seat = Seat(f"n1.sid-{name}", f"pid-{name}", character.id, name, account.id, "127.0.0.1")
        await world.live.join(seat)
        caller = Caller(account.id, "player", "f1", "t1", 0, character.id, name)
        return Player(world, caller, Socket(f"sid-{name}"))

    return enter


@pytest.fixture
async def ann(sign_in: SignIn) -> Player:
    return await sign_in("Ann")


@pytest.fixture
async def bob(sign_in: SignIn) -> Player:
    return await sign_in("Bob")


@pytest.fixture
async def eve(sign_in: SignIn) -> Player:
    return await sign_in("Eve")


@pytest.fixture
async def duel_id(world: World, ann: Player, bob: Player) -> str:
    """A duel of Ann and Bob."""
    two = [(player.id, player.caller.name) for player in (ann, bob)]
    duel = duel_rules.challenge(new_id(), two[0], two[1], "seed", world.now(), world.duels.rules)
    await world.duels.create(duel, "k1", {}, {})
    return duel.id


@pytest.fixture
async def no_archive(world: World, redis: RedisStore) -> AsyncIterator[World]:
    """The same world while MongoDB is away, as far as chat is concerned."""
    async with DocumentStore("mongodb://127.0.0.1:1/", Mongo(timeout_seconds=0.05)) as away:
        yield replace(world, archive=Archive(away, redis, SETTINGS))


# Rooms


async def test_who_joins_sees_who_is_there_and_what_was_said(ann: Player, bob: Player) -> None:
    await ann("chat:join", room="room:cafe")
    message = await ann.says("anybody here?", "room:cafe")
    joined = await bob("chat:join", room="room:cafe")
    assert joined == {
        "room": "room:cafe",
        "members": [
            {"id": ann.id, "name": "Ann", "status": "online"},
            {"id": bob.id, "name": "Bob", "status": "online"},
        ],
        "member_count": 2,
        "messages": [message],
    }
    assert await bob("chat:join", room="room:cafe") == joined
    assert bob.socket.rooms == {rooms.chat("room:cafe")}


async def test_who_leaves_a_room_is_not_in_it(ann: Player, bob: Player) -> None:
    for player in (ann, bob):
        await player("chat:join", room="global")
    assert await ann("chat:leave", room="global") == await ann("chat:leave", room="global") == {}
    assert ann.socket.rooms == set()
    assert (await bob("chat:join", room="global"))["member_count"] == 1


async def test_a_socket_that_ended_is_in_no_room(world: World, ann: Player, bob: Player) -> None:
    await ann("chat:join", room="global")
    for hook in CATALOGUE.leaving:
        await hook(world, ann.socket.connection)
    members = (await bob("chat:join", room="global"))["members"]
    assert [member["id"] for member in members] == [bob.id]


async def test_a_socket_that_ends_while_it_joins_is_in_no_room(ann: Player, bob: Player) -> None:
    ann.socket.ended = True
    await ann("chat:join", room="global")
    assert (await bob("chat:join", room="global"))["member_count"] == 1


async def test_a_room_is_entered_while_the_archive_is_away(no_archive: World, ann: Player) -> None:
    ann = replace(ann, world=no_archive)
    await ann("chat:join", room="global")
    message = await ann.says("hi")
    assert (await ann("chat:join", room="global"))["messages"] == [message]


@pytest.mark.parametrize("event", ["chat:join", "chat:leave", "chat:history", "chat:typing"])
async def test_a_room_of_no_known_kind_is_not_found(ann: Player, event: str) -> None:
    with pytest.raises(NotFound):
        await ann(event, room="lobby")


async def test_a_duels_room_is_for_fighters_and_spectators(
    ann: Player, bob: Player, eve: Player, duel_id: str
) -> None:
    room = f"duel:{duel_id}"
    for fighter in (ann, bob):
        await fighter("chat:join", room=room)
    said = await ann.says("good luck", room)
    for event in ("chat:join", "chat:history"):
        with pytest.raises(Forbidden):
            await eve(event, room=room)
    with pytest.raises(Forbidden):
        await eve("chat:report", message_id=said["id"], reason="rude")
    await eve.socket.join(rooms.spectators(duel_id))
    assert (await eve("chat:join", room=room))["member_count"] == 3
    assert (await eve("chat:history", room=room))["messages"] == [said]


async def test_no_duel_has_no_room(ann: Player) -> None:
    with pytest.raises(NotFound):
        await ann("chat:join", room=f"duel:{NOBODY}")


# Sending


async def test_a_message_reaches_the_room_once(ann: Player, told: Recorder) -> None:
    await ann("chat:join", room="global")
    sent = [await ann("chat:send", room="global", text=" hi ", client_id="c1") for _ in range(3)]
    message = sent[0]["message"]
    assert message["text"] == "hi"
    assert message["from"] == {"id": ann.id, "name": "Ann"}
    assert sent == [sent[0]] * 3
    assert told.events == [("chat:message", message, rooms.chat("global"), None)]


@pytest.mark.parametrize("event", ["chat:send", "chat:typing"])
async def test_one_speaks_only_in_rooms_that_one_is_in(ann: Player, event: str) -> None:
    text = {"text": "hi"} if event == "chat:send" else {}
    with pytest.raises(Forbidden, match="Join the room first"):
        await ann(event, room="global", **text)


async def test_what_nobody_should_read_is_masked(ann: Player, bob: Player) -> None:
    await ann("chat:join", room="global")
    message = await ann.says("oh Shit")
    whispered = await ann("chat:whisper", to=bob.id, text="shit!")
    edited = await ann("chat:edit", message_id=message["id"], text="shit again")
    texts = [one["text"] for one in (message, whispered["message"], edited["message"])]
    assert texts == ["oh ****", "****!", "**** again"]


async def test_a_text_that_cannot_be_shown_is_refused(ann: Player, bob: Player) -> None:
    await ann("chat:join", room="global")
    message = await ann.says("hi")
    asked = (
        ("chat:send", {"room": "global"}),
        ("chat:whisper", {"to": bob.id}),
        ("chat:edit", {"message_id": message["id"]}),
    )
    for event, where in asked:
        with pytest.raises(ValidationFailed):
            await ann(event, **where, text="a\u202eb")


async def test_who_is_refused_too_often_is_muted_and_told(ann: Player, told: Recorder) -> None:
    await ann("chat:join", room="global")
    for _ in range(SETTINGS.limits.chat_messages):
        await ann.says("hi")
    for _ in range(SETTINGS.chat.mute_refusals - 1):
        with pytest.raises(RateLimited):
            await ann.says("hi")
    assert told.last()[0][0] == "chat:message"
    with pytest.raises(RateLimited) as limited:
        await ann.says("hi")
    assert limited.value.retry_after == SETTINGS.chat.mute_seconds[0]
    until = await ann.world.chat.muted_until(ann.id)
    event = {"player_id": ann.id, "muted_until": until, "reason": "Too many messages."}
    assert told.last() == [("chat:muted", event, rooms.player(ann.id))]
    with pytest.raises(Muted):
        await ann.says("hi")


async def test_the_others_see_that_one_writes(ann: Player, told: Recorder) -> None:
    await ann("chat:join", room="global")
    assert await ann("chat:typing", room="global") is None
    typing = {"room": "global", "from": {"id": ann.id, "name": "Ann"}}
    assert told.events == [("chat:typing", typing, rooms.chat("global"), ann.socket.sid)]


# Whispers


async def test_a_whisper_reaches_the_two_and_nobody_else(
    ann: Player, bob: Player, eve: Player, told: Recorder
) -> None:
    message = (await ann("chat:whisper", to=bob.id, text="psst", client_id="c1"))["message"]
    assert (await ann("chat:whisper", to=bob.id, text="x", client_id="c1"))["message"] == message
    assert sorted(told.last(9)) == sorted(
        ("chat:message", message, rooms.player(player.id)) for player in (ann, bob)
    )
    for player in (ann, bob):
        assert (await player("chat:history", room=message["room"]))["messages"] == [message]
        with pytest.raises(Forbidden):
            await player("chat:join", room=message["room"])
        with pytest.raises(Forbidden):
            await player.says("hi", message["room"])
    with pytest.raises(Forbidden):
        await eve("chat:history", room=message["room"])
    with pytest.raises(NotFound):
        await eve("chat:delete", message_id=message["id"])
    with pytest.raises(NotFound):
        await eve("chat:report", message_id=message["id"], reason="rude")


async def test_a_changed_whisper_reaches_the_two(
    ann: Player, bob: Player, eve: Player, told: Recorder
) -> None:
    whispered = (await ann("chat:whisper", to=bob.id, text="psst"))["message"]
    edited = (await ann("chat:edit", message_id=whispered["id"], text="never mind"))["message"]
    both = [rooms.player(one) for one in sorted((ann.id, bob.id))]
    assert told.last(2) == [("chat:edited", edited, room) for room in both]
    deleted = await eve.as_moderator()("chat:delete", message_id=whispered["id"])
    assert told.last(2) == [("chat:deleted", deleted["message"], room) for room in both]


async def test_one_whispers_to_others_who_exist(ann: Player) -> None:
    with pytest.raises(NotFound):
        await ann("chat:whisper", to=NOBODY, text="hi")
    with pytest.raises(ValidationFailed) as refused:
        await ann("chat:whisper", to=ann.id, text="hi")
    assert refused.value.errors[0]["field"] == "to"


# History


async def test_a_room_is_read_back_page_by_page(ann: Player, eve: Player) -> None:
    await ann("chat:join", room="global")
    said = [await ann.says(f"no {n}") for n in range(5)]
    newest = await eve("chat:history", room="global", limit=3)
    assert newest == {"messages": said[2:], "next_before": said[2]["id"]}
    oldest = await eve("chat:history", room="global", limit=3, before=newest["next_before"])
    assert oldest == {"messages": said[:2], "next_before": None}


@pytest.mark.parametrize("before", ["x", "1763800000000-00001@trade"])
async def test_a_page_ends_before_a_message_of_its_room(ann: Player, before: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await ann("chat:history", room="global", before=before)
    assert refused.value.errors[0]["field"] == "before"


async def test_what_was_archived_is_read_back(world: World, ann: Player) -> None:
    await ann("chat:join", room="global")
    message = await ann.says("hi")
    (task,) = (task for task in CATALOGUE.tasks if task.name == "chat archive")
    assert await task(world) == 1
    assert 0 < task.seconds(SETTINGS) <= 1
    stored = await world.archive._documents.find("messages", {}, sort=[("_id", 1)], limit=9)
    assert [document["_id"] for document in stored] == [message["id"]]


# Changes


async def test_a_change_is_told_to_the_room(ann: Player, told: Recorder) -> None:
    await ann("chat:join", room="global")
    message = await ann.says("hi")
    edited = (await ann("chat:edit", message_id=message["id"], text="ho"))["message"]
    assert edited == {**message, "text": "ho", "edited_at": edited["edited_at"]}
    assert told.last() == [("chat:edited", edited, rooms.chat("global"))]
    deleted = (await ann("chat:delete", message_id=message["id"]))["message"]
    assert deleted == {**edited, "text": "", "deleted": True}
    assert told.last() == [("chat:deleted", deleted, rooms.chat("global"))]
    assert (await ann("chat:history", room="global"))["messages"] == [deleted]


async def test_others_messages_are_changed_by_moderators_only(ann: Player, bob: Player) -> None:
    await ann("chat:join", room="global")
    message = await ann.says("hi")
    with pytest.raises(Forbidden):
        await bob("chat:edit", message_id=message["id"], text="ho")
    with pytest.raises(Forbidden):
        await bob("chat:delete", message_id=message["id"])
    edited = await bob.as_moderator()("chat:edit", message_id=message["id"], text="ho")
    assert edited["message"]["from"]["id"] == ann.id


async def test_a_muted_author_may_delete_and_not_edit(
    ann: Player, bob: Player, documents: DocumentStore
) -> None:
    moderator = await bob.appointed(documents)
    await ann("chat:join", room="global")
    message = await ann.says("hi")
    await moderator("chat:mute", player_id=ann.id)
    with pytest.raises(Muted) as muted:
        await ann("chat:edit", message_id=message["id"], text="ho")
    assert 290 < (muted.value.retry_after or 0) <= 300
    assert (await ann("chat:delete", message_id=message["id"]))["message"]["deleted"]
    with pytest.raises(Conflict):
        await moderator("chat:edit", message_id=message["id"], text="ho")


@pytest.mark.parametrize("message_id", ["x", "1763800000000-00001@global", "1-1@lobby"])
async def test_no_message_is_not_changed(ann: Player, message_id: str) -> None:
    with pytest.raises(NotFound):
        await ann("chat:delete", message_id=message_id)


# Moderation


async def test_a_message_is_reported_once_by_each(ann: Player, bob: Player, eve: Player) -> None:
    await ann("chat:join", room="global")
    message = await ann.says("hi")
    reports = [
        await player("chat:report", message_id=message["id"], reason="rude")
        for player in (bob, bob, eve)
    ]
    assert reports[0] == reports[1] != reports[2]


async def test_a_moderator_mutes_and_unmutes_and_all_devices_are_told(
    world: World, ann: Player, bob: Player, told: Recorder, documents: DocumentStore
) -> None:
    await ann("chat:join", room="global")
    moderator = await bob.appointed(documents)
    muted = await moderator("chat:mute", player_id=ann.id, seconds=60, reason="Calm down.")
    assert abs(muted["muted_until"] - world.now() - 60_000) < 5_000
    assert told.last() == [("chat:muted", muted, rooms.player(ann.id))]
    with pytest.raises(Muted):
        await ann.says("hi")
    free = await moderator("chat:unmute", player_id=ann.id)
    assert free == {"player_id": ann.id, "muted_until": None, "reason": ""}
    assert told.last() == [("chat:muted", free, rooms.player(ann.id))]
    await ann.says("hi")


@pytest.mark.parametrize("event", ["chat:mute", "chat:unmute"])
async def test_only_moderators_mute_and_only_who_exists(
    ann: Player, bob: Player, event: str, documents: DocumentStore
) -> None:
    for pretender in (ann, ann.as_moderator()):
        with pytest.raises(Forbidden):
            await pretender(event, player_id=bob.id)
    moderator = await ann.appointed(documents)
    with pytest.raises(NotFound):
        await moderator(event, player_id=NOBODY)
