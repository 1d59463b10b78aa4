"""One timer for all who wait: each has his time, and not less."""

from __future__ import annotations

import asyncio

from server.patience import Patience

SECONDS = 0.05


async def test_each_has_his_time_from_when_he_came() -> None:
    loop, over = asyncio.get_running_loop(), dict[str, float]()
    late, last = asyncio.Event(), asyncio.Event()

    def note(one: str) -> None:
        over[one] = loop.time()
        {"late": late, "anew": last}.get(one, asyncio.Event()).set()

    patience = Patience(SECONDS, note)
    began = {}
    for one in ("early", "gone", "anew", "late"):
        patience.add(one)
        began[one] = loop.time()
        await asyncio.sleep(SECONDS / 5)
    patience.discard("gone")
    patience.discard("nobody")
    patience.add("anew")
    began["anew"] = loop.time()
    assert list(patience) == ["early", "late", "anew"]
    await asyncio.wait_for(late.wait(), 5)
    assert over.keys() == {"early", "late"}
    await asyncio.wait_for(last.wait(), 5)
    assert list(over) == ["early", "late", "anew"]
    assert not patience
    assert all(over[one] - began[one] >= SECONDS for one in over)


async def test_who_comes_when_all_were_gone_has_his_time_too() -> None:
    loop = asyncio.get_running_loop()
    over: asyncio.Future[str] = loop.create_future()
    patience = Patience(SECONDS, over.set_result)
    patience.add("one")
    patience.discard("one")
    await asyncio.sleep(SECONDS / 2)
    patience.add("other")
    began = loop.time()
    assert await asyncio.wait_for(over, 5) == "other"
    assert loop.time() - began >= SECONDS


async def test_one_who_cannot_be_ended_keeps_nobody() -> None:
    ended: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)

    def over(one: str) -> None:
        if one == "bad":
            raise OSError
        ended.append(one)

    patience = Patience(SECONDS, over)
    patience.add("bad")
    patience.add("good")
    for _ in range(100):
        if ended:
            return
        await asyncio.sleep(SECONDS / 5)
    raise AssertionError(ended)
