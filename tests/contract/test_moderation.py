"""Mutes, bans, roles, reports and their log, on both drivers, with several moderators at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast
from zlib import crc32

import pytest

from config.settings import Settings
from game.chat import Author, ChatMessage
from game.errors import Banned, Conflict, Forbidden, GameError, NotFound
from state import passwords
from state.accounts import Accounts
from state.documents import DocumentStore, Transaction
from state.migrations import m0007_moderation
from state.moderation import Moderation
from tests.contract.accounts_kit import CHEAP, NOON, Clock


@dataclass
class Office:
    """Moderators, a player whom they act on, and what is written of it."""

    documents: DocumentStore
    clock: Clock
    opened: list[int]

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.documents, Settings(), self.clock)
        self.moderation = Moderation.build(self.documents, self.clock, self.opened.append)
        self.actions, self.records = self.moderation.actions, self.moderation.records
        self.ids: dict[str, str] = {}  # of accounts
        self.players: dict[str, str] = {}

    async def open(self) -> Office:
        await self.accounts.prepare()
        await m0007_moderation.run(self.documents)
        for name, role in {"root": "admin", "mia": "moderator", "max": "moderator"}.items():
            await self.enter(name, role)
        for name in ("ann", "bob"):
            await self.enter(name)
        return self

    async def enter(self, name: str, role: str = "player") -> None:
        named = self.accounts._insert_named(name, "correct horse", role)
        account = await named
        self.ids[name] = account.id
        self.players[name] = (await self.accounts.first_character(account)).id

    async def impose(self, by: str, kind: Any, whom: str, seconds: int | None = 60) -> Any:
        self.clock.now += 1  # so that there is an order
        return await self.actions.impose(self.ids[by], kind, self.players[whom], seconds, "rude")

    async def lift(self, by: str, kind: Any, whom: str) -> Any:
        self.clock.now += 1
        return await self.actions.lift(self.ids[by], kind, self.players[whom], "sorry")

    async def logged(self, **which: Any) -> list[tuple[str, str, str]]:
        """(who, what, whom) of each entry, the oldest first."""
        entries = await self.records.log(None, 100, **which)
        return [(e["by"]["name"], e["action"], e["whom"]["name"]) for e in reversed(entries)]

    async def in_force(self, kind: Any) -> list[str]:
        return [one["whom"]["name"] for one in await self.records.in_force(kind, None, 100)]

    async def file(self, text: str = "boo", reporter: str = "bob") -> str:
        author = Author(id=self.players["ann"], name="ann")
        stamp = f"{NOON}-{crc32(text.encode()) % 99_999:05d}@global"
        message = {"id": stamp, "room": "global", "from": author, "text": text, "sent_at": 1}
        by = Author(id=self.players[reporter], name=reporter)
        reports = self.moderation.reports
        return await reports.file(cast("ChatMessage", message), by, "rude", self.clock())


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", CHEAP)


@pytest.fixture
async def office(documents: DocumentStore) -> Office:
    return await Office(documents, Clock(), []).open()


async def test_a_ban_counts_until_its_time_or_until_it_is_lifted(office: Office) -> None:
    entry = await office.impose("mia", "ban", "ann", 90)
    assert entry["details"] == {"until": NOON + 90_001}
    ann = await office.accounts.account(office.ids["ann"])
    with pytest.raises(Banned) as banned:
        ann.refuse_banned(office.clock())
    assert banned.value.retry_after == 90
    with pytest.raises(Banned):
        await office.accounts.sign_in(ann)
    assert await office.in_force("ban") == ["ann"]
    office.clock.forward(90)
    await office.accounts.sign_in(ann)
    assert await office.in_force("ban") == []
    await office.impose("mia", "ban", "ann", None)
    with pytest.raises(Banned) as banned:
        await office.accounts.sign_in(ann)
    assert banned.value.retry_after is None
    await office.lift("max", "ban", "ann")
    await office.accounts.sign_in(ann)
    with pytest.raises(Conflict):
        await office.lift("max", "ban", "ann")
    assert await office.logged() == [
        ("mia", "ban", "ann"),
        ("mia", "ban", "ann"),
        ("max", "unban", "ann"),
    ]


async def test_every_ending_is_in_the_record(office: Office) -> None:
    await office.impose("mia", "mute", "ann")
    await office.impose("max", "mute", "ann", 120)
    assert await office.in_force("mute") == ["ann"]
    await office.lift("mia", "mute", "ann")
    await office.impose("mia", "mute", "ann", 1)
    office.clock.forward(1)
    assert await office.in_force("mute") == []
    assert await office.moderation.enforcement.end_those_over() == 1
    assert await office.moderation.enforcement.end_those_over() == 0
    listed = await office.records.sanctions(office.ids["ann"], 10)
    ends = [one["ended"] and one["ended"]["how"] for one in listed]
    assert ends == ["expired", "lifted", "replaced"]
    assert not any(one["in_force"] for one in listed)


async def test_those_who_may_not_leave_no_trace(office: Office) -> None:
    pairs = (("ann", "bob"), ("mia", "mia"), ("mia", "root"), ("mia", "max"), ("root", "root"))
    for by, whom in pairs:
        for kind in ("ban", "mute"):
            with pytest.raises(Forbidden):
                await office.impose(by, kind, whom)
            with pytest.raises(Forbidden):
                await office.actions.lift(
                    office.ids[by], cast("Any", kind), office.players[whom], ""
                )
    with pytest.raises(Forbidden):
        await office.actions.appoint(office.ids["mia"], office.ids["ann"], "admin", "x", None)
    with pytest.raises(NotFound):
        await office.actions.impose(office.ids["mia"], "ban", "0" * 20, None, "x")
    assert await office.logged() == []
    assert await office.documents.call("sanctions", "count_documents", {}) == 0


async def test_a_role_ends_sign_ins_and_counts_at_once(office: Office) -> None:
    await office.actions.appoint(office.ids["root"], office.ids["ann"], "moderator", "good", "ROOT")
    due = await office.moderation.enforcement.due(office.ids["ann"])
    assert due
    assert (due.sign_out, due.banned) == (True, False)
    await office.impose("ann", "mute", "bob")
    await office.actions.appoint(office.ids["root"], office.ids["ann"], "player", "bad", "ROOT")
    with pytest.raises(Forbidden):
        await office.impose("ann", "mute", "bob")
    await office.actions.appoint(office.ids["root"], office.ids["mia"], "admin", "x", "root")
    with pytest.raises(Conflict):  # the settings' own: the next start would be refused
        await office.actions.appoint(office.ids["mia"], office.ids["root"], "player", "x", "Root")
    guest, _ = await office.accounts.create_guest(None)
    with pytest.raises(Conflict):
        await office.actions.appoint(office.ids["root"], guest.id, "moderator", "x", None)
    assert [what for _, what, _ in await office.logged(action="set_role")] == ["set_role"] * 3


async def test_of_parallel_decisions_about_one_report_one_counts(office: Office) -> None:
    report_id = await office.file()

    async def resolve(by: str, action: Any) -> Any:
        return await office.actions.resolve(office.ids[by], report_id, action, "seen", 60)

    both = [("mia", "dismiss"), ("max", "mute"), ("root", "ban")] * 4
    done = await asyncio.gather(*(resolve(*one) for one in both), return_exceptions=True)
    won = [one for one in done if not isinstance(one, BaseException)]
    lost = [one for one in done if isinstance(one, GameError)]
    assert len(won) == 1
    assert {type(one) for one in lost} == {Conflict}
    assert len(lost) == len(both) - 1
    resolution = won[0][0]["resolution"]
    report = await office.moderation.reports.get(report_id)
    assert report["resolution"] == resolution
    logged = [what for _, what, _ in await office.logged()]
    effect = [resolution["action"]] if resolution["action"] != "dismiss" else []
    assert sorted(logged) == sorted([*effect, "resolve_report"])


async def test_parallel_bans_leave_one_in_force(office: Office) -> None:
    calls = (office.impose(by, "ban", "ann", n + 1) for n, by in enumerate(["mia", "max"] * 5))
    await asyncio.gather(*calls)
    assert await office.in_force("ban") == ["ann"]
    assert len(await office.logged(action="ban")) == 10
    listed = await office.records.sanctions(office.ids["ann"], 20)
    account = await office.accounts.account(office.ids["ann"])
    assert [one["until"] for one in listed if one["in_force"]] == [account.banned_until]


@pytest.mark.parametrize("at", [0, 1, 2, 3])
async def test_an_action_and_its_entry_are_written_together_or_not_at_all(
    office: Office, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """A fault at each write in turn, the one of the log last: nothing is left of the action."""
    writes = 0
    original = Transaction.call

    async def failing(
        tx: Transaction, collection: str, method: str, *args: Any, **more: Any
    ) -> Any:
        nonlocal writes
        if method != "find_one":
            if writes == at:
                raise Died
            writes += 1
        answer = await original(tx, collection, method, *args, **more)
        if writes == 3:  # all are written, nothing is committed
            raise Died
        return answer

    monkeypatch.setattr(Transaction, "call", failing)
    with pytest.raises(Died):
        await office.impose("mia", "ban", "ann")
    monkeypatch.undo()
    assert writes == at
    assert await office.logged() == []
    assert await office.documents.call("sanctions", "count_documents", {}) == 0
    assert (await office.accounts.account(office.ids["ann"])).banned_until == 0
    assert await office.moderation.enforcement.due(office.ids["ann"]) is None


class Died(Exception):
    """The process did."""


async def test_what_a_crash_left_undone_is_found_and_done_once(office: Office) -> None:
    await office.impose("mia", "ban", "ann")
    enforcement = office.moderation.enforcement
    assert await enforcement.left() == []  # whoever acted is about to
    office.clock.forward(4)
    (due,) = await enforcement.left()
    assert (due.sign_out, due.voice, due.banned) == (True, False, True)
    await office.impose("mia", "mute", "ann")
    await enforcement.done(due)  # but the mute is not
    newer = await enforcement.due(office.ids["ann"])
    assert newer
    assert (newer.sign_out, newer.voice) == (True, True)
    await enforcement.done(newer)
    assert await enforcement.due(office.ids["ann"]) is None


async def test_reports_are_a_queue_and_each_player_reports_a_message_once(office: Office) -> None:
    filed = []
    for number in range(5):
        filed.append(await office.file(f"no {number}"))
        office.clock.forward(1)
    reports = office.moderation.reports
    again = await office.file("twice", "bob")
    office.clock.forward(1)
    assert await office.file("twice", "bob") == again != await office.file("twice", "mia")
    first = await reports.page("open", "", 3)
    assert [one["id"] for one in first] == filed[:3]
    rest = await reports.page("open", first[-1]["id"], 10)
    assert [one["id"] for one in rest][:3] == [*filed[3:], again]
    await reports.count_open()
    assert office.opened == [7]
    await office.actions.resolve(office.ids["mia"], filed[0], "other", "talked", None)
    assert [one["id"] for one in await reports.page("resolved", "", 9)] == filed[:1]
    await reports.count_open()
    assert office.opened == [7, 6]
    about = await reports.about([office.players["ann"]], 3)
    assert len(about) == 3
    with pytest.raises(NotFound):
        await reports.get("0" * 20)


async def test_players_are_found_by_how_any_of_their_names_begins(office: Office) -> None:
    await office.accounts.add_character(office.ids["ann"], "Zoë the Ännchen")
    await office.impose("mia", "ban", "ann", None)

    async def found(name: str) -> list[str]:
        return [one.name for one in await office.records.search(name, 50)]

    assert await found("AN") == ["ann", "Zoë the Ännchen"]
    assert await found("zoË") == ["Zoë the Ännchen"]
    assert await found("nobody") == []
    assert await found("$where") == []
    both = await office.records.players(office.players["ann"], 5)
    assert [one.name for one in both] == ["ann", "Zoë the Ännchen"]
    assert len({(one.account_id, one.banned_until) for one in both}) == 1
    with pytest.raises(NotFound):
        await office.records.players("0" * 20, 5)


async def test_the_log_is_read_page_by_page_and_by_who_what_and_whom(office: Office) -> None:
    for number in range(6):
        await office.impose(("mia", "max")[number % 2], "mute", "ann")
        office.clock.forward(1)
    await office.impose("mia", "ban", "bob")
    first = await office.records.log(None, 4)
    rest = await office.records.log(first[-1]["id"], 10)
    assert [one["at"] for one in first + rest] == sorted(
        (one["at"] for one in first + rest), reverse=True
    )
    assert (len(first), len(rest)) == (4, 3)
    assert len(await office.logged(by=office.ids["max"])) == 3
    assert await office.logged(whom=office.ids["bob"]) == [("mia", "ban", "bob")]
    assert len(await office.logged(action="mute", by=office.ids["mia"])) == 3


async def test_what_was_there_before_the_migration_is_found_after_it(office: Office) -> None:
    old = {"_id": "a" * 20, "message": {"from": {"id": "x"}}, "reporter": {}, "reason": "r"}
    await office.documents.call("reports", "insert_one", {**old, "reported_at": 1})
    await office.documents.call("characters", "update_many", {}, {"$unset": {"name_lower": 1}})
    await m0007_moderation.run(office.documents)
    await m0007_moderation.run(office.documents)
    assert [one["id"] for one in await office.moderation.reports.page("open", "", 9)] == ["a" * 20]
    assert [one.name for one in await office.records.search("bo", 9)] == ["bob"]
