"""Recovery of missed events with the stock JavaScript client, through a proxy that cuts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest

from config.sections import Redis
from state.connect import RedisStore
from tests.chaos.chaos_kit import quick, started
from tests.chaos.history import check
from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table
from tests.integration.hosting import Host
from tests.sizes import sized
from tests.stock import Client, Clients, Fits, Proxy, proxied, stock_clients

pytestmark = [pytest.mark.js, pytest.mark.slow]

STORM = "room:storm"
CYCLES = sized("RECOVERY_CYCLES", 12, 300)
TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]


@pytest.fixture
async def stock() -> AsyncIterator[Clients]:
    async with stock_clients() as clients:
        yield clients


@pytest.fixture
async def proxy(pair: tuple[Server, Server]) -> AsyncIterator[Proxy]:
    """To the first of the pair."""
    async with proxied(pair[0]) as running:
        yield running


@pytest.fixture(scope="module")
def few(host: Host) -> tuple[Server, Server]:
    """Two servers that keep few events, for a short time."""
    settings: dict[str, Any] = {
        "JOBS__WORKERS": False,
        "RECOVERY__SECONDS": 2,
        "RECOVERY__EVENTS_PER_ROOM": 100,
        "LIMITS__CHAT_MESSAGES": 1_000,
        "LIMITS__EVENTS_PER_SECOND": 500,
        "LIMITS__EVENTS_BURST": 1_000,
    }
    return host.start(**settings), host.start(**settings)


@pytest.fixture
async def mortal(emptied: Stores) -> AsyncIterator[tuple[Server, Server]]:
    """Two servers that a test may end."""
    async with started(**on(emptied, **quick())) as one, started(**on(emptied, **quick())) as two:
        yield one, two


class Scene:
    """A stock client behind a proxy in a room of its own, with somebody who talks there."""

    def __init__(self, stock: Clients, proxy: Proxy, table: Table, room: str) -> None:
        self.stock = stock
        self.proxy = proxy
        self.table = table
        self.room = room
        self.ann: Client
        self.bob: Player
        self.said: list[str] = []

    async def begin(self, here: Server, there: Server, **options: Any) -> Scene:
        self.bob = await self.table.seat(there.url, "bob")
        tokens = (await self.table.guest(here.url, "ann")).tokens
        self.ann = await self.stock.open(self.proxy.url, tokens, **options)
        await self.ann.ok("chat:join", room=self.room)
        await self.bob.do("chat:join", room=self.room)
        return self

    async def say(self, number: int = 1) -> None:
        for _ in range(number):
            text = f"{len(self.said)}"
            await self.bob.do("chat:send", room=self.room, text=text)
            self.said.append(text)

    async def away(self) -> int:
        """The client's connection breaks, and no other is to be had."""
        before = self.ann.now
        self.proxy.accepting = False
        self.proxy.cut()
        await self.ann.next("disconnect", after=before)
        return before

    async def back(self, before: int) -> tuple[bool, dict[str, Any]]:
        self.proxy.accepting = True
        return await self.ann.came_back(before)

    async def heard_all(self) -> None:
        """Everything, once and in order."""
        await self.ann.event("chat:message", says(self.said[-1]))
        assert self.heard() == self.said

    def heard(self, after: int = 0) -> list[str]:
        return self.ann.texts(after)


@pytest.fixture
async def scene(
    stock: Clients,
    proxy: Proxy,
    table: Table,
    pair: tuple[Server, Server],
    request: pytest.FixtureRequest,
) -> Scene:
    """Ann on the first node, Bob on the second."""
    options = getattr(request, "param", {})
    room = f"room:{id(request):x}"
    return await Scene(stock, proxy, table, room).begin(*pair, **options)


def says(text: str) -> Fits:
    """Whether a chat message does."""
    return lambda message: message["text"] == text


def pid_of(client: Client) -> str:
    """The secret, as a thief might have it."""
    pid: str = [told["pid"] for told in client.told if told["at"] == "connect"][-1]
    return pid


def sid_of(client: Client) -> str:
    sid: str = [told["sid"] for told in client.told if told["at"] == "connect"][-1]
    return sid


