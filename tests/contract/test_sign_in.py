"""The handlers of accounts, on real stores: what clients get, and what ends their sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest
from pydantic import SecretStr, ValidationError

from config.sections import Auth, Limits, Redis
from config.settings import Settings
from game import rooms
from game.disconnects import Disconnect
from game.errors import (
    Banned,
    Conflict,
    DependencyUnavailable,
    GameError,
    RateLimited,
    TokenRevoked,
    Unauthenticated,
    ValidationFailed,
)
from handlers import accounts as handlers
from handlers.accounts import Credentials, Guest, NewAccount, NewCharacter, Refresh, TokenAnswer
from handlers.base import Caller, Context, World
from handlers.payloads import Nothing
from handlers.registry import Route
from state import passwords
from state.accounts import Accounts
from state.connect import RedisStore
from state.copies import Copies
from state.documents import DocumentStore
from state.economy import Economy
from state.entrance import Entrance
from state.friends import Friends
from state.ledger import Posting
from state.profiles import Profiles
from state.rates import Rates
from state.tokens import Claims, Tokens
from tests.contract.accounts_kit import CHEAP, NOON, PHRASE, Clock, second_documents
from tests.fixtures import Stores

SETTINGS = Settings(
    auth=Auth(login_failures=5, lock_seconds=60, access_seconds=900, characters_per_account=2),
    limits=Limits(auth_per_minute=20),
)
HOME, SCHOOL = "192.0.2.1", "2001:db8::1"
ANN = NewAccount(username="Ann", password=PHRASE)
WRONG = Credentials(username="ann", password=PHRASE + "!")


class Closing:
    """Notes which rooms are told to close; it never sends anything."""

    def __init__(self) -> None:
        self.closed: list[tuple[str, Disconnect]] = []

    async def close(self, room: str, code: Disconnect) -> None:
        self.closed.append((room, code))


class Node:
    """One process, as far as signing in goes."""

    def __init__(self, redis: RedisStore, documents: DocumentStore, clock: Clock) -> None:
        elsewhere: Any = None
        self.publisher = Closing()
        self.told: list[tuple[str, str]] = []
        self.accounts = Accounts(documents, SETTINGS, clock)
        self.tokens = Tokens(redis, SecretStr("s" * 32), SETTINGS, clock)
        friends = Friends(documents, SETTINGS.social, clock)
        self.world = World(
            settings=SETTINGS,
            now=clock,
            accounts=self.accounts,
            profiles=Profiles(documents, self.accounts, SETTINGS, clock),
            tokens=self.tokens,
            entrance=Entrance(self.accounts, friends, self.tokens, Copies(redis, 60)),
            rates=Rates(redis, SETTINGS),
            live=elsewhere,
            chat=elsewhere,
            archive=elsewhere,
            duels=elsewhere,
            friends=friends,
            economy=Economy.build(documents, elsewhere, SETTINGS, clock),
            outbound=elsewhere,
            ways=elsewhere,
            moderation=elsewhere,
            operations=elsewhere,
            ladder=elsewhere,
            belongings=elsewhere,
            deletions=elsewhere,
            publisher=cast("Any", self.publisher),
            jobs=elsewhere,
            schedules=elsewhere,
            upkeep=elsewhere,
            reactions=self._react,
        )

    async def _react(self, _: World, postings: Sequence[Posting]) -> None:
        self.told += [(posting.reason, posting.ref) for posting in postings]

    def anyone(self, address: str = HOME) -> Context:
        return Context(self.world, address)

    async def caller(self, answer: TokenAnswer) -> Context:
        """Whoever holds the answer's access token.

        Raises:
            TokenRevoked: the token is good no more.
        """
        claims = self.tokens.read(answer["access_token"])
        await self.tokens.check(claims)
        return Context(self.world, HOME, signed_in=_caller(claims))

    async def refresh(self, refresh_token: str) -> TokenAnswer:
        cmd = Refresh(refresh_token=refresh_token)
        return cast("TokenAnswer", await handlers.refresh(cmd, self.anyone()))


def _caller(claims: Claims) -> Caller:
    return Caller(claims.account_id, claims.role, claims.family, claims.token_id, claims.expires_at)


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", CHEAP)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def node(redis: RedisStore, documents: DocumentStore, clock: Clock) -> Node:
    here = Node(redis, documents, clock)
    await here.accounts.prepare()
    return here


@pytest.fixture
async def other(
    stores: Stores, clock: Clock, request: pytest.FixtureRequest
) -> AsyncIterator[Node]:
    async with (
        RedisStore(stores.redis_url, Redis()) as redis,
        second_documents(stores, request) as documents,
    ):
        yield Node(redis, documents, clock)


async def guest(node: Node, name: str | None = None) -> TokenAnswer:
    return cast("TokenAnswer", await handlers.guest(Guest(name=name), node.anyone()))


# Who comes in


async def test_a_guest_gets_the_token_answer(node: Node) -> None:
    answer = await guest(node, "  Zoe\u0308 ")
    assert set(answer) == {
        "account",
        "character",
        "access_token",
        "refresh_token",
        "token_type",
        "expires_in",
    }
    assert answer["account"] == {
        "id": answer["account"]["id"],
        "username": None,
        "role": "player",
    }
    assert answer["character"]["name"] == "Zoë"
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
    claims = node.tokens.read(answer["access_token"])
    assert claims.account_id == answer["account"]["id"]
    assert claims.expires_at == NOON + 900_000


async def test_what_is_in_a_new_wallet_is_told_before_anybody_connects(node: Node) -> None:
    made = await guest(node)
    assert node.told == [("start", made["character"]["id"])]


async def test_a_guest_without_a_name_is_numbered(node: Node) -> None:
    assert (await guest(node))["character"]["name"].startswith("Guest-")


async def test_whoever_registered_signs_in_from_another_node(node: Node, other: Node) -> None:
    made = await handlers.register(ANN, node.anyone())
    again = await handlers.login(ANN, other.anyone())
    assert made["account"]["username"] == "Ann"
    assert (again["account"], again["character"]) == (made["account"], made["character"])
    assert again["refresh_token"] != made["refresh_token"]


async def test_a_taken_name_is_a_conflict(node: Node) -> None:
    await handlers.register(ANN, node.anyone())
    with pytest.raises(Conflict):
        await handlers.register(ANN, node.anyone())


@pytest.mark.parametrize(
    ("username", "password", "field"),
    [("a n n", PHRASE, "username"), ("Ann", "short", "password")],
)
async def test_a_wrong_field_is_named(node: Node, username: str, password: str, field: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        await handlers.register(NewAccount(username=username, password=password), node.anyone())
    assert [problem["field"] for problem in caught.value.errors] == [field]
    with pytest.raises(ValidationFailed):
        await guest(node, "\u202eevil")


def test_no_endless_password_is_hashed() -> None:
    with pytest.raises(ValidationError):
        Credentials(username="Ann", password="x" * 129)


async def test_a_wrong_password_and_an_unknown_name_get_one_answer(node: Node) -> None:
    await handlers.register(ANN, node.anyone())
    told = []
    for cmd in (WRONG, Credentials(username="Bob", password=PHRASE)):
        with pytest.raises(Unauthenticated) as caught:
            await handlers.login(cmd, node.anyone())
        told.append(caught.value.detail)
    assert told[0] == told[1]


async def test_five_wrong_passwords_lock_the_pair_even_for_the_right_one(node: Node) -> None:
    await handlers.register(ANN, node.anyone())
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await handlers.login(WRONG, node.anyone())
    with pytest.raises(RateLimited) as caught:
        await handlers.login(ANN, node.anyone())
    assert 0 < (caught.value.retry_after or 0) <= 60
    assert (await handlers.login(ANN, node.anyone(SCHOOL)))["account"]["username"] == "Ann"


async def test_parallel_wrong_passwords_are_checked_five_times(node: Node, other: Node) -> None:
    await handlers.register(ANN, node.anyone())
    calls = (handlers.login(WRONG, (node, other)[n % 2].anyone()) for n in range(18))
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in done].count(Unauthenticated) == 5
    assert [type(error) for error in done].count(RateLimited) == 13


async def test_a_right_password_starts_the_count_anew(node: Node) -> None:
    await handlers.register(ANN, node.anyone())
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(Unauthenticated):
                await handlers.login(WRONG, node.anyone())
        await handlers.login(ANN, node.anyone())


async def test_an_address_is_limited_over_all_ways_in(node: Node, other: Node) -> None:
    await handlers.register(ANN, node.anyone())
    calls = [guest((node, other)[n % 2]) for n in range(10)]
    calls += [handlers.login(ANN, other.anyone()) for _ in range(20)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    refused = [error for error in done if isinstance(error, BaseException)]
    assert len(done) - len(refused) <= 19
    assert {type(error) for error in refused} == {RateLimited}
    with pytest.raises(RateLimited):
        await handlers.register(NewAccount(username="Bob", password=PHRASE), node.anyone())


async def test_a_banned_account_neither_signs_in_nor_refreshes(
    node: Node, documents: DocumentStore, clock: Clock
) -> None:
    made = await handlers.register(ANN, node.anyone())
    update = {"$set": {"banned_until": NOON + 60_000}}
    await documents.call("accounts", "update_one", {"_id": made["account"]["id"]}, update)
    with pytest.raises(Banned):
        await handlers.login(ANN, node.anyone())
    with pytest.raises(Banned):
        await node.refresh(made["refresh_token"])
    with pytest.raises(Unauthenticated):  # the ban is told to the owner only
        await handlers.login(WRONG, node.anyone())
    clock.forward(60)
    await node.refresh(made["refresh_token"])


# Staying in


async def test_a_refresh_gives_a_pair_of_the_same_sign_in(node: Node, other: Node) -> None:
    first = await guest(node)
    second = await other.refresh(first["refresh_token"])
    assert second["character"] == first["character"]
    families = {node.tokens.read(one["access_token"]).family for one in (first, second)}
    assert len(families) == 1
    await other.caller(second)


async def test_a_refresh_token_used_again_ends_the_sign_in_and_its_sockets(
    node: Node, other: Node
) -> None:
    first = await guest(node)
    second = await node.refresh(first["refresh_token"])
    with pytest.raises(TokenRevoked):
        await other.refresh(first["refresh_token"])
    family = node.tokens.read(first["access_token"]).family
    assert other.publisher.closed == [(rooms.family(family), Disconnect.TOKEN_REVOKED)]
    for answer in (first, second):
        with pytest.raises(TokenRevoked):
            await node.caller(answer)
        with pytest.raises(TokenRevoked):
            await node.refresh(answer["refresh_token"])


async def test_of_parallel_refreshes_one_wins_and_the_sign_in_ends(node: Node, other: Node) -> None:
    first = await guest(node)
    calls = ((node, other)[n % 2].refresh(first["refresh_token"]) for n in range(20))
    done = await asyncio.gather(*calls, return_exceptions=True)
    won = [one for one in done if not isinstance(one, BaseException)]
    assert len(won) == 1
    assert {type(one) for one in done if isinstance(one, GameError)} == {TokenRevoked}
    with pytest.raises(TokenRevoked):
        await node.caller(won[0])


async def test_a_sign_in_is_not_refreshed_endlessly(node: Node) -> None:
    token = (await guest(node))["refresh_token"]
    for _ in range(20):
        token = (await node.refresh(token))["refresh_token"]
    with pytest.raises(RateLimited):
        await node.refresh(token)


# Going out


async def test_a_session_goes_on_until_its_sign_in_is_old_or_over(node: Node, clock: Clock) -> None:
    await handlers.register(ANN, node.anyone())
    answer = await handlers.login(ANN, node.anyone())
    family = node.tokens.read(answer["access_token"]).family
    clock.forward(3_599)
    assert (await node.accounts.continued(family, 3_600)).id == answer["account"]["id"]
    for old in ((family, 3_599), ("nobody", 3_600)):
        with pytest.raises(Unauthenticated):
            await node.accounts.continued(*old)
    await node.accounts.revoke(family)
    with pytest.raises(Unauthenticated):
        await node.accounts.continued(family, 3_600)


async def test_a_logout_ends_this_sign_in_and_no_other(node: Node, other: Node) -> None:
    await handlers.register(ANN, node.anyone())
    phone = await handlers.login(ANN, node.anyone())
    tablet = await handlers.login(ANN, node.anyone())
    ctx = await other.caller(phone)
    assert await handlers.logout(Nothing(), ctx) is None
    assert other.publisher.closed == [(rooms.family(ctx.caller.family), Disconnect.TOKEN_REVOKED)]
    with pytest.raises(TokenRevoked):
        await node.caller(phone)
    with pytest.raises(TokenRevoked):
        await node.refresh(phone["refresh_token"])
    await node.caller(tablet)
    await node.refresh(tablet["refresh_token"])


async def test_a_logout_cut_short_by_redis_is_finished_by_the_next_use(
    node: Node, documents: DocumentStore, clock: Clock
) -> None:
    made = await guest(node)
    ctx = await node.caller(made)
    away = Node(RedisStore("redis://127.0.0.1:1/0", Redis()), documents, clock)
    with pytest.raises(DependencyUnavailable):
        await handlers.logout(Nothing(), Context(away.world, HOME, ctx.signed_in))
    assert away.publisher.closed == []
    with pytest.raises(TokenRevoked):
        await node.refresh(made["refresh_token"])
    assert len(node.publisher.closed) == 1
    with pytest.raises(TokenRevoked):
        await node.caller(made)


# Whoever is in


async def test_the_caller_sees_his_account_and_its_characters(node: Node) -> None:
    made = await handlers.register(ANN, node.anyone())
    ctx = await node.caller(made)
    added = await handlers.create_character(NewCharacter(name="Ann  the Second"), ctx)
    assert added["character"]["name"] == added["name"] == "Ann the Second"
    assert added["character"]["id"] == added["id"]
    both = [made["character"], added["character"]]
    assert await handlers.characters(Nothing(), ctx) == {"characters": both}
    account = made["account"]
    me = await handlers.me(Nothing(), ctx)
    assert me == {**account, "account": account, "characters": both}
    with pytest.raises(Conflict):
        await handlers.create_character(NewCharacter(name="Ann the Third"), ctx)


def test_only_the_ways_in_are_open_to_strangers() -> None:
    routes = [getattr(handlers, name) for name in dir(handlers)]
    table = {
        (one.method, one.path): (one.status, one.signed_in)
        for one in routes
        if isinstance(one, Route)
    }
    assert table == {
        ("POST", "/auth/guest"): (201, False),
        ("POST", "/auth/register"): (201, False),
        ("POST", "/auth/login"): (200, False),
        ("POST", "/auth/refresh"): (200, False),
        ("POST", "/auth/logout"): (204, True),
        ("GET", "/me"): (200, True),
        ("POST", "/me/register"): (200, True),
        ("POST", "/me/password"): (204, True),
        ("PATCH", "/characters/{id}"): (200, True),
        ("GET", "/characters"): (200, True),
        ("POST", "/characters"): (201, True),
    }
