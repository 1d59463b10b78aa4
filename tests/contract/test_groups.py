"""One store made of many: what a client of a cluster, and of sentinels, does when keys and
primaries move. The groups are real, of the bundled Valkey.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from redis.exceptions import RedisError

from config.sections import Limits, Recovery, Redis
from game.errors import DependencyUnavailable
from state.cluster import slot_of
from state.connect import Question, RedisStore, Script
from state.documents import DocumentStore
from state.duels import Duels
from state.live import Live, Seat
from state.rates import Rates
from state.recovery import PREFIX
from state.recovery import Recovery as Log
from tests.contract.chat_kit import ANN, ROOM, Lobby, small
from tests.contract.duels_kit import SETTINGS, Game
from tests.contract.jobs_kit import Witness, noting, working
from tests.sizes import ONLY_LONG
from tests.valkeys import Group, Valkey, a_cluster, under_sentinels, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

QUICK = Redis(timeout_seconds=1)
DUEL = Script("duel_open")
OURS = {
    *("chat_change", "chat_claim", "chat_join", "chat_leave", "chat_page", "chat_send"),
    *("chat_settle", "chat_unsaved", "duel_create", "duel_due", "duel_save", "duel_schedule"),
    *("duel_settled", "live_attendance", "live_beat", "live_bury", "live_dead", "live_join"),
    *("live_leave", "live_presence", "live_show", "log_claim", "log_leave", "log_note"),
    *("log_publish", "log_since", "rates_attempt", "rates_window"),
}
Start = Callable[[Path], AbstractAsyncContextManager[Group]]


@contextmanager
def kept(start: Start, folder: Path) -> Iterator[Group]:
    """A group that outlives the loops of the tests."""
    with asyncio.Runner() as runner:
        group = start(folder)
        yield runner.run(group.__aenter__())
        runner.run(group.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with kept(a_cluster, tmp_path_factory.mktemp("cluster")) as group:
        yield group


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """A primary under sentinels."""
    with kept(under_sentinels, tmp_path_factory.mktemp("sentinels")) as group:
        yield group


@pytest.fixture
async def store(cluster: Group) -> AsyncIterator[RedisStore]:
    async with RedisStore(cluster.url, QUICK) as store:
        yield store


async def two_primaries(group: Group, key: str) -> tuple[Valkey, Valkey]:
    """Who has a key, and another one."""
    owner = await group.owner(slot_of(key))
    other = next(one for one in group.primaries if one is not owner)
    return owner, other


async def move_slot(group: Group, key: str, owner: Valkey, other: Valkey) -> None:
    """Tell everybody that a slot is another's now."""
    there = await other.ask("CLUSTER", "MYID")
    for one in (other, owner, *group.primaries):
        await one.ask("CLUSTER", "SETSLOT", slot_of(key), "NODE", there)


async def begin_to_move(key: str, owner: Valkey, other: Valkey) -> None:
    """From now on keys that are not there any more are asked for there."""
    here, there = await owner.ask("CLUSTER", "MYID"), await other.ask("CLUSTER", "MYID")
    await other.ask("CLUSTER", "SETSLOT", slot_of(key), "IMPORTING", here)
    await owner.ask("CLUSTER", "SETSLOT", slot_of(key), "MIGRATING", there)


async def migrate(owner: Valkey, other: Valkey, *keys: str) -> None:
    await owner.ask("MIGRATE", "127.0.0.1", other.port, "", 0, 1000, "KEYS", *keys)


# A cluster


def test_slots_are_those_of_the_specification() -> None:
    assert slot_of("123456789") == 0x31C3  # the test vector of its appendix
    assert slot_of("{live}:nodes") == slot_of("live") == slot_of("x{live}{chat}")
    assert slot_of("{}x") != slot_of("")
    assert slot_of("foo{") != slot_of("foo")


async def test_a_batch_over_many_slots_is_answered_in_its_order(store: RedisStore) -> None:
    writes = [("SET", f"batch:{n}", n, "EX", 60) for n in range(60)]
    reads = [("GET", f"batch:{n}") for n in range(60)]
    answers = await store.batch([*writes, *reads])
    assert answers[60:] == [str(n) for n in range(60)]
    questions = [Question(command, int) for command in reads]
    scripted = [Question.of(DUEL, [f"{{{n}}}no"] * 3, ["x"], bool) for n in range(20)]
    assert await store.ask([*scripted, *questions]) == [*[False] * 20, *range(60)]


async def test_a_key_is_followed_while_its_slot_moves_and_after(
    cluster: Group, store: RedisStore
) -> None:
    owner, other = await two_primaries(cluster, "{moving}")
    await store.batch([("SET", "{moving}a", 1), ("SET", "{moving}b", 2), ("SET", "{moving}c", 3)])
    await begin_to_move("{moving}", owner, other)
    await migrate(owner, other, "{moving}a")
    assert await store.batch([("GET", "{moving}a"), ("GET", "{moving}b")]) == ["1", "2"]  # ASK
    with pytest.raises(DependencyUnavailable):  # TRYAGAIN, and again: it is half there
        await store.call("MGET", "{moving}a", "{moving}b")
    await migrate(owner, other, "{moving}b", "{moving}c")
    await move_slot(cluster, "{moving}", owner, other)
    assert await store.call("MGET", "{moving}a", "{moving}b") == ["1", "2"]  # MOVED
    assert await store.batch([("GET", "{moving}c"), ("DEL", "{moving}c")]) == ["3", 1]


