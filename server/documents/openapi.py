"""OpenAPI 3.1 of the REST calls and the probes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from config.settings import Settings
from game import errors
from game.errors import ErrorObject, GameError
from handlers.base import OPERATORS
from handlers.payloads import Nothing
from handlers.registry import Catalogue, Route
from server.documents import contract
from server.documents.examples import Examples
from server.documents.parameters import has_body, parameters, without
from server.documents.refusals import (
    ALWAYS,
    BODY,
    CALLS,
    GIVEN,
    ORIGIN,
    SIGNED_IN,
    Refusals,
    described,
    error_schema,
    listed,
    merged,
    only,
)
from server.documents.schemas import Schema, Schemas, answer_of, unwrapped
from server.health import FullHealth, Liveness, Readiness
from server.requests import WITH_BODY

API = "/api/v1"
PROBLEM = "application/problem+json"
JSON = "application/json"

_TEXT = """The calls of Showdown, below `/api/v1`: sign in here, then connect with
[Socket.IO](/asyncapi.json), which everything live goes over.

Every answer has an `X-Request-Id`. A refusal is `application/problem+json` (RFC 9457). A body
is JSON in UTF-8 whatever its `Content-Type` says; a missing one counts as `{}`. Pages of other
origins may call when they are in `SHOWDOWN_HTTP__ORIGINS`."""

_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The `access_token` of a sign-in.",
}
_REQUEST_ID = {"$ref": "#/components/headers/RequestId"}
_HEADERS = {
    "RequestId": {
        "description": "Finds the server's log line.",
        "required": True,
        "schema": {"type": "string"},
        "example": "9f2c4b1e-2a",
    },
    "ContentDisposition": {
        "description": "A browser saves the answer under this name.",
        "required": True,
        "schema": {"type": "string"},
        "example": 'attachment; filename="report.csv"',
    },
    "RetryAfter": {
        "description": "Seconds until a retry makes sense, when that is known.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 2,
    },
    "WwwAuthenticate": {
        "description": "How to sign in.",
        "required": True,
        "schema": {"const": "Bearer"},
        "example": "Bearer",
    },
}


@dataclass(frozen=True, slots=True)
class Probe:
    """A path that is not one of the catalogue's routes."""

    path: str
    name: str
    summary: str
    answers: tuple[tuple[int, Any], ...]
    refusals: Refusals | None = None
    media: str = JSON


PROBES = (
    Probe("/health/live", "health_live", "Whether the event loop turns.", ((200, Liveness),)),
    Probe(
        "/health/ready",
        "health_ready",
        "Whether the node is fit to serve, and which checks say no.",
        ((200, Readiness), (503, Readiness)),
    ),
    Probe(
        "/health",
        "health",
        "All checks and pools of the node, for administrators and operators.",
        ((200, FullHealth),),
        merged(SIGNED_IN, CALLS, only(OPERATORS), ALWAYS),
    ),
    Probe("/metrics", "metrics", "Metrics for Prometheus.", ((200, str),), media="text/plain"),
    Probe("/openapi.json", "openapi", "This document.", ((200, dict[str, Any]),)),
    Probe(
        "/asyncapi.json",
        "asyncapi",
        "The events, as an AsyncAPI document.",
        ((200, dict[str, Any]),),
    ),
)


def openapi(catalogue: Catalogue, settings: Settings) -> Schema:
    """The document."""
    return OpenApi(catalogue, settings).document()


