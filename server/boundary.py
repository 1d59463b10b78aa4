"""The one boundary: every event, route, hook and background run goes through `Boundary.run`.

Expected refusals are one log line; anything else is logged once with its trace, counted,
and answered with `internal` and a request id that finds the log line. Nothing that a
handler raises ends a connection or the process.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any, TypeVar

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
from server.metrics import Metrics, Tally

IDLE_SECONDS = 0.02  # between two looks whether the last request is done

T = TypeVar("T")

log = get_logger(__name__)

_process = secrets.token_hex(4)

new_request: Callable[[], int] = itertools.count(1).__next__
"""The number of a request; most need no more of an id than that."""


@dataclass(slots=True)  # frozen costs a microsecond each
class Outcome:
    """What a guarded call came to: a value, or an error."""

    value: Any = None
    error: GameError | None = None


def request_id(number: int) -> str:
    """Unique over processes; short enough to be read out on the telephone."""
    return f"{_process}-{number:x}"


def new_request_id() -> str:
    """The id of a request whose answer shows it."""
    return request_id(new_request())


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
class Entry:
    """What is called through the boundary.

    `kind` (event, route, hook, task or job) and `name` are the labels of its metrics;
    `limited` says whether the handlers' time-out applies; `shape` makes of what the call
    returned what the boundary returns.
    """

    kind: str
    name: str
    tally: Tally
    limited: bool = True
    shape: Callable[[Any], Any] | None = None


class Boundary:
    """Runs handlers; knows no transport.

    The time of all handlers is watched together: a timer each costs more than most of
    them do.
    """

    def __init__(self, metrics: Metrics, handler_seconds: float) -> None:
        self._metrics = metrics
        self._seconds = handler_seconds
        self._runs = itertools.count()
        # All have the same time, so whose time is over first is the first in here.
        self._at_work: dict[int, tuple[asyncio.Task[Any] | None, float]] = {}
        self._late: set[int] = set()
        self._watch: asyncio.TimerHandle | None = None

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        # Before Python 3.12 every get_running_loop is a system call (getpid).
        return asyncio.get_running_loop()

    def event(self, name: str, shape: Callable[[Any], Any]) -> Entry:
        """The entry of an event, whose calls do not look for their metrics."""
        return Entry("event", name, self._metrics.tally("event", name), shape=shape)

    async def guard(
        self,
        kind: str,
        name: str,
        request_id: str,
        call: Callable[[], Awaitable[Any]],
        *,
        limited: bool = True,
    ) -> Outcome:
        """Run a call that is not made so often that its entry is kept."""
        entry = Entry(kind, name, self._metrics.tally(kind, name), limited)
        value = await self.run(entry, request_id, call)
        return Outcome(error=value) if isinstance(value, GameError) else Outcome(value)

    async def run(
        self, entry: Entry, request: int | str, call: Callable[..., Awaitable[Any]], *args: Any
    ) -> Any | GameError:
        """Run a call to what it returns, or to its error; nothing is raised but the
        cancellation of the caller's own task. `request` is its number or its id.
        """
        started = time.monotonic()
        run, limited, code = next(self._runs), entry.limited, "ok"
        if limited:
            self._at_work[run] = asyncio.current_task(self._loop), started
            if self._watch is None:
                self._watch = self._loop.call_at(started + self._seconds, self._look)
        try:
            try:
                value = await call(*args)
            finally:
                if limited and self._at_work.pop(run, None) is None:
                    self._end_late(run)
            if entry.shape:
                value = entry.shape(value)
        except BaseException as error:  # noqa: BLE001 - what is not the call's is raised again
            value = _refusal(error, entry, request)
            code = value.code
        entry.tally.add(code, time.monotonic() - started)
        return value

    def _end_late(self, run: int) -> None:
        """Take our cancellation back and say what it was, unless there is another's too."""
        self._late.discard(run)
        task = asyncio.current_task()
        if task and not task.uncancel():
            raise HandlerTimeout

    def _look(self) -> None:
        """Cancel the handlers whose time is over."""
        self._watch = None
        over = self._loop.time() - self._seconds
        while self._at_work:
            run, (task, started) = next(iter(self._at_work.items()))
            if started > over:
                self._watch = self._loop.call_at(started + self._seconds, self._look)
                return
            del self._at_work[run]
            self._late.add(run)
            if task:
                task.cancel()

    async def wait_idle(self, seconds: float) -> bool:
        """Wait until no request is being handled; False when the time is over first."""
        deadline = time.monotonic() + seconds
        while self._busy and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(IDLE_SECONDS)
        return not self._busy

    @property
    def _busy(self) -> bool:
        return bool(self._at_work or self._late)


def _refusal(error: BaseException, entry: Entry, request: int | str) -> GameError:
    """What the client is told of what was raised.

    Raises:
        BaseException: it was not the call's.
    """
    if not isinstance(error, GameError) and _cancelled_from_outside(error):
        raise error
    said = {
        "kind": entry.kind,
        "name": entry.name,
        "request_id": request if isinstance(request, str) else request_id(request),
    }
    if isinstance(error, GameError):
        log.info("refused", code=error.code, **said)
        return error
    log.error("failed", exc_info=error, **said)
    return Internal()


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