@pytest.mark.parametrize("scene", [{"transports": some} for some in TRANSPORTS], indirect=True)
@pytest.mark.parametrize("node", [0, 1])
async def test_what_was_missed_comes_once_and_in_order_on_this_node_or_another(
    scene: Scene, pair: tuple[Server, Server], node: int
) -> None:
    sid = sid_of(scene.ann)
    await scene.say(3)
    await scene.heard_all()
    for _ in range(2):
        before = await scene.away()
        await scene.say(30)
        scene.proxy.target = pair[node]
        recovered, ready = await scene.back(before)
        assert recovered
        assert ready["session_id"] == sid
        assert ready["resume"]["rooms"] == [scene.room]
        # What was missed comes before the state that it leads to.
        kinds = [told["event"] for told in scene.ann.told[before:] if told["at"] == "event"]
        assert kinds == ["chat:message"] * 30 + ["session:ready"]
        await scene.say(2)
        await scene.heard_all()
    assert (await scene.ann.ok("chat:send", room=scene.room, text="I am"))["message"]


async def test_a_client_that_had_received_nothing_yet_is_recovered(
    scene: Scene, pair: tuple[Server, Server]
) -> None:
    before = await scene.away()
    await scene.say(5)
    scene.proxy.target = pair[1]
    recovered, _ = await scene.back(before)
    assert recovered
    assert scene.heard(before) == scene.said


async def test_whispers_are_recovered_without_a_room(scene: Scene) -> None:
    before = await scene.away()
    await scene.bob.do("chat:whisper", to=scene.ann.id, text="psst")
    assert (await scene.back(before))[0]
    assert scene.heard(before) == ["psst"]


async def test_volatile_events_are_not_kept(scene: Scene) -> None:
    await scene.bob.ask("chat:typing", room=scene.room)
    await scene.ann.event("chat:typing")
    before = await scene.away()
    await scene.bob.ask("chat:typing", room=scene.room)
    await scene.say()
    assert (await scene.back(before))[0]
    await scene.heard_all()
    assert not scene.ann.events("chat:typing", before)


async def test_a_room_that_was_left_stays_left(scene: Scene) -> None:
    await scene.ann.ok("chat:leave", room=scene.room)
    before = await scene.away()
    await scene.say(3)
    recovered, ready = await scene.back(before)
    assert (recovered, ready["resume"]["rooms"]) == (True, [])
    await scene.say(1)
    await scene.bob.do("chat:whisper", to=scene.ann.id, text="end")
    await scene.ann.event("chat:message", says("end"))
    assert scene.heard() == ["end"]


async def test_what_the_client_itself_caused_comes_back_too(scene: Scene) -> None:
    """It was answered, perhaps, but its own event may not have arrived."""
    another = await scene.table.player(scene.bob.url, scene.ann.tokens).connect()
    await another.do("chat:join", room=scene.room)
    before = await scene.away()
    await another.do("chat:send", room=scene.room, text="from my other hand")
    assert (await scene.back(before))[0]
    assert scene.heard(before) == ["from my other hand"]


async def test_presence_is_watched_on_after_a_recovery(
    scene: Scene, table: Table, pair: tuple[Server, Server]
) -> None:
    eve = await table.seat(pair[1].url, "eve")
    await scene.ann.ok("presence:watch", player_ids=[eve.id])
    before = await scene.away()
    scene.proxy.target = pair[1]
    assert (await scene.back(before))[0]
    await eve.do("presence:set", status="busy")
    await scene.ann.event(
        "presence:changed", lambda x: x["presence"].get(eve.id, {}).get("status") == "busy"
    )
    await eve.leave()
    await scene.ann.event(
        "presence:changed", lambda x: x["presence"].get(eve.id, {}).get("status") == "offline"
    )


async def test_spectating_goes_on_after_a_recovery(
    scene: Scene, table: Table, pair: tuple[Server, Server]
) -> None:
    eve = await table.seat(pair[0].url, "eve")
    duel = await table.duel(scene.bob, eve)
    await scene.ann.ok("duel:spectate", duel_id=duel["id"])
    before = await scene.away()
    for player in (scene.bob, eve):
        await player.do("duel:play", duel_id=duel["id"], round=1, hold=[])
    scene.proxy.target = pair[1]
    assert (await scene.back(before))[0]
    assert (await scene.ann.event("duel:round", after=before))["round"] == 1
    await eve.do("duel:forfeit", duel_id=duel["id"])
    await scene.ann.event("duel:ended", after=before)
    versions = [view["version"] for view in scene.ann.events("duel:state", before)]
    assert versions == sorted(set(versions))


# What is not recovered is fresh, and shows the truth


