"""The documents as they are served: two JSON files, and a page at /docs that shows them.

The page is plain files of web/docs: no build, nothing from other hosts.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson
from aiohttp import web

from config.settings import Settings
from handlers.registry import Catalogue
from server.documents.asyncapi import asyncapi
from server.documents.openapi import openapi

WEB = Path(__file__).resolve().parents[2] / "web" / "docs"
JSON = "application/json"
_FILES = {
    **dict.fromkeys(("/docs", "/docs/"), ("index.html", "text/html; charset=utf-8")),
    "/docs/docs.css": ("docs.css", "text/css; charset=utf-8"),
    **{
        f"/docs/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("docs", "parts", "text")
    },
}
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # asked for again after each release; mostly a 304
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A file in memory, in both forms that it is sent in."""

    body: bytes
    zipped: bytes
    media: str
    tag: str

    @classmethod
    def of(cls, body: bytes, media: str) -> Page:
        """A file of these bytes."""
        return cls(body, gzip.compress(body, mtime=0), media, sha256(body).hexdigest()[:16])

    async def serve(self, request: web.Request) -> web.Response:
        """Send it, unless the client has it already."""
        headers = {**_HEADERS, "ETag": f'"{self.tag}"', "Content-Type": self.media}
        if any(tag.value in {self.tag, "*"} for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self.zipped, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=self.body, headers=headers)


class ApiPages:
    """Everything that there is to read, made once, before the first is asked for."""

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        made = {"/openapi.json": openapi, "/asyncapi.json": asyncapi}
        self._pages = {
            path: Page.of(orjson.dumps(make(catalogue, settings)), JSON)
            for path, make in made.items()
        } | {
            path: Page.of((WEB / name).read_bytes(), media)
            for path, (name, media) in _FILES.items()
        }

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        for path, page in self._pages.items():
            app.router.add_get(path, page.serve)
