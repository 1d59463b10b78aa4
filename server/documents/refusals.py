"""What each request can be refused with: the `Raises:` of its handler, and the boundary's."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from game import errors
from game.errors import GameError
from server.documents.schemas import Schema, reference, unwrapped

Refusals = Mapping[type[GameError], str]
"""Each with when it comes."""

_RAISES = "\n\nRaises:\n"
_SAME = re.compile(r"as for `(\w+)`\.")
_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)


def described(handler: Any) -> tuple[str, str, Refusals]:
    """A handler's summary, the rest of its description, and what it says that it raises.

    Raises:
        AttributeError: it names an error that is not in game/errors.py.
    """
    text, _, raises = (inspect.getdoc(handler) or "").partition(_RAISES)
    summary, _, rest = text.partition("\n\n")
    refusals: dict[type[GameError], str] = {}
    for names, when in _ENTRY.findall(raises):
        for name in names.split(", "):
            error = getattr(errors, name)
            refusals[error] = _when(error, unwrapped(when), handler)
    return unwrapped(summary), unwrapped(rest), refusals


def _when(error: type[GameError], when: str, handler: Any) -> str:
    """The words for it, also where they stand at another handler of the same module."""
    same = _SAME.fullmatch(when)
    if same is None:
        return when
    other = getattr(sys.modules[handler.__module__], same[1])
    return described(other.handler)[2][error]


def only(roles: Iterable[str]) -> Refusals:
    """Who has none of these roles is refused."""
    names = " nor ".join(sorted(roles))
    return {errors.Forbidden: f"The caller's role is not {names}."} if roles else {}


def titles(*classes: type[GameError]) -> Refusals:
    """Errors that need no more words than their own."""
    return {error: error.title for error in classes}


ALWAYS = titles(errors.DependencyUnavailable, errors.HandlerTimeout, errors.Internal)
SIGNED_IN = titles(errors.Unauthenticated, errors.TokenExpired, errors.TokenRevoked, errors.Banned)
BODY = titles(errors.MalformedPayload, errors.PayloadTooLarge, errors.ValidationFailed)
GIVEN = titles(errors.ValidationFailed)
CALLS: Refusals = {errors.RateLimited: "The account calls more often than it may."}
EVENT: Refusals = {
    **titles(errors.MalformedPayload, errors.PayloadTooLarge, errors.ValidationFailed),
    errors.RateLimited: "The connection sends more events than it may.",
    errors.TokenExpired: "The connection's token is past its time; the connection ends.",
    **ALWAYS,
}
ORIGIN: Refusals = {errors.Forbidden: "A browser's page of another origin calls."}


def merged(*some: Refusals) -> Refusals:
    """All of them in the order of the table, each with all its reasons."""
    order = GameError.__subclasses__()
    reasons: dict[type[GameError], list[str]] = {}
    for refusals in some:
        for error, when in refusals.items():
            reasons.setdefault(error, []).append(_sentence(when))
    return {
        error: " ".join(dict.fromkeys(reasons[error])) for error in sorted(reasons, key=order.index)
    }


def listed(refusals: Refusals) -> list[dict[str, Any]]:
    """As rows, for the extension `x-errors`."""
    return [
        {"code": one.code, "status": one.status, "retryable": one.retryable, "when": when}
        for one, when in refusals.items()
    ]


def error_schema(classes: Iterable[type[GameError]], status: int | None = None) -> Schema:
    """The error object with one of these codes."""
    fields: Schema = {"code": {"enum": [error.code for error in classes]}}
    if status is not None:
        fields["status"] = {"const": status}
    return {"allOf": [reference("ErrorObject"), {"properties": fields}]}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