async def test_another_players_pid_recovers_nothing(
    scene: Scene, stock: Clients, table: Table, pair: tuple[Server, Server]
) -> None:
    pid = pid_of(scene.ann)
    before = await scene.away()
    await scene.say(2)
    await scene.bob.do("chat:whisper", to=scene.ann.id, text="secret")
    thief = await table.guest(pair[1].url, "thief")
    await thief.connect(pid=pid)
    assert thief.ready["recovered"] is False
    assert thief.ready["resume"]["rooms"] == []
    assert thief.ready["session_id"] != sid_of(scene.ann)
    assert thief.seen("chat:message") == []
    # Nor does it hurt the one whose it is.
    assert (await scene.back(before))[0]
    assert scene.heard(before) == [*scene.said, "secret"]


async def test_more_than_is_kept_is_a_fresh_session(
    stock: Clients, table: Table, few: tuple[Server, Server]
) -> None:
    async with proxied(few[0]) as proxy:
        scene = await Scene(stock, proxy, table, "room:few").begin(*few)
        sid = sid_of(scene.ann)
        await scene.say(1)
        await scene.heard_all()
        before = await scene.away()
        await scene.say(250)
        recovered, ready = await scene.back(before)
        assert not recovered
        assert ready["session_id"] != sid
        assert ready["resume"]["rooms"] == []
        assert scene.heard(before) == []
        # The truth: what it must show now.
        joined = await scene.ann.ok("chat:join", room=scene.room)
        assert [message["text"] for message in joined["messages"]] == scene.said[-50:]
        # The new session is one that is recovered as any other.
        before = await scene.away()
        await scene.say(2)
        assert (await scene.back(before))[0]
        assert scene.heard(before) == scene.said[-2:]


async def test_after_the_window_the_session_is_fresh(
    stock: Clients, table: Table, few: tuple[Server, Server]
) -> None:
    async with proxied(few[0]) as proxy:
        scene = await Scene(stock, proxy, table, "room:late").begin(*few)
        before = await scene.away()
        await scene.say(1)
        await asyncio.sleep(2.2)  # the window is 2 s
        assert not (await scene.back(before))[0]
        assert scene.heard(before) == []


async def test_an_emptied_redis_is_a_fresh_session(
    stock: Clients, table: Table, emptied: Stores, mortal: tuple[Server, Server]
) -> None:
    async with proxied(mortal[0]) as proxy:
        scene = await Scene(stock, proxy, table, "room:empty").begin(*mortal)
        await scene.say(2)
        await scene.heard_all()
        before = await scene.away()
        async with RedisStore(emptied.redis_url, Redis()) as redis:
            await redis.call("FLUSHALL")
        assert not (await scene.back(before))[0]


async def test_a_revoked_token_recovers_nothing(scene: Scene, table: Table) -> None:
    before = await scene.away()
    token = scene.ann.tokens["access_token"]
    assert (await table.post(scene.bob.url, "/auth/logout", token=token))[0] == 204
    scene.proxy.accepting = True
    refused = await scene.ann.next("refused", lambda x: x["data"], after=before)
    assert refused["message"] == "token_revoked"
    assert not [told for told in scene.ann.told[before:] if told["at"] == "connect"]


async def test_who_signs_out_is_sent_away_for_good(
    scene: Scene, table: Table, pair: tuple[Server, Server]
) -> None:
    before = scene.ann.now
    token = scene.ann.tokens["access_token"]
    assert (await table.post(pair[0].url, "/auth/logout", token=token))[0] == 204
    gone = await scene.ann.next("disconnect", after=before)
    assert gone["reason"] == "io server disconnect"
    again = await table.guest(pair[0].url, "somebody")
    await again.connect(pid=pid_of(scene.ann))
    assert again.ready["recovered"] is False


async def test_a_session_that_the_client_ended_is_forgotten(scene: Scene) -> None:
    """The stock client sends its pid again even then, but the session is over."""
    before = scene.ann.now
    scene.ann.do("disconnect")
    await scene.ann.next("disconnect", after=before)
    await scene.say(2)
    before = scene.ann.now
    scene.ann.do("connect")
    recovered, ready = await scene.ann.came_back(before)
    assert (recovered, ready["resume"]["rooms"]) == (False, [])
    assert scene.heard(before) == []


# Nodes that end


