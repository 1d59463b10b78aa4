"""The boundary by itself; tests/integration/test_boundary.py goes through the front door."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from game.errors import GameError, RateLimited, ValidationFailed, table
from handlers.payloads import Payload
from server.boundary import Boundary, Outcome, error_object, new_request_id, valid
from server.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def boundary(metrics: Metrics) -> Boundary:
    return Boundary(metrics, 0.2)


async def run(boundary: Boundary, raised: BaseException | None = None, **options: Any) -> Outcome:
    async def call() -> str:
        await asyncio.sleep(0)
        if raised:
            raise raised
        return "value"

    return await boundary.guard("event", "e", "id", call, **options)


def counted(metrics: Metrics, outcome: str) -> float | None:
    labels = {"kind": "event", "name": "e", "outcome": outcome}
    metrics.scrape()  # counts are tallied, and added up for it
    return metrics.registry.get_sample_value("showdown_requests_total", labels)


async def test_a_value_comes_out_and_is_counted(boundary: Boundary, metrics: Metrics) -> None:
    assert await run(boundary) == Outcome("value")
    assert counted(metrics, "ok") == 1


async def test_a_refusal_comes_out_as_it_is(boundary: Boundary, metrics: Metrics) -> None:
    error = RateLimited(retry_after=1)
    assert (await run(boundary, error)).error is error
    assert counted(metrics, "rate_limited") == 1


async def test_a_handlers_own_validation_error_is_not_the_clients_fault(
    boundary: Boundary,
) -> None:
    class Stored(BaseModel):
        number: int

    with pytest.raises(ValidationError) as wrong:
        Stored.model_validate({"number": "x"})
    outcome = await run(boundary, wrong.value)
    assert outcome.error
    assert outcome.error.code == "internal"


async def test_a_time_out_of_the_handlers_own_is_not_ours(boundary: Boundary) -> None:
    outcome = await run(boundary, TimeoutError())
    assert outcome.error
    assert outcome.error.code == "internal"


@pytest.mark.parametrize(("limited", "code"), [(True, "timeout"), (False, None)])
async def test_only_what_is_limited_is_stopped(
    boundary: Boundary, limited: bool, code: str | None
) -> None:
    outcome = await boundary.guard("event", "e", "id", lambda: asyncio.sleep(0.4), limited=limited)
    assert (outcome.error.code if outcome.error else None) == code


async def test_a_cancellation_from_inside_is_an_error(boundary: Boundary) -> None:
    outcome = await run(boundary, asyncio.CancelledError())
    assert outcome.error
    assert outcome.error.code == "internal"


async def test_a_cancellation_from_outside_goes_through(boundary: Boundary) -> None:
    for limited in (True, False):
        begun = asyncio.Event()

        async def wait(begun: asyncio.Event = begun) -> None:
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(boundary.guard("event", "e", "id", wait, limited=limited))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await boundary.wait_idle(0)


async def test_a_cancellation_from_outside_goes_through_although_the_time_is_over_too(
    boundary: Boundary,
) -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()  # until the time is over

    task = asyncio.create_task(boundary.guard("event", "e", "id", wait))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_handler_that_ends_late_in_spite_of_all_is_told_to_be_late(
    boundary: Boundary,
) -> None:
    async def wait() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "value"

    outcome = await boundary.guard("event", "e", "id", wait)
    assert outcome.error
    assert outcome.error.code == "timeout"
    assert await run(boundary) == Outcome("value")


async def test_each_handler_has_its_own_time(boundary: Boundary) -> None:
    async def handle(seconds: float) -> Outcome:
        await asyncio.sleep(seconds / 2)
        return await boundary.guard("event", "e", "id", lambda: asyncio.sleep(seconds))

    outcomes = await asyncio.gather(*map(handle, (0.02, 0.15, 0.3, 0.5)))
    codes = [outcome.error.code if outcome.error else "ok" for outcome in outcomes]
    assert codes == ["ok", "ok", "timeout", "timeout"]


async def test_it_is_idle_when_nothing_runs(boundary: Boundary) -> None:
    assert await boundary.wait_idle(0)
    task = asyncio.create_task(boundary.guard("event", "e", "id", lambda: asyncio.sleep(0.1)))
    await asyncio.sleep(0)
    assert not await boundary.wait_idle(0)
    assert await boundary.wait_idle(5)
    await task


# What clients are shown


class Asked(Payload):
    number: int
    inner: dict[str, int] | None = None


def test_what_fits_the_schema_is_made_of_it() -> None:
    assert valid(Asked.model_validate, {"number": 7}) == Asked(number=7)


def test_what_does_not_fit_is_named_and_not_told_back() -> None:
    sent = {"number": "secret", "inner": {"key": "secret"}, "more": "secret"}
    with pytest.raises(ValidationFailed) as refused:
        valid(Asked.model_validate, sent)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    fields = [problem["field"] for problem in refused.value.errors]
    assert fields == ["number", "inner.key", "more"]
    assert "secret" not in str(refused.value.errors)


@pytest.mark.parametrize("error", GameError.__subclasses__(), ids=lambda error: error.code)
def test_an_error_object_has_all_that_protocol_says(error: type[GameError]) -> None:
    shown = error_object(error("why", retry_after=1.2341), "id")
    assert shown == {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": "why",
        "code": error.code,
        "retryable": error.retryable,
        "retry_after": 1.235,
        "request_id": "id",
    }
    assert "retry_after" not in error_object(error(), "id")


def test_no_two_codes_are_the_same() -> None:
    codes = [row["code"] for row in table()]
    assert len(codes) == len(set(codes))


def test_no_two_request_ids_are_the_same() -> None:
    ids = [new_request_id() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert all(len(one) <= 20 for one in ids)


async def test_a_handler_that_waits_for_nothing_has_an_outcome_too(
    boundary: Boundary, metrics: Metrics
) -> None:
    error = RateLimited(retry_after=1)

    async def says() -> str:
        return "value"

    async def refuses() -> None:
        raise error

    async def breaks() -> None:
        raise StopIteration

    assert await boundary.guard("event", "e", "id", says) == Outcome("value")
    assert (await boundary.guard("event", "e", "id", refuses)).error is error
    broken = await boundary.guard("event", "e", "id", breaks)
    assert broken.error
    assert broken.error.code == "internal"
    assert [counted(metrics, one) for one in ("ok", "rate_limited", "internal")] == [1, 1, 1]


async def test_a_handler_goes_on_in_the_task_that_began_it_and_hears_what_it_waited_for(
    boundary: Boundary,
) -> None:
    seen: list[object] = []

    async def waits() -> str:
        seen.append(asyncio.current_task())
        answer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(answer.set_exception, ValueError("no"))
        with contextlib.suppress(ValueError):
            await answer
        seen.append(asyncio.current_task())
        return await asyncio.sleep(0.01, "value")

    assert await boundary.guard("event", "e", "id", waits) == Outcome("value")
    assert seen == [asyncio.current_task()] * 2
