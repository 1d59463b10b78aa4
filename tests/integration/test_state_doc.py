"""docs/state.md against what a full run leaves in the stores."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymongo
import pytest

from config.sections import Redis
from state.connect import RedisStore
from tests.fixtures import Stores, on
from tests.harness import ROOT, Player, Server, Table, serving

ROW = re.compile(r"^\| `(\S+)` \| (.+?) \| (.+?) \|", re.MULTILINE)
PLACES = {
    "what": "sign_in|refresh|report",
    "hash": "[0-9a-f]{32}",
    "node": "[0-9a-f]{8}",
    "address": "[0-9a-f.:]+",
    "connection": r"[0-9a-f]+\.[0-9a-f]{30}",
    "pid": r"[0-9a-f]{32}",
    "room": "[a-z][a-z0-9:_-]{0,63}",
    "token": r"[\w-]{12}|[0-9a-f]{20}|\d+-\d+@[a-z][a-z0-9:_-]{0,63}",
    "client_id": ".{1,64}",
    "key": ".{1,64}",
    "stake": r"\d+",
    "source": r"wealth|\d{4}-q\d",
    "board": r"wealth|(rating|wins):\d{4}-q\d",
    "queue": r"[a-z]+\.[a-z]+",
    "end": "completed|failed",
    "part": "prioritized|delayed|completed|failed|marker",
    "job": r"[a-z]+\.[a-z]+-[\w.-]+",
    **dict.fromkeys(("player", "account", "family", "duel"), "[0-9a-f]{20}"),
}
AFTER_A_CRASH = {"{live}:gone"}
FOR_MILLISECONDS = {"{match}:pairs", "{match}:pair:<duel>"}  # tests/contract/test_matches.py
WEALTH = {f"{{boards}}:{name}:wealth" for name in ("built", "order", "places")}
WITH_THE_STORE = {"{log}:epoch", "{log}:last", "{log}:store", "{jobs}:epoch", *WEALTH}
# The engine's own keys: what comes up in a run is checked, not all of them do.
QUEUES = "{bull}:"
WRONG_PASSWORDS = 6
PATIENCE = 100
PAUSE_SECONDS = 0.1


def section(title: str) -> str:
    text = (ROOT / "docs" / "state.md").read_text("utf-8")
    return re.split(r"^## ", text.split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


@dataclass(frozen=True)
class Pattern:
    """A row of the table of keys."""

    key: str
    type: str
    ttl: str

    def fits(self, key: str) -> bool:
        parts = re.split(r"<(\w+)>", self.key)
        named = [PLACES[part] if i % 2 else re.escape(part) for i, part in enumerate(parts)]
        return re.fullmatch("".join(f"(?:{part})" for part in named), key) is not None


PATTERNS = [Pattern(*row) for row in ROW.findall(section("Redis or Valkey"))]


@dataclass
class Witness:
    """Looks at Redis again and again, and remembers which rows it has seen."""

    redis: RedisStore
    seen: set[str] = field(default_factory=set)
    ttls: dict[str, set[bool]] = field(default_factory=dict)

    async def keys(self) -> dict[str, tuple[str, int]]:
        """Every key with its type and its TTL in ms, -1 for none."""
        names = await self.redis.call("KEYS", "*")
        asked = [(command, name) for name in names for command in ("TYPE", "PTTL")]
        answers = await self.redis.batch(asked)
        pairs = zip(answers[::2], answers[1::2], strict=True)
        # Some are gone between the two questions.
        return {name: pair for name, pair in zip(names, pairs, strict=True) if pair[1] != -2}

    async def look(self) -> None:
        """Check every key that is there now."""
        for key, (type_, ttl) in (await self.keys()).items():
            fitting = [pattern for pattern in PATTERNS if pattern.fits(key)]
            assert len(fitting) == 1, f"{key} is described by {fitting}"
            pattern = fitting[0]
            assert type_ == pattern.type, f"{key} is a {type_}"
            self._check_ttl(pattern, key, expires=ttl >= 0)
            self.seen.add(pattern.key)

    def _check_ttl(self, pattern: Pattern, key: str, *, expires: bool) -> None:
        wanted = pattern.ttl.partition(":")[0]
        assert wanted in {"always", "never", "at times"}, pattern
        assert wanted == "at times" or expires is (wanted == "always"), f"{key} and its TTL"
        self.ttls.setdefault(pattern.key, set()).add(expires)

    async def until_gone(self, key: str) -> None:
        """Wait until a key does not exist."""
        for _ in range(PATIENCE):
            if not await self.redis.call("EXISTS", key):
                return
            await asyncio.sleep(PAUSE_SECONDS)
        pytest.fail(f"{key} is still there")


@dataclass
class Run:
    """Everything that writes to a store, through the front door of two servers."""

    witness: Witness
    table: Table
    servers: tuple[Server, Server]

    async def all(self) -> None:
        one, other = (server.url for server in self.servers)
        ann, bob = await self.table.seat(one, "ann"), await self.table.seat(other, "bob")
        eve = await self.table.seat(other, "eve")
        await self.sign_ins(one)
        await self.jobs(one)
        await self.chat(ann, bob)
        await self.spam(eve)
        await self.duels(ann, bob, eve)
        await self.stakes(ann, bob)
        await self.matches(one, other)
        await self.witness.look()
        await self.farewell(ann, bob, eve)

    async def sign_ins(self, url: str) -> None:
        """Register, refresh, sign out, and be locked out."""
        body = {"username": "carol", "password": "correct horse"}
        _, tokens = await self.table.post(url, "/auth/register", body)
        spent = {"refresh_token": tokens["refresh_token"]}
        status, tokens = await self.table.post(url, "/auth/refresh", spent)
        assert status == 200
        status, _ = await self.table.post(url, "/auth/logout", token=tokens["access_token"])
        assert status == 204
        wrong = {**body, "password": "wrong horse"}
        statuses = [
            (await self.table.post(url, "/auth/login", wrong))[0] for _ in range(WRONG_PASSWORDS)
        ]
        assert statuses == [401] * 5 + [429]
        await self.witness.look()

    async def jobs(self, url: str) -> None:
        """One that runs, and one that is taken back."""
        token = (await self.table.admin(url)).tokens["access_token"]
        orders = [{"task": "reports.economy", "delay": delay} for delay in (0, 60)]
        _, ordered = [await self.table.post(url, "/jobs", one, token) for one in orders][1]
        status, _ = await self.table.call("DELETE", url, f"/jobs/{ordered['id']}", token=token)
        assert status == 202
        await self.witness.look()

    async def chat(self, ann: Player, bob: Player) -> None:
        """Messages with all that can happen to them."""
        for player in (ann, bob):
            await player.do("chat:join", room="global")
        await ann.do("presence:set", status="busy")
        await ann.do("presence:watch", player_ids=[bob.id])
        sent = await ann.do("chat:send", room="global", text="hello", client_id="my first")
        await bob.do("chat:whisper", to=ann.id, text="hello you")
        message_id = sent["message"]["id"]
        await bob.do("chat:report", message_id=message_id, reason="too friendly")
        await self.witness.until_gone("{chat}:dirty")  # so that a change finds it archived
        await self._edited(ann, message_id)
        await ann.do("chat:delete", message_id=message_id)
        await self.witness.look()

    async def _edited(self, ann: Player, message_id: str) -> None:
        # The archiver may be faster than we look.
        for attempt in range(PATIENCE):
            await ann.do("chat:edit", message_id=message_id, text=f"hello {attempt}")
            await self.witness.look()
            if {"{chat}:pending:<room>", "{chat}:dirty"} <= self.witness.seen:
                return

    async def spam(self, eve: Player) -> None:
        """Too many messages: refused at first, then muted."""
        await eve.do("chat:join", room="room:lobby")
        codes: list[Any] = []
        while "muted" not in codes:
            answer = await eve.ask("chat:send", room="room:lobby", text="buy!")
            codes.append(answer.get("error", {}).get("code"))
            await self.witness.look()
        assert codes == [None] * 5 + ["rate_limited"] * 3 + ["muted"]

    async def duels(self, ann: Player, bob: Player, eve: Player) -> None:
        """One duel that is fought, one that stays open."""
        duel = await self.table.duel(ann, bob)
        await eve.do("duel:spectate", duel_id=duel["id"])
        await eve.do("chat:join", room=f"duel:{duel['id']}")
        await self.witness.look()
        for player in (ann, bob):
            await player.do("duel:play", duel_id=duel["id"], round=1, hold=[])
        await bob.do("duel:forfeit", duel_id=duel["id"])
        await eve.do("duel:challenge", opponent_id=ann.id, key="revenge")

    async def stakes(self, ann: Player, bob: Player) -> None:
        """Duels for a coin, until one was seen between its end and its payment."""
        await self.witness.until_gone("{duels}:offer:" + ann.id)
        for attempt in range(PATIENCE):
            body = {"opponent_id": bob.id, "stake": 1, "key": f"stake {attempt}"}
            duel = (await ann.do("duel:challenge", **body))["duel"]
            await bob.do("duel:accept", duel_id=duel["id"])
            await bob.do("duel:forfeit", duel_id=duel["id"])
            await self.witness.look()
            if "{duels}:outbox" in self.witness.seen:
                break
        await self.witness.until_gone("{duels}:outbox")

    async def matches(self, one: str, other: str) -> None:
        """A duel of two who waited for each other, and one who waits and goes."""
        ann, bob = await self.table.seat(one, "ann"), await self.table.seat(other, "bob")
        await ann.do("match:join")
        await self.witness.look()
        await bob.do("match:join")
        duel = (await ann.next("match:found"))["duel"]
        await bob.do("duel:forfeit", duel_id=duel["id"])
        await ann.next("rating:changed", lambda news: news["duel_id"] == duel["id"])
        await self.witness.look()
        await ann.do("match:join", stake=9)
        for player in (ann, bob):
            await player.leave()
            await self.witness.until_gone(f"{{live}}:account:{player.tokens['account']['id']}")
            await self.witness.look()
        await self.witness.until_gone("{match}:away")
        await self.witness.until_gone("{boards}:dirty")

    async def farewell(self, ann: Player, *others: Player) -> None:
        """Nothing is left open, and everybody goes."""
        duel = (await ann.do("duel:active"))["duel"]
        await ann.do("duel:decline", duel_id=duel["id"])
        for player in (ann, *others):
            await player.leave()
        await self.witness.until_gone("{chat}:dirty")
        for player in (ann, *others):
            await self.witness.until_gone(f"{{live}}:account:{player.tokens['account']['id']}")
        await self.witness.look()


async def test_every_key_and_collection_is_described_and_none_is_left_without_an_owner(
    emptied: Stores, table: Table, tmp_path: Path
) -> None:
    async with RedisStore(emptied.redis_url, Redis()) as redis:
        witness = Witness(redis)
        chosen = on(
            emptied,
            MATCH__GRACE_SECONDS=1,
            AUDIT__EVERY_SECONDS=1,
            JOBS__REPORTS_DIR=tmp_path,
        )
        async with serving(**chosen) as one, serving(**chosen) as other:
            await Run(witness, table, (one, other)).all()
        unseen = {pattern.key for pattern in PATTERNS} - witness.seen
        unseen -= AFTER_A_CRASH | FOR_MILLISECONDS
        assert not {key for key in unseen if not key.startswith(QUEUES)}
        changing = [pattern.key for pattern in PATTERNS if pattern.ttl.startswith("at times")]
        assert [key for key in changing if len(witness.ttls[key]) != 2] == []
        left = await witness.keys()
        lasting = {key for key, (_, ttl) in left.items() if ttl < 0}
        assert {key for key in lasting if not key.startswith(QUEUES)} == WITH_THE_STORE
    assert await asyncio.to_thread(indexes, emptied.mongo_url) == described_indexes()


def indexes(url: str) -> dict[str, set[str]]:
    """The indexes of each collection, in the words of the document."""
    client: pymongo.MongoClient[Any] = pymongo.MongoClient(url)
    with client:
        database = client["test_server"]
        return {
            name: {
                _words(index)
                for index_name, index in database[name].index_information().items()
                if index_name != "_id_"
            }
            for name in database.list_collection_names()
        }


def _words(index: dict[str, Any]) -> str:
    marks = [mark for mark in ("unique", "sparse") if index.get(mark)]
    marks += ["TTL"] if "expireAfterSeconds" in index else []
    keys = "`" + ", ".join(name for name, _ in index["key"]) + "`"
    return f"{keys} ({', '.join(marks)})" if marks else keys


def described_indexes() -> dict[str, set[str]]:
    rows = ROW.findall(section("MongoDB"))
    found = {name: re.findall(r"`[^`]+`(?: \([^)]+\))?", text) for name, text, _ in rows}
    return {name: set(described) for name, described in found.items()}
