"""Password hashes: what is stored, and how many are made at once."""

from __future__ import annotations

import asyncio
import threading

import pytest

from state import passwords
from state.passwords import Passwords
from tests.contract.accounts_kit import CHEAP, PHRASE


class Counted:
    """A hasher that waits for a sign, and knows how many waited at once."""

    def __init__(self) -> None:
        self.full, self.go_on = threading.Event(), threading.Event()
        self.hashed = self.running = self.most = 0
        self._lock = threading.Lock()

    def hash(self, password: bytes) -> str:
        self._count(+1)
        self.go_on.wait(5)
        self._count(-1)
        return CHEAP.hash(password)

    def _count(self, change: int) -> None:
        with self._lock:
            self.running += change
            self.hashed += change > 0
            self.most = max(self.most, self.running)
        if self.running == passwords.CONCURRENT:
            self.full.set()


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted()
    monkeypatch.setattr(passwords, "HASHER", counted)
    return counted


async def test_hashes_queue_even_behind_those_whose_callers_gave_up(hasher: Counted) -> None:
    slow = Passwords()
    calls = [asyncio.create_task(slow.hash(PHRASE)) for _ in range(8)]
    assert await asyncio.to_thread(hasher.full.wait, 5)
    for call in calls[:4]:  # two of them are being hashed
        call.cancel()
    await asyncio.wait(calls[:4])
    hasher.go_on.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert hasher.most == passwords.CONCURRENT
    assert hasher.hashed == 6


async def test_an_unknown_name_costs_a_hash_too(hasher: Counted) -> None:
    hasher.go_on.set()
    assert await Passwords().verify(None, PHRASE) is False
    assert hasher.hashed == 1


async def test_the_accents_of_a_password_may_be_typed_in_two_ways() -> None:
    stored = await Passwords().hash("caf\u00e9 noir")
    assert await Passwords().verify(stored, "cafe\u0301 noir")
    assert not await Passwords().verify(stored, "cafe noir")


async def test_what_is_no_hash_matches_no_password() -> None:
    assert not await Passwords().verify("no hash", PHRASE)


async def test_a_hash_is_argon2id_of_64_mib() -> None:
    stored = await Passwords().hash(PHRASE)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert not Passwords().outdated(stored)
    assert Passwords().outdated(CHEAP.hash(PHRASE))
