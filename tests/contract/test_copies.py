"""Copies in Redis of what MongoDB says: never behind it, whoever reads and writes at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from config.sections import Auth, Redis, Social
from config.settings import Settings
from game import friends as rules
from game.errors import NotFound, TokenRevoked, Unauthenticated
from state import copies as marks
from state import passwords
from state.accounts import Account, Accounts, Character, Spent
from state.connect import RedisStore
from state.copies import Copies, key_of, of_account, of_requests
from state.deletions import Deletions
from state.documents import DocumentStore, Transaction
from state.entrance import Entrance
from state.friends import Friends
from state.moderation import Moderation
from state.profiles import Profiles
from state.tokens import Claims, Tokens
from tests.contract.accounts_kit import CHEAP, Clock, second_documents
from tests.fixtures import Stores

SETTINGS = Settings(auth=Auth(rename_seconds=0))
KEPT = 600

Ask = Callable[[Copies, str, Callable[[], Awaitable[Any]]], Awaitable[Any]]


async def get(copies: Copies, name: str, read: Callable[[], Awaitable[Any]]) -> Any:
    """What a connection is told."""
    return await copies.use(await copies._redis.call("GET", key_of(name)), name, read)


@dataclass
class Node:
    """What one process has of the front door."""

    documents: DocumentStore
    accounts: Accounts
    tokens: Tokens
    entrance: Entrance
    profiles: Profiles
    moderation: Moderation
    deletions: Deletions
    friends: Friends

    @classmethod
    def on(cls, documents: DocumentStore, redis: RedisStore, clock: Clock) -> Node:
        documents.copies = Copies(redis, KEPT)
        accounts = Accounts(documents, SETTINGS, clock)
        friends = Friends(documents, Social(), clock)
        tokens = Tokens(redis, SecretStr("s" * 32), SETTINGS, clock)
        return cls(
            documents=documents,
            accounts=accounts,
            tokens=tokens,
            entrance=Entrance(accounts, friends, tokens, documents.copies),
            profiles=Profiles(documents, accounts, SETTINGS, clock),
            moderation=Moderation.build(documents, clock),
            deletions=Deletions(documents, 0, clock),
            friends=friends,
        )


@dataclass
class Front:
    """Two nodes, a clock, and a player who signed in."""

    here: Node
    there: Node
    redis: RedisStore
    account: Account
    player: Character
    admin: str
    claims: Claims

    async def requests(self, player_id: str) -> int:
        """How many wait for his answer, as a connection is told."""
        friends = self.there.friends
        (kept,) = await self.redis.ask([friends.ask_requests(player_id)])
        return await friends.requests(player_id, kept)

    async def seen(self, node: Node | None = None) -> tuple[Account, Character]:
        """What a connection is told of the player now."""
        node = node or self.there
        entry = await node.entrance.enter(self.claims)
        return entry.account, await node.entrance.character(entry, None)

    async def is_kept(self) -> bool:
        found = await self.redis.call("GET", key_of(of_account(self.account.id)))
        return bool(found and found.startswith("{"))


@pytest.fixture
async def front(
    documents: DocumentStore,
    redis: RedisStore,
    stores: Stores,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Front]:
    monkeypatch.setattr(passwords, "HASHER", CHEAP)
    clock = Clock()
    async with AsyncExitStack() as stack:
        others = await stack.enter_async_context(second_documents(stores, request))
        here, there = Node.on(documents, redis, clock), Node.on(others, redis, clock)
        await here.accounts.prepare()
        account, player = await here.accounts.create_guest("ann")
        await here.accounts.ensure_admin("overseer", "correct horse")
        admin = await here.accounts.verify_login("overseer", "correct horse")
        claims = here.tokens.read(here.tokens.issue(account, "family")[0])
        yield Front(here, there, redis, account, player, admin.id, claims)


async def test_what_was_read_once_is_not_read_again_but_a_revocation_is(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await front.seen(front.here)
    assert first == (front.account, front.player)
    assert await front.is_kept()

    def never(*_: object, **__: object) -> Any:
        raise AssertionError

    monkeypatch.setattr(DocumentStore, "call", never)
    monkeypatch.setattr(DocumentStore, "find", never)
    assert await front.seen() == first
    ttl = await front.redis.call("TTL", key_of(of_account(front.account.id)))
    assert 0 < ttl <= KEPT
    await front.here.tokens.revoke("family")
    with pytest.raises(TokenRevoked):
        await front.seen()


async def test_a_new_account_comes_in_without_a_question_and_no_change_is_overlooked(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    await front.here.entrance.expect(front.account, front.player)

    def never(*_: object, **__: object) -> Any:
        raise AssertionError

    with monkeypatch.context() as patched:
        for name in ("call", "find"):
            patched.setattr(front.there.documents, name, never)
        assert await front.seen() == (front.account, front.player)
        assert await front.requests(front.player.id) == 0
    renamed = await front.here.profiles.rename(front.account.id, front.player.id, "anna")
    # Who stood still since the account was new does not bring the old name back.
    await front.here.entrance.expect(front.account, front.player)
    assert (await front.seen())[1] == renamed


async def test_who_signs_in_again_comes_in_without_a_question_for_as_long_as_his_token_lives(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [key_of(of_account(front.account.id)), key_of(of_requests(front.player.id))]
    entrance = front.here.entrance
    signed_in, _ = await entrance.sign_in(front.account)
    for left in (None, 1):  # seconds of the former copies, if there are some
        for key in keys:
            await front.redis.call(*(("DEL", key) if left is None else ("EXPIRE", key, left)))
        renewed = await entrance.refresh(signed_in.refresh_token)
        assert not isinstance(renewed, Spent)
        signed_in, player = renewed
        assert (signed_in.account, player) == (front.account, front.player)
        assert all([KEPT - 2 <= await front.redis.call("TTL", key) <= KEPT for key in keys])

    def never(*_: object, **__: object) -> Any:
        raise AssertionError

    with monkeypatch.context() as patched:
        for name in ("call", "find"):
            patched.setattr(front.there.documents, name, never)
        assert await front.seen() == (front.account, front.player)
        assert await front.requests(front.player.id) == 0
    # What has just been changed is marked, and who makes copies leaves the mark alone.
    await front.here.friends.change("bob", front.player.id, rules.add)
    renamed = await front.here.profiles.rename(front.account.id, front.player.id, "anna")
    assert (await entrance.sign_in(front.account))[1] == renamed
    assert {await front.redis.call("GET", key) for key in keys} == {marks.SPOILED}
    assert await front.requests(front.player.id) == 1


async def test_who_signs_in_as_his_account_is_deleted_or_was_never_done_is_told_the_truth(
    front: Front,
) -> None:
    whose = {"_id": front.player.id}
    await front.here.documents.call("characters", "delete_one", whose, hint="_id_")
    signed_in, made = await front.here.entrance.sign_in(front.account)
    assert made.id != front.player.id
    assert made == (await front.seen())[1]
    await front.here.deletions.begin(front.account.id, signed_in.family)
    with pytest.raises(Unauthenticated):
        await front.there.entrance.refresh(signed_in.refresh_token)


async def test_every_change_is_seen_by_the_next_connection_on_another_node(front: Front) -> None:
    here, account, player = front.here, front.account, front.player
    actions = here.moderation.actions
    changes: dict[str, Callable[[], Awaitable[object]]] = {
        "name": lambda: here.profiles.rename(account.id, player.id, "anna"),
        "username": lambda: here.profiles.register(account.id, "ann", "correct horse"),
        "muted": lambda: actions.impose(front.admin, "mute", player.id, 60, "rude"),
        "unmuted": lambda: actions.lift(front.admin, "mute", player.id, "sorry"),
        "banned": lambda: actions.impose(front.admin, "ban", player.id, 60, "rude"),
        "unbanned": lambda: actions.lift(front.admin, "ban", player.id, "sorry"),
        "role": lambda: actions.appoint(front.admin, account.id, "moderator", "trusted", None),
    }
    for change in changes.values():
        before = await front.seen()
        assert await front.is_kept()
        await change()
        after = await front.seen()
        assert after != before
        assert after == (
            await here.accounts.account(account.id),
            await here.accounts.player(player.id),
        )
        assert not await front.is_kept()
        await front.redis.call("DEL", key_of(of_account(account.id)))  # as after two minutes
    await front.seen()
    assert await front.is_kept()
    await front.redis.call("DEL", key_of(of_account(account.id)))
    await _a_writer_that_died_before_or_after_its_commit_leaves_no_old_copy(front)
    found = await here.accounts.sign_in(account)
    await here.deletions.begin(account.id, found.family)
    with pytest.raises(NotFound):
        await front.seen()


async def _a_new_character_can_be_played_at_once(front: Front) -> None:
    second = await front.here.accounts.add_character(front.account.id, "bea")
    entry = await front.there.entrance.enter(front.claims)
    assert await front.there.entrance.character(entry, second.id) == second
    assert await front.there.entrance.character(entry, front.player.id) == front.player
    with pytest.raises(NotFound):
        await front.there.entrance.character(entry, "nobody")


async def test_new_characters_and_friends_who_ask_are_seen_at_once(front: Front) -> None:
    await front.seen()
    await _a_new_character_can_be_played_at_once(front)
    ann, here = front.player.id, front.here.friends
    assert [await front.requests(one) for one in (ann, "bob")] == [0, 0]
    for asked, rule in ((1, rules.add), (0, rules.remove)):
        await here.change("bob", ann, rule)
        assert await front.requests(ann) == asked
        await front.redis.call("DEL", key_of(of_requests(ann)))
        assert [await front.requests(ann) for _ in range(2)] == [asked] * 2


@pytest.mark.parametrize("ask", [get, Copies.renew])
async def test_a_reader_that_was_overtaken_keeps_nothing(redis: RedisStore, ask: Ask) -> None:
    copies = Copies(redis, KEPT)

    async def overtaken() -> str:
        await copies.spoil("account:ann")
        return "old"

    assert await ask(copies, "account:ann", overtaken) == "old"
    assert await ask(copies, "account:ann", _says("new")) == "new"
    assert await redis.call("GET", key_of("account:ann")) == marks.SPOILED


@pytest.mark.parametrize("ask", [get, Copies.renew])
async def test_a_reader_that_stood_still_keeps_nothing(redis: RedisStore, ask: Ask) -> None:
    """His mark expired, the original was changed, its mark expired too, and another reads."""
    copies, key = Copies(redis, KEPT), key_of("account:ann")

    async def stood_still() -> str:
        await redis.call("DEL", key)
        assert await ask(copies, "account:ann", _says("new")) == "new"
        return "old"

    assert await ask(copies, "account:ann", stood_still) == "old"
    assert await get(copies, "account:ann", _says("not read")) == "new"

    async def beside_another() -> str:
        await redis.call("DEL", key)
        await redis.call("SET", key, marks.READING + "his mark")
        return "old"

    await redis.call("DEL", key)
    assert await ask(copies, "account:ann", beside_another) == "old"
    assert await redis.call("GET", key) == marks.READING + "his mark"


async def test_a_renewed_copy_is_never_an_older_one_and_nobody_waits_for_it(
    redis: RedisStore,
) -> None:
    copies, key = Copies(redis, KEPT), key_of("account:ann")
    assert await get(copies, "account:ann", _says("old")) == "old"

    async def meanwhile() -> str:
        assert await get(copies, "account:ann", _says("read")) == "read"
        assert await copies.renew("account:ann", _says("also read")) == "also read"
        return "new"

    assert await copies.renew("account:ann", meanwhile) == "new"
    assert await get(copies, "account:ann", _says("not read")) == "new"
    assert await redis.call("TTL", key) > marks.READING_SECONDS
    away = Copies(RedisStore("redis://127.0.0.1:1/0", Redis()), KEPT)
    assert await away.renew("account:ann", _says("new")) == "new"


async def _a_writer_that_died_before_or_after_its_commit_leaves_no_old_copy(front: Front) -> None:
    """It is killed right after the mark, or right after the write: nothing more comes of it."""
    account, player = front.account, front.player
    before = await front.seen()

    async def work(tx: Transaction) -> None:
        await tx.spoil(of_account(account.id))
        renamed = {"$set": {"name": "bella"}}
        await tx.call("characters", "update_one", {"_id": player.id}, renamed, hint="_id_")

    class KilledError(Exception):
        pass

    async def killed(tx: Transaction) -> None:
        await work(tx)
        raise KilledError

    with pytest.raises(KilledError):
        await front.here.documents.transaction(killed)
    assert await front.seen() == before
    await front.redis.call("DEL", key_of(of_account(account.id)))
    await front.seen()
    await front.here.documents.transaction(work)  # and dies
    assert (await front.seen())[1].name == "bella"
    assert marks.SPOILED_SECONDS > 60  # that a transaction may live, in MongoDB and SecantusDB


async def test_no_reader_is_behind_a_change_that_was_done_before_he_began(front: Front) -> None:
    """Names that only grow, from both nodes, while both read all the time; marks come and go."""
    done, last = 0, 40
    seen: list[int] = []

    async def write() -> None:
        nonlocal done
        for number in range(1, last + 1):
            node = (front.here, front.there)[number % 2]
            await node.profiles.rename(front.account.id, front.player.id, f"ann {number}")
            done = number
            if number % 4 == 0:  # the mark of the change expires, and copies are made
                await front.redis.call("DEL", key_of(of_account(front.account.id)))
                await asyncio.sleep(random.uniform(0, 0.01))

    async def read(node: Node) -> None:
        while done < last:
            known = done
            _, player = await front.seen(node)
            number = int(player.name.removeprefix("ann") or 0)
            assert number >= known
            seen.append(number)

    async def renew(node: Node) -> None:
        while done < last:
            known = done
            _, player = await node.entrance.sign_in(front.account)
            assert int(player.name.removeprefix("ann") or 0) >= known

    readers = [read(node) for node in (front.here, front.there) for _ in range(4)]
    readers += [renew(node) for node in (front.here, front.there)]
    await asyncio.gather(write(), *readers)
    assert len(seen) > last


def _says(what: str) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        return what

    return read