async def test_what_is_published_is_heard_wherever_the_slot_goes(
    cluster: Group, store: RedisStore
) -> None:
    heard: asyncio.Queue[list[Any]] = asyncio.Queue()
    owner, other = await two_primaries(cluster, "{talk}")
    async with store.subscription(heard.put_nowait, "{talk}") as ear:
        ear.add(["{talk}:room"])
        assert (await heard.get())[:2] == ["subscribe", "{talk}:room"]
        await store.call(store.publish, "{talk}:room", "one")
        assert await heard.get() == ["message", "{talk}:room", "one"]
        await begin_to_move("{talk}", owner, other)
        await move_slot(cluster, "{talk}", owner, other)
        probing = asyncio.create_task(until(partial(_ping, store)))
        await ear.until_broken(5, lambda _: None)
        await probing
    async with store.subscription(heard.put_nowait, "{talk}") as ear:
        ear.add(["{talk}:room"])
        await until(partial(_heard, heard, "subscribe"))
        await store.call(store.publish, "{talk}:room", "two")
        await until(partial(_heard, heard, "message"))


async def _ping(store: RedisStore) -> bool:
    await store.ping()
    return True


async def _heard(queue: asyncio.Queue[list[Any]], kind: str) -> bool:
    push = await queue.get()
    return bool(push[0] == kind)


async def test_a_subscription_at_the_wrong_node_ends(cluster: Group, store: RedisStore) -> None:
    """The refusal of a channel must not leave anybody waiting for its confirmation."""
    _, other = await two_primaries(cluster, "{talk}")
    wrong = await store._lines._connect(f"redis://127.0.0.1:{other.port}", lambda _: None)
    wrong.write("SSUBSCRIBE", "{talk}:room")
    async with asyncio.timeout(5):
        await wrong.closed


@ONLY_LONG
async def test_a_frozen_primary_is_replaced_and_bounded_waiting_says_so(cluster: Group) -> None:
    async with RedisStore(cluster.url, QUICK) as store:
        await store.call("SET", "{frozen}x", 1)
        owner = await cluster.owner(slot_of("{frozen}"))
        with owner.frozen():
            with pytest.raises(DependencyUnavailable):
                await store.call("GET", "{frozen}x")
            await cluster.promoted(instead_of=owner)
            await until(partial(_ping, store))
            assert await store.call("GET", "{frozen}x") == "1"
            await store.call("SET", "{frozen}x", 2)
        await until(partial(_is_replica, owner))
        assert await store.call("GET", "{frozen}x") == "2"


async def _is_replica(one: Valkey) -> bool:
    return await one.info("role") == "slave"


async def test_scripts_keep_to_one_slot(cluster: Group, documents: DocumentStore) -> None:
    """With TEST_CLUSTER=1 all contract tests run on a cluster of one node, which refuses any
    other key; here is one call of each script that there was when this was written. The observer
    is not told of the one that is asked with others.
    """
    seen: set[str] = set()

    def observe(_: str, operation: str, __: float) -> None:
        seen.add(operation)

    for one in await cluster.living_primaries():
        await one.ask("FLUSHALL")
    async with RedisStore(cluster.url, QUICK, observe) as store:
        await run_chat(Lobby(store, documents, small()))
        await run_duels(Game(store, Duels(store, SETTINGS)))
        await run_seats(Live(store, Limits(), "n1", 10))
        await run_log(Log(store, Recovery(), Limits()))
        rates = Rates(store, SETTINGS)
        await rates.sign_in("a")
        await rates.attempt_login("u", "a")
    assert seen >= OURS


async def run_chat(lobby: Lobby) -> None:
    await lobby.archive.prepare()
    await lobby.chat.join("n1.c", ANN["id"], ROOM)
    (first,) = await lobby.say_some(1)
    await lobby.edit(first, "edited")
    assert await lobby.archive.archive_once() == 1
    assert len((await lobby.archive.history(ROOM, None, 10)).messages) == 1
    await lobby.chat.leave_all("n1.c")


async def run_duels(game: Game) -> None:
    await game.fight()
    assert await game.duels.due() == []
    await game.duels.schedule("d1", 1, None)
    assert (await game.forfeit()).changed
    await game.duels.settled("d1")


async def run_seats(live: Live) -> None:
    await live.beat()
    await live.join(Seat("n1.c", "pid", "p", "Ann", "a", "127.0.0.1"))
    await live.set_status("p", "busy")
    assert (await live.presence(["p"]))["p"].status == "busy"
    assert (await live.attendance("p")).sockets == 1
    assert await live.leave("n1.c")
    assert await live.dead(by_lease=True) == []
    assert not await live.bury("n1", 0)


