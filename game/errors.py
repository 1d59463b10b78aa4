"""Everything that can be refused: one table of stable codes, one exception per code.

The codes are the contract (clients switch on them). Titles, which are the first
lines of the docstrings below, and details are text for people and may change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NotRequired, Self

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict


class FieldProblem(TypedDict):
    """One field that did not validate: where, what, and the rule's stable name."""

    field: str
    message: str
    type: str


class ErrorObject(TypedDict):
    """Why something was refused: RFC 9457 problem details, the same over sockets and REST.

    `code` is stable, the texts are for people. `retryable`: the same request may succeed
    later, unchanged; `retry_after` (seconds) is there when it is known how much later,
    `errors` when fields are at fault. `request_id` finds the server's log line.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    retry_after: NotRequired[float]
    errors: NotRequired[list[FieldProblem]]
    request_id: str


class GameError(Exception):
    """Something went wrong on the server.

    Args:
        detail: one sentence for people; never an exception's text, a key or a host.
        retry_after: seconds until a retry makes sense, when that is known.
        errors: the fields at fault, for `validation_failed` only.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500  # the HTTP status of the same refusal over REST
    title: ClassVar[str] = "Something went wrong on the server."
    retryable: ClassVar[bool] = True  # may the same request succeed later, unchanged?

    def __init_subclass__(cls, *, code: str, status: int, retryable: bool = False) -> None:
        cls.code, cls.status, cls.retryable = code, status, retryable
        cls.title = (cls.__doc__ or code).splitlines()[0]

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: float | None = None,
        errors: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.errors = tuple(errors)


class ValidationFailed(GameError, code="validation_failed", status=422):
    """Some fields are missing, unknown or out of range."""

    @classmethod
    def of(cls, field: str, message: str, kind: str) -> Self:
        """One field is at fault, by a rule of that stable name."""
        return cls(errors=[FieldProblem(field=field, message=message, type=kind)])


class PayloadTooLarge(GameError, code="payload_too_large", status=413):
    """The message is larger than the server reads."""


class MalformedPayload(GameError, code="malformed_payload", status=400):
    """The message is not what the protocol allows."""


class UnknownEvent(GameError, code="unknown_event", status=404):
    """There is no event of that name."""


class Unauthenticated(GameError, code="unauthenticated", status=401):
    """Sign in first: the credentials are missing or wrong."""


class TokenExpired(GameError, code="token_expired", status=401):
    """The token is past its time; refresh it."""


class TokenRevoked(GameError, code="token_revoked", status=401):
    """The token was revoked; sign in again."""


class Forbidden(GameError, code="forbidden", status=403):
    """You may not do that."""


class NotFound(GameError, code="not_found", status=404):
    """There is no such thing, or it is not yours to see."""


class MethodNotAllowed(GameError, code="method_not_allowed", status=405):
    """That cannot be done to it; `Allow` says what can."""


class Conflict(GameError, code="conflict", status=409):
    """That cannot be done in the present state."""


class StaleVersion(GameError, code="stale_version", status=409, retryable=True):
    """Somebody else changed it first; read it again."""


class IdempotencyMismatch(GameError, code="idempotency_mismatch", status=409):
    """That key was used before with another body."""


class InsufficientFunds(GameError, code="insufficient_funds", status=409):
    """There are not enough coins for that."""


class AlreadyInDuel(GameError, code="already_in_duel", status=409):
    """A player is in one duel at a time."""


class NotYourTurn(GameError, code="not_your_turn", status=409):
    """It is not your turn to do that."""


class DuelOver(GameError, code="duel_over", status=409):
    """The duel is over."""


class Muted(GameError, code="muted", status=403):
    """You are muted for now."""


class Banned(GameError, code="banned", status=403):
    """The account is banned."""


class RateLimited(GameError, code="rate_limited", status=429, retryable=True):
    """Too much at once; wait a moment."""


class TooManyConnections(GameError, code="too_many_connections", status=429, retryable=True):
    """Too many connections from one account or address."""


class ServerFull(GameError, code="server_full", status=503, retryable=True):
    """The server is full."""


class Draining(GameError, code="draining", status=503, retryable=True):
    """The server is shutting down; connect again."""


class DependencyUnavailable(GameError, code="dependency_unavailable", status=503, retryable=True):
    """A store that this needs does not answer at the moment."""


class HandlerTimeout(GameError, code="timeout", status=504, retryable=True):
    """That took too long and was stopped."""


class Internal(GameError, code="internal", status=500, retryable=True):
    """Something went wrong on the server."""


def table() -> Iterator[dict[str, Any]]:
    """Every code that the server answers with, for the generated documents."""
    for error in GameError.__subclasses__():
        yield {name: getattr(error, name) for name in ("code", "status", "title", "retryable")}
