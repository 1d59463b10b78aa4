"""The staff's pages below /admin: a sign-in kept in a cookie, and the staff's REST calls by it.

A browser sends cookies by itself, also with what another site makes it ask for. So this one
goes with requests of our own pages only (SameSite=Strict), and whatever changes something must
have the session's CSRF token in a header and come from our own origin. What is asked for runs
through the same routes, roles, limits and logs as with a bearer token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import TypedDict, cast

import orjson
from aiohttp import web

from game.errors import Banned, Forbidden, TokenExpired, TokenRevoked, Unauthenticated
from handlers import accounts
from handlers.base import ADMINS, MODERATORS, OPERATORS, Caller, Context, World
from handlers.payloads import Nothing
from handlers.registry import Catalogue
from server.api import JSON, Api, problem
from server.auth import Authenticator
from server.boundary import Boundary, new_request_id
from server.http_address import Addresses
from server.pages import Pages
from server.requests import Requests

COOKIE = "showdown-admin"
# Only a secure page of this very host can set one of that name (RFC 6265bis, 4.1.3.2).
SECURE_COOKIE = f"__Host-{COOKIE}"
CSRF = "X-CSRF-Token"
STAFF = OPERATORS | MODERATORS | ADMINS
PAGES = {"queues": OPERATORS, "moderation": MODERATORS}
SAFE = frozenset({"GET", "HEAD"})
NOT_IN = (Unauthenticated, TokenExpired, TokenRevoked, Banned, Forbidden)

Work = Callable[[web.Request], Awaitable[web.Response]]


class SessionAnswer(TypedDict):
    """Who is signed in, and what his pages need; `expires_in` seconds, unless it is renewed."""

    username: str
    role: str
    pages: list[str]
    csrf_token: str
    expires_in: int


class Admin:
    """The pages, their sign-in, and the staff's calls below /admin/api."""

    def __init__(
        self,
        *,
        world: World,
        api: Api,
        pages: Pages,
        boundary: Boundary,
        authenticator: Authenticator,
        addresses: Addresses,
    ) -> None:
        self._world = world
        self._api = api
        self._pages = pages
        self._boundary = boundary
        self._authenticator = authenticator
        self._addresses = addresses
        self._requests = Requests(world.settings.limits)

    def mount(self, app: web.Application, catalogue: Catalogue) -> None:
        """Add all routes. Those with roles are the staff's; nothing else goes by cookie."""
        router = app.router
        router.add_get("/admin", self._guarded(self._page))
        router.add_get("/admin/sign-in", self._sign_in_page)
        router.add_get("/admin/session", self._guarded(self._session))
        router.add_post("/admin/session", self._guarded(self._sign_in))
        router.add_delete("/admin/session", self._guarded(self._sign_out))
        for name in PAGES:
            router.add_get(f"/admin/{name}", self._guarded(self._page))
        for route in catalogue.routes:
            if route.roles:
                handler = self._api.handler(route, self._caller)
                router.add_route(route.method, f"/admin/api{route.path}", handler)

    def _guarded(self, work: Work) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Run it through the boundary, as everything that is asked from outside."""

        async def handle(request: web.Request) -> web.Response:
            request_id = new_request_id()
            outcome = await self._boundary.guard(
                "route",
                f"{request.method} {request.path}",
                request_id,
                lambda: work(request),
            )
            if outcome.error:
                return problem(outcome.error, request_id)
            answer: web.Response = outcome.value
            return answer

        return handle

    # Who asks

    async def _caller(self, request: web.Request) -> Caller:
        """Who asks, by the cookie.

        Raises:
            Unauthenticated, TokenExpired, TokenRevoked, Banned: the cookie is not good.
            Forbidden: it would change something, and is not what our own page asks.
        """
        caller = await self._authenticator.holder(_cookie(request)[1])
        if caller.role not in STAFF:
            raise Forbidden
        if request.method not in SAFE:
            self._only_own(request)
            if not _same(request.headers.get(CSRF, ""), self._token(caller)):
                raise Forbidden("The page's CSRF token is missing or is another session's.")
        return caller

    def _only_own(self, request: web.Request) -> None:
        """Let pass what our own pages ask for; every browser says where a POST comes from."""
        if not self._addresses.own(request.headers.get("Origin", ""), request.host):
            raise Forbidden("Only pages of this server may do that.")

    def _token(self, caller: Caller) -> str:
        """The CSRF token: one for all pages of a sign-in, which another sign-in has not."""
        return self._world.tokens.seal("csrf", caller.family)

    # Pages

    async def _page(self, request: web.Request) -> web.Response:
        """A page, or the way to where the visitor belongs."""
        name = request.path.removeprefix("/admin").strip("/")
        try:
            caller = await self._caller(request)
        except NOT_IN:
            return _to("sign-in")
        if caller.role in PAGES.get(name, ()):
            return self._pages.page(request, f"admin/{name}")
        return _to(_open_to(caller.role)[0])

    async def _sign_in_page(self, request: web.Request) -> web.Response:
        return self._pages.page(request, "admin/sign-in")

    # The session

    async def _sign_in(self, request: web.Request) -> web.Response:
        """Begin a session, by the same sign-in as players': its limits, its lock-out."""
        self._only_own(request)
        command = cast("accounts.Credentials", await self._requests.read(accounts.login, request))
        ctx = Context(self._world, self._addresses.of(request))
        answer = await accounts.login(command, ctx)
        caller = await self._authenticator.holder(answer["access_token"])
        if caller.role not in STAFF:
            ctx.signed_in = caller
            await accounts.logout(Nothing(), ctx)
            raise Forbidden("This account has no role here.")
        secure = request.headers["Origin"].startswith("https://")
        return await self._renewed(caller, SECURE_COOKIE if secure else COOKIE)

    async def _session(self, request: web.Request) -> web.Response:
        """Tell who is signed in, and let the session go on for an access token's life."""
        return await self._renewed(await self._caller(request), _cookie(request)[0])

    async def _sign_out(self, request: web.Request) -> web.Response:
        """End the session, wherever its cookie may be by now."""
        caller = await self._caller(request)
        address = self._addresses.of(request)
        await accounts.logout(Nothing(), Context(self._world, address, caller))
        response = web.Response(status=204)
        _keep(response, _cookie(request)[0], "", 0)
        return response

    async def _renewed(self, caller: Caller, cookie: str) -> web.Response:
        world = self._world
        longest = world.settings.admin.session_seconds
        account = await world.accounts.continued(caller.family, longest)
        token, seconds = world.tokens.issue(account, caller.family)
        answer = SessionAnswer(
            username=account.username or account.id,
            role=account.role,
            pages=_open_to(account.role),
            csrf_token=self._token(caller),
            expires_in=seconds,
        )
        headers = {"Content-Type": JSON, "Cache-Control": "no-store"}
        response = web.Response(body=orjson.dumps(answer), headers=headers)
        _keep(response, cookie, token, seconds)
        return response


def _open_to(role: str) -> list[str]:
    return [name for name, roles in PAGES.items() if role in roles]


def _cookie(request: web.Request) -> tuple[str, str]:
    """The session's cookie: its name, and the token in it, empty if there is none."""
    name = SECURE_COOKIE if SECURE_COOKIE in request.cookies else COOKIE
    return name, request.cookies.get(name, "")


def _keep(response: web.Response, name: str, token: str, seconds: int) -> None:
    """Let the browser keep the token for so long, out of reach of scripts; 0: no longer."""
    secure = name == SECURE_COOKIE
    response.set_cookie(
        name,
        token,
        max_age=seconds,
        path="/" if secure else "/admin",
        secure=secure,
        httponly=True,
        samesite="Strict",
    )


def _to(page: str) -> web.Response:
    headers = {"Location": f"/admin/{page}", "Cache-Control": "no-store"}
    return web.Response(status=303, headers=headers)


def _same(sent: str, token: str) -> bool:
    return compare_digest(sent.encode("utf-8", "surrogateescape"), token.encode())
