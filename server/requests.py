"""What a REST call was given: its path, its query or its body, as its payload's model makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from config.sections import Limits
from game.errors import FieldProblem, MalformedPayload, PayloadTooLarge, ValidationFailed
from handlers.registry import Route
from server import wire
from server.boundary import valid
from server.transport import BROKEN_OFF

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
IDEMPOTENCY_KEY = "Idempotency-Key"  # draft-ietf-httpapi-idempotency-key-header


class Requests:
    """Reads requests, each to the bound of its route."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def read(self, route: Route[Any], request: web.Request) -> BaseModel:
        """The payload.

        Raises:
            MalformedPayload, PayloadTooLarge, ValidationFailed: it is none.
        """
        model: type[BaseModel] = route.payload
        if request.method not in WITH_BODY:
            return valid(model.model_validate_strings, _named(route, request))
        body = {} if _all_in_path(route) else await self._body(route, request)
        if not isinstance(body, dict):
            return valid(model.model_validate, body)
        given = dict(request.match_info)
        if key := _key(route, request):
            given["key"] = key
        return valid(model.model_validate, _merged(body, given))

    async def _body(self, route: Route[Any], request: web.Request) -> Any:
        """The JSON body; none counts as `{}`. A webhook's as it came, with its signature."""
        raw = await self._raw(route, request)
        if not raw:
            return {}
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise MalformedPayload("The body is not UTF-8.") from None
        if route.signature:
            return {"text": text, "signature": request.headers.get(route.signature, "")}
        return wire.read_json(text, 0, self._limits.json_depth)

    async def _raw(self, route: Route[Any], request: web.Request) -> bytes:
        most = self._limits.batch_body_bytes if route.large else self._limits.body_bytes
        if (request.content_length or 0) > most:
            raise PayloadTooLarge
        raw = bytearray()
        try:
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > most:
                    raise PayloadTooLarge
        except (web.HTTPRequestEntityTooLarge, *BROKEN_OFF):
            raise MalformedPayload("The body is not what its header says.") from None
        return bytes(raw)


def _all_in_path(route: Route[Any]) -> bool:
    """A body that nobody reads does no harm, whatever it is (RFC 8058's is a form)."""
    fields = set(route.payload.model_fields)
    return bool(fields) and fields == set(route.in_path)


def _named(route: Route[Any], request: web.Request) -> Mapping[str, str]:
    """Path and query as text, each name once."""
    if not route.payload.model_fields:
        return {}  # a query nobody reads does no harm
    query = request.query
    doubled = [name for name in query if len(query.getall(name)) > 1]
    if doubled:
        raise ValidationFailed(errors=[_twice(name) for name in dict.fromkeys(doubled)])
    return _merged(dict(query), dict(request.match_info))


def _merged(given: dict[str, Any], named: Mapping[str, str]) -> dict[str, Any]:
    """What was given twice must be the same."""
    differ = [name for name, value in named.items() if given.get(name, value) != value]
    if differ:
        raise ValidationFailed(errors=[_twice(name) for name in differ])
    return {**given, **named}


def _key(route: Route[Any], request: web.Request) -> str | None:
    return request.headers.get(IDEMPOTENCY_KEY) if "key" in route.payload.model_fields else None


def _twice(name: str) -> FieldProblem:
    return FieldProblem(field=name, message="Given more than once", type="multiple_values")
