"""Accounts, characters and sign-ins, on both drivers, from two nodes at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from argon2 import PasswordHasher

from config.sections import Auth
from config.settings import Settings, SettingsError
from game import names
from game.errors import Banned, Conflict, GameError, NotFound, Unauthenticated
from state import passwords
from state.accounts import Account, Accounts, SignIn, Spent
from state.documents import DocumentStore
from tests.contract.accounts_kit import CHEAP, NOON, PHRASE, Clock, second_documents
from tests.fixtures import Stores

SETTINGS = Settings(auth=Auth(characters_per_account=5, refresh_seconds=86_400))


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", CHEAP)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def accounts(documents: DocumentStore, clock: Clock) -> Accounts:
    here = Accounts(documents, SETTINGS, clock)
    await here.prepare()
    return here


@pytest.fixture
async def nodes(
    accounts: Accounts, stores: Stores, clock: Clock, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Accounts, Accounts]]:
    async with second_documents(stores, request) as documents:
        there = Accounts(documents, SETTINGS, clock)
        await there.prepare()
        yield accounts, there


async def race(
    nodes: tuple[Accounts, Accounts], times: int, call: Callable[[Accounts], Awaitable[Any]]
) -> tuple[list[Any], list[GameError]]:
    """Answers and refusals of that many parallel calls, half of them on each node."""
    calls = (call(nodes[number % 2]) for number in range(times))
    done = await asyncio.gather(*calls, return_exceptions=True)
    refused = [one for one in done if isinstance(one, GameError)]
    answers = [one for one in done if not isinstance(one, BaseException)]
    assert len(refused) + len(answers) == times
    return answers, refused


async def ban(documents: DocumentStore, account: Account, until: int) -> None:
    update = {"$set": {"banned_until": until}}
    await documents.call("accounts", "update_one", {"_id": account.id}, update)


# Accounts


async def test_a_guest_has_no_user_name_and_a_numbered_character(accounts: Accounts) -> None:
    account, character = await accounts.create_guest(None)
    assert (account.username, account.role) == (None, "player")
    assert character.name.startswith("Guest-")
    assert await accounts.player(character.id) == character
    assert await accounts.account(account.id) == account


async def test_many_guests_live_beside_each_other(nodes: tuple[Accounts, Accounts]) -> None:
    made, refused = await race(nodes, 20, lambda node: node.create_guest("Ann"))
    assert refused == []
    assert len({account.id for account, _ in made}) == 20
    assert {character.name for _, character in made} == {"Ann"}


async def test_whoever_registers_signs_in_with_the_name_in_any_case(accounts: Accounts) -> None:
    account, character = await accounts.register("Ann.B", PHRASE)
    assert character.name == "Ann.B"
    assert await accounts.verify_login("aNN.b", PHRASE) == account


async def test_a_long_user_name_is_cut_for_its_character(accounts: Accounts) -> None:
    _, character = await accounts.register("x" * names.USERNAME_CHARS, PHRASE)
    assert character.name == "x" * names.DISPLAY_CHARS


async def test_of_parallel_registrations_of_a_name_one_wins(
    nodes: tuple[Accounts, Accounts], documents: DocumentStore
) -> None:
    made, refused = await race(nodes, 20, lambda node: node.register("Ann", PHRASE))
    assert len(made) == 1
    assert {type(error) for error in refused} == {Conflict}
    assert await documents.call("accounts", "count_documents", {}) == 1
    assert await documents.call("characters", "count_documents", {}) == 1


async def test_a_name_is_taken_in_whatever_case(accounts: Accounts) -> None:
    await accounts.register("Ann", PHRASE)
    with pytest.raises(Conflict):
        await accounts.register("ANN", PHRASE)


async def test_a_wrong_password_and_an_unknown_name_are_told_alike(accounts: Accounts) -> None:
    await accounts.register("Ann", PHRASE)
    with pytest.raises(Unauthenticated) as wrong:
        await accounts.verify_login("Ann", PHRASE + "!")
    with pytest.raises(Unauthenticated) as unknown:
        await accounts.verify_login("Bob", PHRASE)
    assert wrong.value.detail == unknown.value.detail


async def test_no_password_is_stored_as_it_is(accounts: Accounts, documents: DocumentStore) -> None:
    await accounts.register("Ann", PHRASE)
    stored = await documents.call("accounts", "find_one", {"username": "Ann"})
    assert PHRASE not in str(stored)
    assert stored["password"].startswith("$argon2id$")


async def test_a_hash_of_older_parameters_is_renewed_at_sign_in(
    accounts: Accounts, documents: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts.register("Ann", PHRASE)
    today = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", today)
    await accounts.verify_login("Ann", PHRASE)
    stored = await documents.call("accounts", "find_one", {"username": "Ann"})
    assert not today.check_needs_rehash(stored["password"])
    await accounts.verify_login("Ann", PHRASE)


async def test_a_ban_ends_at_its_time(
    accounts: Accounts, documents: DocumentStore, clock: Clock
) -> None:
    account, _ = await accounts.create_guest(None)
    account.refuse_banned(clock())
    await ban(documents, account, until=NOON + 90_000)
    banned = await accounts.account(account.id)
    with pytest.raises(Banned) as caught:
        banned.refuse_banned(clock())
    assert caught.value.retry_after == 90
    banned.refuse_banned(NOON + 90_000)


async def test_unknown_accounts_and_players_are_not_found(accounts: Accounts) -> None:
    with pytest.raises(NotFound):
        await accounts.account("nobody")
    with pytest.raises(NotFound):
        await accounts.player("nobody")


# The administrator of the settings


async def test_nodes_that_start_at_once_make_one_administrator(
    nodes: tuple[Accounts, Accounts], documents: DocumentStore
) -> None:
    _, refused = await race(nodes, 8, lambda node: node.ensure_admin("root", PHRASE))
    assert refused == []
    assert await documents.call("accounts", "count_documents", {}) == 1
    assert (await nodes[1].verify_login("root", PHRASE)).role == "admin"


async def test_a_new_password_of_the_administrator_ends_his_sign_ins(
    nodes: tuple[Accounts, Accounts],
) -> None:
    here, there = nodes
    await here.ensure_admin("root", PHRASE)
    sign_in = await here.sign_in(await here.verify_login("root", PHRASE))
    assert await there.ensure_admin("root", PHRASE) == []
    assert await there.ensure_admin("root", "another horse") == [sign_in.family]
    assert await here.rotate(sign_in.refresh_token) == Spent(sign_in.family)
    assert (await here.verify_login("root", "another horse")).role == "admin"
    with pytest.raises(Unauthenticated):
        await here.verify_login("root", PHRASE)


async def test_a_player_is_never_made_the_administrator(accounts: Accounts) -> None:
    await accounts.register("root", PHRASE)
    with pytest.raises(SettingsError, match="SHOWDOWN_ADMIN__USERNAME"):
        await accounts.ensure_admin("root", "another horse")
    assert (await accounts.verify_login("root", PHRASE)).role == "player"


@pytest.mark.parametrize(
    ("username", "password", "named"),
    [("r", PHRASE, "SHOWDOWN_ADMIN__USERNAME"), ("root", "short", "SHOWDOWN_ADMIN__PASSWORD")],
)
async def test_a_wrong_setting_of_the_administrator_is_named(
    accounts: Accounts, username: str, password: str, named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        await accounts.ensure_admin(username, password)


# Characters


async def test_parallel_calls_add_no_more_characters_than_an_account_may_have(
    nodes: tuple[Accounts, Accounts],
) -> None:
    account, first = await nodes[0].create_guest("Ann")
    made, refused = await race(nodes, 30, lambda node: node.add_character(account.id, "Bob"))
    assert len(made) == 4
    assert {type(error) for error in refused} == {Conflict}
    listed = await nodes[1].characters(account.id)
    assert listed[0] == first
    assert {one.id for one in listed[1:]} == {one.id for one in made}


async def test_an_account_plays_as_its_own_characters_only(accounts: Accounts) -> None:
    ann, anns = await accounts.create_guest("Ann")
    _, bobs = await accounts.create_guest("Bob")
    second = await accounts.add_character(ann.id, "Ann the Second")
    assert await accounts.character_of(ann.id, None) == anns
    assert await accounts.character_of(ann.id, second.id) == second
    for stranger in (bobs.id, "nobody"):
        with pytest.raises(NotFound):
            await accounts.character_of(ann.id, stranger)


async def test_an_account_left_without_a_character_by_a_crash_gets_one_at_sign_in(
    nodes: tuple[Accounts, Accounts], documents: DocumentStore
) -> None:
    account, _ = await nodes[0].register("Ann", PHRASE)
    await documents.call("characters", "delete_many", {})
    made, refused = await race(nodes, 20, lambda node: node.first_character(account))
    assert refused == []
    assert len({character.id for character in made}) == 1
    assert await nodes[0].characters(account.id) == made[:1]


# Sign-ins


async def signed_in(accounts: Accounts) -> SignIn:
    account, _ = await accounts.create_guest(None)
    return await accounts.sign_in(account)


async def test_a_refresh_token_is_spent_for_a_new_one_of_the_same_sign_in(
    nodes: tuple[Accounts, Accounts],
) -> None:
    first = await signed_in(nodes[0])
    second = await nodes[1].rotate(first.refresh_token)
    assert isinstance(second, SignIn)
    assert (second.family, second.account) == (first.family, first.account)
    assert second.refresh_token != first.refresh_token
    assert isinstance(await nodes[0].rotate(second.refresh_token), SignIn)


async def test_a_spent_refresh_token_ends_the_sign_in(nodes: tuple[Accounts, Accounts]) -> None:
    first = await signed_in(nodes[0])
    second = await nodes[0].rotate(first.refresh_token)
    assert isinstance(second, SignIn)
    assert await nodes[1].rotate(first.refresh_token) == Spent(first.family)
    assert await nodes[1].rotate(second.refresh_token) == Spent(first.family)


@pytest.mark.parametrize("times", [2, 30])
async def test_of_parallel_uses_of_a_refresh_token_one_wins_and_the_sign_in_ends(
    nodes: tuple[Accounts, Accounts], times: int
) -> None:
    first = await signed_in(nodes[0])
    answers, refused = await race(nodes, times, lambda node: node.rotate(first.refresh_token))
    assert refused == []
    won = [answer for answer in answers if isinstance(answer, SignIn)]
    assert len(won) == 1
    assert await nodes[0].rotate(won[0].refresh_token) == Spent(first.family)


async def test_a_sign_in_revoked_refreshes_no_more(nodes: tuple[Accounts, Accounts]) -> None:
    first = await signed_in(nodes[0])
    await nodes[1].revoke(first.family)
    assert await nodes[0].rotate(first.refresh_token) == Spent(first.family)


async def test_a_refresh_token_ends_at_its_time_and_each_rotation_starts_it_anew(
    accounts: Accounts, clock: Clock
) -> None:
    first = await signed_in(accounts)
    clock.forward(86_399)
    second = await accounts.rotate(first.refresh_token)
    assert isinstance(second, SignIn)
    clock.forward(86_399)
    third = await accounts.rotate(second.refresh_token)
    assert isinstance(third, SignIn)
    clock.forward(86_400)
    with pytest.raises(Unauthenticated):
        await accounts.rotate(third.refresh_token)


@pytest.mark.parametrize("token", ["", ".", "nobody.secret", "no dot", "\u0000.\u0000", "$ne.x"])
async def test_what_is_no_refresh_token_is_refused(accounts: Accounts, token: str) -> None:
    await signed_in(accounts)
    with pytest.raises(Unauthenticated):
        await accounts.rotate(token)


async def test_a_banned_account_keeps_its_refresh_token_for_after_the_ban(
    accounts: Accounts, documents: DocumentStore, clock: Clock
) -> None:
    first = await signed_in(accounts)
    await ban(documents, first.account, until=NOON + 1_000)
    with pytest.raises(Banned):
        await accounts.rotate(first.refresh_token)
    clock.forward(1)
    assert isinstance(await accounts.rotate(first.refresh_token), SignIn)


async def test_no_refresh_token_is_stored_as_it_is(
    accounts: Accounts, documents: DocumentStore
) -> None:
    first = await signed_in(accounts)
    stored = await documents.call("families", "find_one", {"_id": first.family})
    assert first.refresh_token.partition(".")[2] not in str(stored)
