"""Deletions: begun in one step, lent to one node at a time, and what they do to chat."""

from __future__ import annotations

import pytest

from config.settings import Settings
from game.chat import NOBODY, Author, MessageId
from game.errors import Forbidden
from state import messages
from state.accounts import Accounts
from state.belongings import Belongings
from state.connect import RedisStore
from state.deletions import AGAIN_MS, LEASE_MS, Deletions
from state.documents import DocumentStore
from tests.contract.accounts_kit import Clock
from tests.contract.chat_kit import Lobby, small
from tests.contract.economy_kit import new_ledger

ROOM = "room:end"
ANN, BOB = Author(id="a" * 20, name='A"nn \\ é'), Author(id="b" * 20, name="Bob")
FRESH_MS = 300_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_a_deletion_is_lent_until_it_was_gone_over_twice(
    documents: DocumentStore, clock: Clock
) -> None:
    await new_ledger(documents, clock)
    accounts = Accounts(documents, Settings(), clock)
    deletions, elsewhere = (Deletions(documents, FRESH_MS, clock) for _ in range(2))
    account, character = await accounts.create_guest("ann")
    await accounts.sign_in(account)
    for node in (deletions, elsewhere):
        await node.begin(account.id, "whatever")
    late = await accounts.add_character(account.id, "late")
    (lent,) = await deletions.due()
    assert set(lent.players) == {character.id, late.id}
    assert await elsewhere.due() == []
    clock.forward(LEASE_MS / 1000)  # the node died in its pass
    (again,) = await elsewhere.due()
    assert again == lent
    await elsewhere.passed(again)
    assert await accounts.names([character.id, late.id]) == {}
    assert await deletions.families(account.id) == []
    assert await deletions.due() == []
    clock.forward(AGAIN_MS / 1000)
    (second,) = await deletions.due()
    assert (second.passes, set(second.players)) == (1, set(lent.players))
    await deletions.passed(second)
    clock.forward(AGAIN_MS / 1000)
    assert await deletions.due() == []
    assert await documents.call("deletions", "find_one", {}) is None


async def test_an_account_with_a_password_is_deleted_by_a_new_sign_in_only(
    documents: DocumentStore, clock: Clock
) -> None:
    await new_ledger(documents, clock)
    accounts = Accounts(documents, Settings(), clock)
    await accounts.prepare()
    account, _ = await accounts.register("ann", "correct horse")
    deletions = Deletions(documents, FRESH_MS, clock)
    old = await accounts.sign_in(account)
    clock.forward(FRESH_MS / 1000 + 1)
    for family in (old.family, "none"):
        with pytest.raises(Forbidden):
            await deletions.begin(account.id, family)
    await accounts.ensure_admin("overseer", "correct horse")
    overseer = await accounts.verify_login("overseer", "correct horse")
    with pytest.raises(Forbidden):
        await deletions.begin(overseer.id, (await accounts.sign_in(overseer)).family)
    assert await deletions.due() == []
    await deletions.begin(account.id, (await accounts.sign_in(account)).family)
    assert len(await deletions.due()) == 1


async def test_another_author_stands_over_the_same_messages_in_stream_and_archive(
    redis: RedisStore, documents: DocumentStore, clock: Clock
) -> None:
    ledger = await new_ledger(documents, clock)
    lobby = Lobby(redis, documents, small())
    for number in range(4):
        for author in (ANN, BOB):
            await lobby.chat.send(ROOM, author, f'no "{number}" \\ é 🂡')
    await lobby.archive.archive_once()
    before = (await lobby.archive.history(ROOM, None, 50)).messages
    ttl = await redis.call("PTTL", messages.stream(ROOM))
    belongings = Belongings(documents, redis, ledger)
    for _ in range(2):
        await belongings.unsign(ANN["id"])
    after = (await lobby.archive.history(ROOM, None, 50)).messages
    assert after == [{**one, "from": NOBODY} if one["from"] == ANN else one for one in before]
    assert 0 < await redis.call("PTTL", messages.stream(ROOM)) <= ttl
    sent = await lobby.chat.send(ROOM, BOB, "next")
    last = MessageId.parse((await lobby.archive.history(ROOM, None, 1)).messages[0]["id"])
    assert sent.message["id"] == str(last)  # type: ignore[union-attr]
    archived = documents.each("messages", {"from.id": ANN["id"]}, sort=[("_id", 1)])
    assert [one async for one in archived] == []