async def test_a_killed_nodes_clients_are_recovered_by_another(
    stock: Clients, table: Table, mortal: tuple[Server, Server]
) -> None:
    dying, living = mortal
    async with proxied(dying) as proxy:
        scenes = [
            await Scene(stock, proxy, table, f"room:{n}").begin(dying, living, transports=some)
            for n, some in enumerate(TRANSPORTS)
        ]
        for scene in scenes[1:]:  # the first client has received nothing yet
            await scene.say(3)
            await scene.heard_all()
        before = [scene.ann.now for scene in scenes]
        proxy.target = living
        await dying.kill()
        for scene, place in zip(scenes, before, strict=True):
            await scene.say(3)
            recovered, ready = await scene.ann.came_back(place)
            assert recovered
            assert ready["resume"]["rooms"] == [scene.room]
            await scene.say(1)
            await scene.heard_all()


async def test_a_node_that_is_restarted_loses_nobody(
    stock: Clients, table: Table, mortal: tuple[Server, Server]
) -> None:
    ending, living = mortal
    async with proxied(ending) as proxy:
        scene = await Scene(stock, proxy, table, "room:rolling").begin(ending, living)
        await scene.say(2)
        await scene.heard_all()
        before = scene.ann.now
        proxy.target = living
        stopping = asyncio.create_task(ending.stop())
        while not stopping.done():
            await scene.say(1)
            await asyncio.sleep(0.01)
        assert await stopping == 0
        assert (await scene.ann.came_back(before))[0]
        farewell = await scene.ann.event("server:disconnect", after=before)
        assert (farewell["code"], farewell["reconnect"]) == ("draining", True)
        await scene.say(1)
        await scene.heard_all()


# While it goes on


class Storm:
    """Ten clients behind two proxies, two who talk all the time, and many broken connections."""

    def __init__(self, proxies: tuple[Proxy, Proxy], talkers: list[Player]) -> None:
        self.proxies = proxies
        self.talkers = talkers
        self.listeners: list[Client] = []
        self.said: dict[str, list[str]] = {talker.id: [] for talker in talkers}
        self.over = asyncio.Event()
        self.broken = 0

    async def talk(self, talker: Player) -> None:
        said = self.said[talker.id]
        while not self.over.is_set():
            text = f"{talker.id} {len(said)}"
            await talker.do("chat:send", room=STORM, text=text)
            said.append(text)
            await asyncio.sleep(0.005)

    async def break_off(self, cycle: int) -> None:
        """One proxy, or both, lose all connections; every other time clients change nodes."""
        one, other = self.proxies
        if cycle % 2:
            one.target, other.target = other.target, one.target
        hit = [0, 1] if cycle % 3 else [cycle % 2]
        for n in hit:
            self.proxies[n].accepting = False
            self.proxies[n].cut()
        mine = [client for n, client in enumerate(self.listeners) if n % 2 in hit]
        for client in mine:
            await client.next("disconnect", after=self.last_connect(client))
        before = [client.now for client in mine]
        for proxy in self.proxies:
            proxy.accepting = True
        for client, place in zip(mine, before, strict=True):
            assert (await client.came_back(place))[0]
        self.broken += len(mine)

    @staticmethod
    def last_connect(client: Client) -> int:
        return max(n for n, told in enumerate(client.told) if told["at"] == "connect")


@pytest.mark.timeout(120 + CYCLES)
async def test_over_many_reconnections_under_steady_talk_nothing_is_lost_doubled_or_reordered(
    stock: Clients, table: Table, pair: tuple[Server, Server]
) -> None:
    async with proxied(pair[0]) as one, proxied(pair[1]) as other:
        storm = Storm((one, other), [await table.seat(node.url, "talker") for node in pair])
        for n in range(10):
            tokens = (await table.guest(pair[0].url, f"l{n}")).tokens
            transports = TRANSPORTS[n // 2 % 3]
            url = storm.proxies[n % 2].url
            storm.listeners.append(await stock.open(url, tokens, transports=transports))
        for listener in storm.listeners:
            await listener.ok("chat:join", room=STORM)
        for talker in storm.talkers:
            await talker.do("chat:join", room=STORM)
        talking = [asyncio.create_task(storm.talk(talker)) for talker in storm.talkers]
        for cycle in range(CYCLES):
            await storm.break_off(cycle)
        storm.over.set()
        await asyncio.gather(*talking)
        ends = [said[-1] for said in storm.said.values()]
        for listener, end in product(storm.listeners, ends):
            await listener.event("chat:message", says(end))
        check(storm.said, {x.name: x.texts() for x in storm.listeners})
        assert storm.broken >= CYCLES * 20 // 3
