"""The player page: the files of web/, read once, under headers that let nothing else in."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from aiohttp import web

WEB = Path(__file__).resolve().parents[1] / "web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
SMALL = 1_000  # bytes; below that gzip gains nothing
HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9a-fA-F:.]+\](:[0-9]+)?")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-cache",  # asked again each time: a page never meets another one's modules
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent; `packed` is its gzip, empty where that gains nothing."""

    content_type: str
    body: bytes
    packed: bytes
    etag: str


class Pages:
    """The page at `/`, and the files of all pages below `/static/`.

    What is served is a list made at the start: no path of a request ever reaches the file
    system.
    """

    def __init__(self, folder: Path = WEB) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in TYPES
        }

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/", self._page)
        app.router.add_get("/static/{name:.+}", self._static)

    async def _page(self, request: web.Request) -> web.Response:
        return _answer(request, self._files["index.html"])

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files or (name.startswith("admin/") and name.endswith(".html")):
            raise web.HTTPNotFound
        return _answer(request, self._files[name])

    def page(self, request: web.Request, name: str) -> web.Response:
        """A page of another part of the server."""
        return _answer(request, self._files[f"{name}.html"])


def policy(host: str) -> str:
    """The Content-Security-Policy of a page of this host: its own files, its own server.

    The sockets are named because older browsers do not count `ws:` to the own origin.
    """
    sockets = f" ws://{host} wss://{host}" if HOST.fullmatch(host) else ""
    return (
        f"default-src 'self'; connect-src 'self'{sockets}; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _read(path: Path) -> File:
    body = path.read_bytes()
    packed = gzip.compress(body, mtime=0) if len(body) > SMALL else b""
    return File(TYPES[path.suffix], body, packed, sha256(body).hexdigest()[:32])


def _answer(request: web.Request, file: File) -> web.Response:
    headers = {**HEADERS, "Content-Security-Policy": policy(request.host)}
    packed = bool(file.packed) and "gzip" in request.headers.get("Accept-Encoding", "")
    etag = f'"{file.etag}{"-gz" if packed else ""}"'
    headers |= {"ETag": etag, "Content-Type": file.content_type}
    if etag in request.headers.get("If-None-Match", ""):
        del headers["Content-Type"]
        return web.Response(status=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=file.packed if packed else file.body, headers=headers)
