"""Access tokens: what is read without I/O, and what Redis remembers of those signed out."""

from __future__ import annotations

import base64
import json
from string import ascii_letters, digits
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.sections import Auth, Redis
from config.settings import Settings
from game.disconnects import Disconnect
from game.errors import DependencyUnavailable, TokenExpired, TokenRevoked, Unauthenticated
from state.accounts import Account
from state.connect import RedisStore
from state.tokens import Tokens
from tests.contract.accounts_kit import NOON, Clock
from tests.fixtures import Stores

SECRET = "s" * 32
SETTINGS = Settings(auth=Auth(access_seconds=900))
ANN = Account(id="a1", username="Ann", role="player", banned_until=0)
NOWHERE = "redis://127.0.0.1:1/0"  # nothing listens there
CLAIMS = {"sub": "a1", "jti": "j1", "role": "player", "iat": 1, "exp": 2**40, "fam": "f1"}


def made(clock: Clock, url: str = NOWHERE, secret: str = SECRET) -> Tokens:
    return Tokens(RedisStore(url, Redis()), SecretStr(secret), SETTINGS, clock)


READER = made(Clock())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(redis: RedisStore, clock: Clock) -> Tokens:
    return Tokens(redis, SecretStr(SECRET), SETTINGS, clock)


def test_a_token_says_who_and_until_when_without_any_store(clock: Clock) -> None:
    token, expires_in = made(clock).issue(ANN, "f1")
    claims = made(clock).read(token)
    assert expires_in == 900
    assert (claims.account_id, claims.role, claims.family) == ("a1", "player", "f1")
    assert claims.expires_at == NOON + 900_000


def test_the_wire_carries_the_claims_of_the_protocol(clock: Clock) -> None:
    token, _ = made(clock).issue(ANN, "f1")
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    said = jwt.decode(token, options={"verify_signature": False})
    assert set(said) == {"sub", "jti", "role", "exp", "iat", "fam"}
    assert said["exp"] - said["iat"] == 900


def test_no_two_tokens_have_one_id(clock: Clock) -> None:
    tokens = made(clock)
    ids = {tokens.read(tokens.issue(ANN, "f1")[0]).token_id for _ in range(20)}
    assert len(ids) == 20


def test_a_token_ends_at_its_time(clock: Clock) -> None:
    tokens = made(clock)
    token, _ = tokens.issue(ANN, "f1")
    clock.forward(899)
    tokens.read(token)
    clock.forward(1)
    with pytest.raises(TokenExpired):
        tokens.read(token)


def test_a_token_of_another_secret_is_refused_even_when_expired(clock: Clock) -> None:
    token, _ = made(clock, secret="t" * 32).issue(ANN, "f1")
    clock.forward(10_000)
    with pytest.raises(Unauthenticated):
        made(clock).read(token)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_only_hs256_is_accepted(algorithm: str) -> None:
    key = "" if algorithm == "none" else SECRET * 2
    token = jwt.encode(CLAIMS, key, algorithm)
    with pytest.raises(Unauthenticated):
        made(Clock(), secret=SECRET * 2).read(token)


@pytest.mark.parametrize("claim", sorted(CLAIMS.keys() - {"fam"}))
def test_every_claim_is_required(claim: str) -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != claim}
    with pytest.raises(Unauthenticated):
        READER.read(jwt.encode(claims, SECRET, "HS256"))


def test_a_token_without_a_family_is_a_sign_in_of_its_own() -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "fam"}
    assert READER.read(jwt.encode(claims, SECRET, "HS256")).family == CLAIMS["jti"]
    with pytest.raises(TokenExpired):
        READER.read(jwt.encode({**claims, "exp": 1}, SECRET, "HS256"))


@pytest.mark.parametrize(
    "wrong",
    [{"sub": 1}, {"jti": []}, {"role": None}, {"fam": {}}, {"exp": "soon"}, {"exp": 1e400}],
)
def test_claims_of_another_type_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        READER.read(jwt.encode({**CLAIMS, **wrong}, SECRET, "HS256"))


def test_a_long_token_is_refused_even_when_signed() -> None:
    with pytest.raises(Unauthenticated):
        READER.read(jwt.encode({**CLAIMS, "pad": "x" * 4_096}, SECRET, "HS256"))


def test_a_header_nested_deeply_is_refused() -> None:
    header = base64.urlsafe_b64encode(b"[" * 2_900).rstrip(b"=").decode()
    with pytest.raises(Unauthenticated):
        READER.read(f"{header}.e30.x")


@given(st.text(st.characters(), max_size=200))
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        READER.read(text)


HEADERS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["alg", "typ", "b64", "crit", "kid", "jwk"]),
    st.none() | st.booleans() | st.integers() | st.sampled_from(["HS256", "none"]) | st.just([]),
)


@given(HEADERS, st.binary(max_size=40), st.binary(max_size=40))
def test_headers_of_any_kind_are_refused(
    header: dict[str, Any], body: bytes, signature: bytes
) -> None:
    parts = (json.dumps(header).encode(), body, signature)
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    with pytest.raises(Unauthenticated):
        READER.read(token)


@given(st.integers(0, 200), st.characters())
def test_a_token_with_one_character_changed_is_refused(place: int, char: str) -> None:
    token = jwt.encode(CLAIMS, SECRET, "HS256")
    changed = token[:place] + char + token[place + 1 :]
    if changed != token:
        with pytest.raises(Unauthenticated):
            READER.read(changed)


@pytest.mark.parametrize("char", [*ascii_letters, *digits, *"-_=.\n", "=="])
def test_a_signature_has_one_text(char: str) -> None:
    # Its last character has two bits to spare: four characters mean the same bytes.
    token = jwt.encode(CLAIMS, SECRET, "HS256")
    for changed in (token[:-1] + char, token + char):
        if changed != token:
            with pytest.raises(Unauthenticated):
                READER.read(changed)


# Revocation


async def test_a_sign_in_revoked_on_one_node_is_revoked_on_another(
    tokens: Tokens, clock: Clock, stores: Stores
) -> None:
    claims = tokens.read(tokens.issue(ANN, "f1")[0])
    other = tokens.read(tokens.issue(ANN, "f2")[0])
    async with RedisStore(stores.redis_url, Redis()) as redis:
        there = Tokens(redis, SecretStr(SECRET), SETTINGS, clock)
        await there.check(claims)
        await tokens.revoke("f1")
        with pytest.raises(TokenRevoked):
            await there.check(claims)
        await there.check(other)
        assert await there.revoked(["f1", "f2", "f3"]) == {"f1": Disconnect.TOKEN_REVOKED}


async def test_many_sign_ins_are_revoked_and_asked_for_together(tokens: Tokens) -> None:
    families = [f"f{number}" for number in range(2_000)]
    await tokens.revoke(*families[:1_000], code=Disconnect.BANNED)
    assert await tokens.revoked(families) == dict.fromkeys(families[:1_000], Disconnect.BANNED)
    assert await tokens.revoked([]) == {}


async def test_a_revocation_outlives_every_token_and_then_vanishes(
    tokens: Tokens, redis: RedisStore
) -> None:
    await tokens.revoke("f1")
    (key,) = await redis.call("KEYS", "*")
    assert 900 < await redis.call("TTL", key) <= 960


async def test_nobody_passes_while_redis_is_away(clock: Clock) -> None:
    tokens = made(clock)
    with pytest.raises(DependencyUnavailable):
        await tokens.check(tokens.read(tokens.issue(ANN, "f1")[0]))
    with pytest.raises(DependencyUnavailable):
        await tokens.revoke("f1")