class OpenApi:
    """Puts the document together."""

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self._routes = catalogue.routes
        self._settings = settings
        self._schemas = Schemas(_types(catalogue.routes))
        self._parameters = {
            (route.method, route.path): parameters(route, self._schemas)
            for route in catalogue.routes
            if route.payload is not Nothing
        }
        without(catalogue.routes, self._schemas)
        self._examples = Examples(self._schemas.components)
        self._names = Counter(route.handler.__name__ for route in catalogue.routes)

    def document(self) -> Schema:
        """The whole of it."""
        head = contract.info(f"{contract.TITLE} REST", _TEXT, self._settings)
        return {
            "openapi": "3.1.0",
            "info": {**head, "license": contract.LICENSE},
            "servers": [{"url": "/", "description": "This server."}],
            "tags": self._tags(),
            "paths": self._paths(),
            "components": {
                "schemas": self._schemas.components,
                "securitySchemes": {"bearer": _BEARER},
                "headers": _HEADERS,
                "examples": {
                    error.code: {"value": self._examples.refusal(error)}
                    for error in GameError.__subclasses__()
                },
            },
            "x-limits": contract.limits(self._settings),
            "x-errors": contract.codes(),
        }

    def _tags(self) -> list[Schema]:
        modules = dict.fromkeys(route.handler.__module__ for route in self._routes)
        tags = [
            {"name": _tag(module), "description": unwrapped(sys.modules[module].__doc__ or "")}
            for module in modules
        ]
        return [*tags, {"name": "probes", "description": "For balancers, operators and readers."}]

    def _paths(self) -> Schema:
        paths: Schema = {}
        for route in self._routes:
            paths.setdefault(API + route.path, {})[route.method.lower()] = self._route(route)
        for probe in PROBES:
            paths[probe.path] = {"get": self._probe(probe)}
        return paths

    def _route(self, route: Route[Any]) -> Schema:
        summary, text, raises = described(route.handler)
        body = route.method in WITH_BODY
        given = BODY if body else GIVEN if route.payload is not Nothing else {}
        mine = merged(SIGNED_IN, CALLS, only(route.roles)) if route.signed_in else {}
        refusals = merged(given, mine, ORIGIN, raises, ALWAYS)
        named = self._parameters.get((route.method, route.path), [])
        operation: Schema = {
            "operationId": self._name(route),
            "tags": [_tag(route.handler.__module__)],
            "summary": summary,
            **({"description": text} if text else {}),
            **({"security": [{"bearer": []}]} if route.signed_in else {}),
            **({"x-roles": sorted(route.roles)} if route.roles else {}),
            **({"parameters": named} if named else {}),
            **({"requestBody": self._body(route)} if has_body(route) else {}),
            "responses": {
                str(route.status): self._success(route),
                **self._refused(refusals),
            },
            "x-errors": listed(refusals),
        }
        return operation

    def _name(self, route: Route[Any]) -> str:
        """The handler's name, after its module's where two have the same."""
        name: str = route.handler.__name__
        return name if self._names[name] == 1 else f"{_tag(route.handler.__module__)}_{name}"

    def _body(self, route: Route[Any]) -> Schema:
        if route.signature:
            text = "As the provider sent it; what it signed."
            schema: Schema = {"type": "object", "description": text}
            return {"required": True, "content": {JSON: {"schema": schema, "example": {}}}}
        schema = self._schemas.of(route.payload)
        example = self._examples.of(schema)
        fields = route.payload.model_fields.items()
        return {
            "required": any(one.is_required() for name, one in fields if name not in route.in_path),
            "content": {JSON: {"schema": schema, "example": example}},
        }

    def _success(self, route: Route[Any]) -> Schema:
        answer = answer_of(route.handler)
        headers: Schema = {"X-Request-Id": _REQUEST_ID}
        if route.file:
            headers["Content-Disposition"] = {"$ref": "#/components/headers/ContentDisposition"}
        if answer is type(None):
            return {"description": "Done; there is no body.", "headers": headers}
        return {**self._answer(answer, route.media), "headers": headers}

    def _answer(self, type_: Any, media: str = JSON) -> Schema:
        schema = self._schemas.of(type_)
        example = {} if media != JSON else {"example": self._examples.of(schema)}
        text = unwrapped(getattr(type_, "__doc__", None) or "") if "$ref" in schema else "As asked."
        return {"description": text, "content": {media: {"schema": schema, **example}}}

    def _refused(self, refusals: Refusals) -> Schema:
        statuses = dict.fromkeys(error.status for error in refusals)
        return {
            str(status): self._problem(
                status, {one: when for one, when in refusals.items() if one.status == status}
            )
            for status in sorted(statuses)
        }

    def _problem(self, status: int, refusals: Refusals) -> Schema:
        reasons = [f"`{error.code}`: {when}" for error, when in refusals.items()]
        headers: Schema = {"X-Request-Id": _REQUEST_ID}
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WwwAuthenticate"}
        if any(_may_wait(error) for error in refusals):
            headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
        return {
            "description": "\n\n".join(reasons),
            "headers": headers,
            "content": {
                PROBLEM: {
                    "schema": error_schema(refusals, status),
                    "examples": {
                        error.code: {"$ref": f"#/components/examples/{error.code}"}
                        for error in refusals
                    },
                }
            },
        }

    def _probe(self, probe: Probe) -> Schema:
        answers = {
            str(status): self._answer(answer, probe.media) for status, answer in probe.answers
        }
        refusals = probe.refusals or {}
        if refusals:
            answers["200"]["headers"] = {"X-Request-Id": _REQUEST_ID}
        return {
            "operationId": probe.name,
            "tags": ["probes"],
            "summary": probe.summary,
            **({"security": [{"bearer": []}]} if refusals else {}),
            "responses": answers | self._refused(refusals),
            **({"x-errors": listed(refusals)} if refusals else {}),
        }


def _types(routes: Sequence[Route[Any]]) -> Iterable[Any]:
    yield ErrorObject
    for route in routes:
        if route.payload is not Nothing and not route.signature:
            yield route.payload
        if answer_of(route.handler) is not type(None):
            yield answer_of(route.handler)
    for probe in PROBES:
        yield from (type_ for _, type_ in probe.answers)


def _tag(module: str) -> str:
    return module.rpartition(".")[2]


def _may_wait(error: type[GameError]) -> bool:
    return error.retryable or error in {errors.Banned, errors.Muted}
