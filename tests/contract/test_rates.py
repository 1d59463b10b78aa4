"""The limits of sign-ins, counted by parallel callers on two nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

from config.sections import Auth, Limits, Redis
from config.settings import Settings
from game.errors import DependencyUnavailable, RateLimited
from state.connect import RedisStore
from state.rates import MINUTE_MS, Rates
from tests.fixtures import Stores

SETTINGS = Settings(auth=Auth(login_failures=5, lock_seconds=60), limits=Limits(auth_per_minute=20))
HOME, SCHOOL = "192.0.2.1", "2001:db8::1"


@pytest.fixture
def rates(redis: RedisStore) -> Rates:
    return Rates(redis, SETTINGS)


@pytest.fixture
async def nodes(rates: Rates, stores: Stores) -> AsyncIterator[tuple[Rates, Rates]]:
    async with RedisStore(stores.redis_url, Redis()) as redis:
        yield rates, Rates(redis, SETTINGS)


async def admitted(*calls: Awaitable[None]) -> int:
    """How many of the calls were let through; the others were refused, with a time."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    refused = [one for one in done if isinstance(one, RateLimited)]
    assert all(0 < (one.retry_after or 0) <= 60 for one in refused)
    assert done.count(None) + len(refused) == len(calls)
    return done.count(None)


async def age(redis: RedisStore, ms: int) -> None:
    """Make the counted calls older, as if that time had passed."""
    (key,) = await redis.call("KEYS", "{auth}:calls:*")
    times = await redis.call("LRANGE", key, 0, -1)
    commands = [("LSET", key, place, int(at) - ms) for place, at in enumerate(times)]
    await redis.batch(commands)


async def expire(redis: RedisStore) -> None:
    """Let the times of all keys pass."""
    for key in await redis.call("KEYS", "*"):
        assert await redis.call("PTTL", key) > 0
        await redis.call("DEL", key)


async def test_an_address_signs_in_20_times_a_minute_however_many_ask_at_once(
    nodes: tuple[Rates, Rates],
) -> None:
    assert await admitted(*(nodes[n % 2].sign_in(HOME) for n in range(50))) == 20
    assert await admitted(*(nodes[n % 2].sign_in(SCHOOL) for n in range(10))) == 10


async def test_no_60_seconds_see_more_than_20_sign_ins(rates: Rates, redis: RedisStore) -> None:
    assert await admitted(*(rates.sign_in(HOME) for _ in range(12))) == 12
    await age(redis, MINUTE_MS // 2)
    assert await admitted(*(rates.sign_in(HOME) for _ in range(12))) == 8
    await age(redis, MINUTE_MS // 2)  # the first 12 are a minute old
    assert await admitted(*(rates.sign_in(HOME) for _ in range(20))) == 12


async def test_a_refused_sign_in_is_told_when_the_oldest_ends(
    rates: Rates, redis: RedisStore
) -> None:
    await admitted(*(rates.sign_in(HOME) for _ in range(20)))
    await age(redis, 50_000)
    with pytest.raises(RateLimited) as caught:
        await rates.sign_in(HOME)
    assert 9 < (caught.value.retry_after or 0) <= 10


async def test_refreshes_are_counted_by_sign_in_and_apart(nodes: tuple[Rates, Rates]) -> None:
    assert await admitted(*(nodes[n % 2].refresh("f1") for n in range(30))) == 20
    assert await admitted(nodes[0].refresh("f2"), nodes[0].sign_in("f1")) == 2


async def test_parallel_guesses_admit_no_more_passwords_than_the_lock_allows(
    nodes: tuple[Rates, Rates],
) -> None:
    guesses = (nodes[n % 2].attempt_login("Ann", HOME) for n in range(50))
    assert await admitted(*guesses) == 5


async def test_the_lock_is_of_the_pair_of_name_and_address(rates: Rates) -> None:
    await admitted(*(rates.attempt_login("Ann", HOME) for _ in range(5)))
    assert await admitted(rates.attempt_login("aNN", HOME)) == 0
    assert await admitted(rates.attempt_login("Ann", SCHOOL)) == 1
    assert await admitted(rates.attempt_login("Bob", HOME)) == 1


async def test_the_lock_ends_by_itself_and_asking_does_not_lengthen_it(
    rates: Rates, redis: RedisStore
) -> None:
    await admitted(*(rates.attempt_login("Ann", HOME) for _ in range(5)))
    (key,) = await redis.call("KEYS", "*")
    await redis.call("PEXPIRE", key, 20_000)
    with pytest.raises(RateLimited) as caught:
        await rates.attempt_login("Ann", HOME)
    assert 19 < (caught.value.retry_after or 0) <= 20
    await expire(redis)
    assert await admitted(rates.attempt_login("Ann", HOME)) == 1


async def test_each_attempt_starts_the_time_of_the_lock_anew(
    rates: Rates, redis: RedisStore
) -> None:
    await rates.attempt_login("Ann", HOME)
    (key,) = await redis.call("KEYS", "*")
    await redis.call("PEXPIRE", key, 20_000)
    await rates.attempt_login("Ann", HOME)
    assert await redis.call("PTTL", key) > 59_000


async def test_a_right_password_forgets_the_wrong_ones(rates: Rates, redis: RedisStore) -> None:
    await admitted(*(rates.attempt_login("Ann", HOME) for _ in range(4)))
    await rates.login_succeeded("ann", HOME)
    assert await redis.call("DBSIZE") == 0
    assert await admitted(*(rates.attempt_login("Ann", HOME) for _ in range(6))) == 5


async def test_keys_are_short_anonymous_and_end(rates: Rates, redis: RedisStore) -> None:
    await rates.sign_in(HOME)
    await rates.refresh("f" * 10_000)
    await rates.attempt_login("Ann" * 10_000 + "\ud800", HOME)
    keys = await redis.call("KEYS", "*")
    assert len(keys) == 3
    for key in keys:
        assert key.startswith("{auth}:")
        assert len(key) < 64
        assert HOME not in key
        assert await redis.call("PTTL", key) > 0


async def test_nobody_signs_in_while_redis_is_away() -> None:
    rates = Rates(RedisStore("redis://127.0.0.1:1/0", Redis()), SETTINGS)
    for call in (rates.sign_in(HOME), rates.refresh("f1"), rates.attempt_login("Ann", HOME)):
        with pytest.raises(DependencyUnavailable):
            await call