async def run_log(log: Log) -> None:
    asked = [log.opening("pid", "sid", "n1.c", "p", ["r"]), Question(("GET", "elsewhere"), str)]
    began, other = await log._redis.ask(asked)
    assert began == 0  # nothing was said yet
    assert other == "None"
    await log.note("pid", add=["w:q"])
    event_id = await log.publish("r", "2[1", None, "t")
    await log.left("pid", "n1.c", event_id // 1024)
    taken = await log.claim("pid", None, "p", "n2.c", _never)
    assert taken
    assert len((await log.since(taken.rooms, 0)).events) == 1


async def _never(_: str) -> int:
    raise AssertionError


# A promotion


async def test_a_promotion_begins_another_log_and_a_restart_does_not(cluster: Group) -> None:
    async with RedisStore(cluster.url, QUICK) as store:
        heard: asyncio.Queue[list[Any]] = asyncio.Queue()
        log = Log(store, Recovery(), Limits())
        await log.publish("r", "2[1", None, "t1")
        epoch, last = await log.position()
        primary = await cluster.owner(slot_of(PREFIX))
        primary.kill()
        await cluster.promoted(instead_of=primary)
        primary.start()
        # A node that has heard of nothing is the first to write: nothing gives the loss away.
        async with (
            RedisStore(cluster.url, QUICK) as fresh,
            fresh.subscription(heard.put_nowait, PREFIX) as ear,
        ):
            ear.add([f"{PREFIX}nodes"])
            await heard.get()
            await until(partial(_publishes, Log(fresh, Recovery(), Limits())))
            assert (await heard.get())[2] == '{"do":"start over"}'
        began, after = await log.position()
        assert began != epoch
        assert after > last


async def _publishes(log: Log) -> bool:
    with suppress(DependencyUnavailable):
        return bool(await log.publish("r", "2[2", None, "t2"))
    return False


async def replica_of(group: Group, primary: Valkey) -> Valkey:
    """The only one."""
    _, _, ((_, port, _),) = await primary.ask("ROLE")
    return group.at(int(port))


@ONLY_LONG
async def test_a_promotion_that_looks_like_a_restart_is_told_by_who_knows_what_is_lost(
    cluster: Group,
) -> None:
    await cluster.whole()
    async with RedisStore(cluster.url, QUICK) as store:
        log = Log(store, Recovery(), Limits())
        await until(partial(_publishes, log))
        epoch, _ = await log.position()
        primary = await cluster.owner(slot_of(PREFIX))
        replica = await replica_of(cluster, primary)
        with replica.frozen():
            await primary.ask("CLIENT", "KILL", "TYPE", "REPLICA")
            lost = await log.publish("r", "2[3", None, "t3")
            primary.kill()
        await cluster.promoted(instead_of=primary)
        replica.kill()
        replica.start()
        async with RedisStore(cluster.url, QUICK) as fresh:
            stranger = Log(fresh, Recovery(), Limits())
            await until(partial(_publishes, stranger))
            began, last = await stranger.position()
            assert began == epoch  # to who knows nothing of it, all is well
            assert last > lost
        await until(partial(_publishes, log))
        assert (await log.position())[0] != epoch
        primary.start()


# Sentinels


async def test_the_primary_is_the_one_that_sentinels_name(watched: Group) -> None:
    async with RedisStore(watched.url, QUICK) as store:
        await store.call("SET", "x", 1)
        assert await watched.primaries[0].ask("GET", "x") == "1"
        closed = asyncio.Event()
        async with store.subscription(lambda _: None) as ear:
            ear._line.closed.add_done_callback(lambda _: closed.set())
            with watched.primaries[0].frozen():
                await watched.promoted(instead_of=watched.primaries[0])
                await until(partial(_ping, store))
                assert await store.call("GET", "x") == "1"
                await closed.wait()


@pytest.fixture(params=["cluster", "watched"])
def group(request: pytest.FixtureRequest) -> Group:
    found: Group = request.getfixturevalue(request.param)
    return found


async def test_jobs_follow_their_primary(group: Group) -> None:
    witness, no_documents = Witness(), cast("DocumentStore", None)
    async with (
        RedisStore(group.url, QUICK) as store,
        working((store, no_documents), noting(witness.note)) as bench,
    ):
        await bench.ended(await bench.order("before"))
        in_cluster = "+cluster" in group.url
        primary = await (group.owner(slot_of("{bull}")) if in_cluster else group.primary())
        primary.kill()
        await group.promoted(instead_of=primary)

        async def ordered() -> str:
            with suppress(DependencyUnavailable):
                return await bench.order("after", key="k")
            return ""

        await bench.ended(await until(ordered), 30)
        assert set(witness.ran) == {"before", "after"}
        primary.start()


async def test_without_sentinels_the_primary_serves_on(watched: Group) -> None:
    async with RedisStore(watched.url, QUICK) as store:
        await store.call("SET", "y", 1)
        for one in watched.sentinels:
            one.kill()
        await store.ping()
        assert await store.call("GET", "y") == "1"
    async with RedisStore(watched.url, QUICK) as late:
        with pytest.raises(DependencyUnavailable):
            await late.call("GET", "y")
    with pytest.raises((RedisError, OSError)):
        await watched.sentinels[0].ask("PING")
