"""REST: routes of the catalogue through the boundary, probes, and errors as RFC 9457 says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any, Literal

import orjson
from aiohttp import web

from config.sections import Limits
from game.errors import (
    Forbidden,
    GameError,
    Internal,
    MalformedPayload,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    Unauthenticated,
)
from handlers.base import OPERATORS, Caller, Context, World
from handlers.registry import Catalogue, Route
from server.auth import Authenticator
from server.boundary import Boundary, error_object, new_request_id
from server.documents.openapi import API
from server.health import Details, FullHealth, Health, Liveness, Readiness
from server.http_address import Addresses
from server.limits import Requests as Credits
from server.metrics import Metrics
from server.noting import run_noted
from server.requests import Requests

JSON = "application/json"
METHODS = "GET, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key"
PREFLIGHT_SECONDS = "600"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Who = Callable[[web.Request], Awaitable[Caller]]


class Api:
    """The HTTP side of the node."""

    def __init__(
        self,
        *,
        world: World,
        boundary: Boundary,
        authenticator: Authenticator,
        addresses: Addresses,
        health: Health,
        metrics: Metrics,
        limits: Limits,
        details: Callable[[], Details],
    ) -> None:
        self._world = world
        self._boundary = boundary
        self._authenticator = authenticator
        self._addresses = addresses
        self._health = health
        self._metrics = metrics
        self._requests = Requests(limits)
        self._credits = Credits(limits)
        self._details = details

    def mount(self, app: web.Application, catalogue: Catalogue) -> None:
        """Add all routes and the middleware."""
        app.middlewares.append(self._middleware())
        for route in catalogue.routes:
            app.router.add_route(route.method, API + route.path, self.handler(route))
        self.mount_probes(app)

    def mount_probes(self, app: web.Application) -> None:
        """Add health and metrics."""
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/health", self._full_health)
        app.router.add_get("/metrics", self._scrape)

    def handler(self, route: Route[Any], who: Who | None = None) -> Handler:
        """What answers a route's requests, by their bearer tokens or by what `who` says."""
        name = f"{route.method} {route.path}"
        asks = who or self._bearer

        async def handle(request: web.Request) -> web.Response:
            request_id = new_request_id()
            outcome = await self._boundary.guard(
                "route", name, request_id, lambda: self._run(route, request, asks)
            )
            if outcome.error:
                return problem(outcome.error, request_id)
            return _answer(route, outcome.value, request_id)

        return handle

    async def _run(self, route: Route[Any], request: web.Request, who: Who) -> bytes:
        caller = self._admit(await who(request), route.roles) if route.signed_in else None
        address = self._addresses.of(request)
        command = await self._requests.read(route, request)
        ctx = Context(self._world, address, caller)
        reply = await (run_noted(route, command, ctx) if route.noted else route(command, ctx))
        if route.media != JSON:
            return str(reply).encode()
        return b"" if reply is None else orjson.dumps(reply)

    async def _bearer(self, request: web.Request) -> Caller:
        return await self._authenticator.bearer(request.headers.get("Authorization", ""))

    def _admit(self, caller: Caller, roles: frozenset[str]) -> Caller:
        """Let pass who may and does not ask too often."""
        self._credits.take(caller.account_id)
        if roles and caller.role not in roles:
            raise Forbidden
        return caller

    # Probes

    async def _live(self, _: web.Request) -> web.Response:
        return _json(200, orjson.dumps(Liveness(status="live")))

    async def _ready(self, _: web.Request) -> web.Response:
        ready = self._health.ready
        status: Literal["ready", "not_ready"] = "ready" if ready else "not_ready"
        body = Readiness(status=status, failing=self._health.failing)
        return _json(200 if ready else 503, orjson.dumps(body))

    async def _full_health(self, request: web.Request) -> web.Response:
        request_id = new_request_id()

        async def run() -> bytes:
            self._admit(await self._bearer(request), OPERATORS)
            return orjson.dumps(FullHealth(checks=self._health.checks, **self._details()))

        outcome = await self._boundary.guard("route", "GET /health", request_id, run)
        if outcome.error:
            return problem(outcome.error, request_id)
        return _json(200, outcome.value, request_id)

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.scrape(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    # Everything that is not one of our routes

    def _middleware(self) -> Any:
        @web.middleware
        async def translate(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith(API):
                return await self._cross_origin(request, handler)
            return await _translated(request, handler)

        return translate

    async def _cross_origin(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Browsers may call from our own origin and from those of the settings."""
        origin = request.headers.get("Origin", "")
        if not origin:
            return await _translated(request, handler)
        allowed = self._addresses.allowed(origin, request.host)
        preflight = "Access-Control-Request-Method" in request.headers
        if request.method == "OPTIONS" and preflight:
            response: web.StreamResponse = web.Response(status=204 if allowed else 403)
        elif not allowed:
            return problem(Forbidden("This origin may not call."), new_request_id())
        else:
            response = await _translated(request, handler)
        if allowed:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
            response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        return response


async def _translated(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Aiohttp's own errors in our shape."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        shown = problem(_as_ours(error), new_request_id(), status=error.status)
        if "Allow" in error.headers:  # a 405 says what would be (RFC 9110, 15.5.6)
            shown.headers["Allow"] = error.headers["Allow"]
        return shown


def _as_ours(error: web.HTTPException) -> GameError:
    match error.status:
        case 401:
            return Unauthenticated()
        case 404:
            return NotFound()
        case 405:
            return MethodNotAllowed()
        case 413:
            return PayloadTooLarge()
        case status if status < 500:
            return MalformedPayload()
    return Internal()


def problem(error: GameError, request_id: str, status: int | None = None) -> web.Response:
    """An error as application/problem+json (RFC 9457)."""
    headers = {"X-Request-Id": request_id, "Content-Type": "application/problem+json"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, ceil(error.retry_after)))
    shown = error_object(error, request_id)
    shown["status"] = status or error.status  # RFC 9457, 3.1.2: that of the answer
    if shown["status"] == web.HTTPUnauthorized.status_code:  # RFC 9110, 11.6.1: every 401
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(status=shown["status"], body=orjson.dumps(shown), headers=headers)


def _answer(route: Route[Any], body: bytes, request_id: str) -> web.Response:
    response = _json(route.status, body, request_id)
    if route.media != JSON:
        response.headers["Content-Type"] = route.media
    if route.file:
        response.headers["Content-Disposition"] = f'attachment; filename="{route.file}"'
    return response


def _json(status: int, body: bytes, request_id: str | None = None) -> web.Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if request_id:
        headers["X-Request-Id"] = request_id
    return web.Response(status=status, body=body or None, headers=headers)
