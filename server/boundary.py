"""The one boundary: every event, route, hook and background run goes through `guard`.

Expected refusals are one log line; anything else is logged once with its trace, counted,
and answered with `internal` and a request id that finds the log line. Nothing that a
handler raises ends a connection or the process.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
import types
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any, TypeAlias, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.logging import get_logger
from game.errors import (
    ErrorObject,
    FieldProblem,
    GameError,
    HandlerTimeout,
    Internal,
    ValidationFailed,
)
from server.metrics import Metrics

IDLE_SECONDS = 0.02  # between two looks whether the last request is done

T = TypeVar("T")
Work: TypeAlias = Generator[Any, Any, Any]

log = get_logger(__name__)

_run = secrets.token_hex(4)
_count = itertools.count(1)


@dataclass(slots=True)  # frozen costs a microsecond each
class Outcome:
    """What a guarded call came to: a value, or an error."""

    value: Any = None
    error: GameError | None = None


def new_request_id() -> str:
    """Unique over processes; short enough to be read out on the telephone."""
    return f"{_run}-{next(_count):x}"


def error_object(error: GameError, request_id: str) -> ErrorObject:
    """What a client is shown of an error."""
    shown = ErrorObject(
        type="about:blank",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        retryable=error.retryable,
        request_id=request_id,
    )
    if error.retry_after is not None:
        shown["retry_after"] = ceil(error.retry_after * 1000) / 1000  # never too early
    if error.errors:
        shown["errors"] = list(error.errors)
    return shown


@dataclass(slots=True, eq=False)
class Running:
    """A handler at work: its task, and when its time is over (the clock of the loop)."""

    task: asyncio.Task[Any]
    due: float
    expired: bool = False


class Boundary:
    """Runs handlers; knows no transport.

    The time of all handlers is watched together: a timer each costs more than most of
    them do.
    """

    def __init__(self, metrics: Metrics, handler_seconds: float) -> None:
        self._metrics = metrics
        self._seconds = handler_seconds
        self._running: set[Running] = set()
        self._watch: asyncio.TimerHandle | None = None

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        # Before Python 3.12 every get_running_loop is a system call (getpid).
        return asyncio.get_running_loop()

    async def guard(
        self,
        kind: str,
        name: str,
        request_id: str,
        call: Callable[[], Awaitable[Any]],
        *,
        limited: bool = True,
        shape: Callable[[Any], Any] | None = None,
    ) -> Outcome:
        """Run a call to its outcome; only the cancellation of the caller's own task leaves.

        Args:
            kind: event, route, hook or task; with `name`, the labels of its metrics.
            limited: whether the handler's time-out applies.
            shape: makes the outcome's value of what the call returned.
        """
        started = time.monotonic()
        try:
            if limited:
                work = call().__await__()
                try:
                    waits_for = next(work)
                except StopIteration as done:  # most wait for nothing, and need no watch
                    value = done.value
                else:
                    value = await self._watched(work, waits_for, started)
            else:
                value = await call()
            outcome = Outcome(shape(value) if shape else value)
        except GameError as error:
            outcome = Outcome(error=error)
            log.info("refused", kind=kind, name=name, request_id=request_id, code=error.code)
        except BaseException as error:
            if _cancelled_from_outside(error):
                raise
            outcome = Outcome(error=Internal())
            log.exception("failed", kind=kind, name=name, request_id=request_id)
        self._count(kind, name, outcome, time.monotonic() - started)
        return outcome

    async def _watched(self, work: Work, waits_for: object, started: float) -> object:
        running = self._begin(started)
        try:
            return await _rest(work, waits_for)
        finally:
            self._end(running)

    def _begin(self, now: float) -> Running:
        loop = self._loop
        task = cast("asyncio.Task[Any]", asyncio.current_task(loop))
        running = Running(task, now + self._seconds)
        self._running.add(running)
        if self._watch is None:
            self._watch = loop.call_at(running.due, self._look)
        return running

    def _end(self, running: Running) -> None:
        """Take our cancellation back and say what it was, unless there is another's too."""
        self._running.discard(running)
        if running.expired and not running.task.uncancel():
            raise HandlerTimeout

    def _look(self) -> None:
        """Cancel the handlers whose time is over."""
        self._watch = None
        loop = asyncio.get_running_loop()
        for running in self._running:
            if running.due <= loop.time() and not running.expired:
                running.expired = True
                running.task.cancel()
        due = [running.due for running in self._running if not running.expired]
        if due:
            self._watch = loop.call_at(min(due), self._look)

    def _count(self, kind: str, name: str, outcome: Outcome, seconds: float) -> None:
        code = outcome.error.code if outcome.error else "ok"
        self._metrics.count_request(kind, name, code, seconds)

    async def wait_idle(self, seconds: float) -> bool:
        """Wait until no request is being handled; False when the time is over first."""
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(IDLE_SECONDS)
        return not self._running


@types.coroutine
def _rest(work: Work, waits_for: object) -> Work:
    """Go on with work that was begun by hand, as `await` would."""
    try:
        while True:
            try:
                answer = yield waits_for
            except BaseException as error:  # noqa: BLE001 - the work's to deal with
                waits_for = work.throw(error)
            else:
                waits_for = work.send(answer)
    except StopIteration as done:
        return done.value


def _cancelled_from_outside(error: BaseException) -> bool:
    if isinstance(error, GeneratorExit):
        return True
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and bool(task and task.cancelling())


def valid(validate: Callable[[Any], T], sent: Any) -> T:
    """What a client sent, as its schema makes it.

    Only here pydantic's refusal is the client's fault: one out of a handler is not.

    Raises:
        ValidationFailed: it names the fields, never what stood in them.
    """
    try:
        return validate(sent)
    except ValidationError as error:
        raise ValidationFailed(errors=[_problem(one) for one in error.errors()]) from None


def _problem(problem: ErrorDetails) -> FieldProblem:
    field = ".".join(str(part) for part in problem["loc"])
    return FieldProblem(field=field, message=problem["msg"], type=problem["type"])
