"""What the page is made of, as it is sent."""

from __future__ import annotations

import asyncio
import re
import subprocess

import aiohttp
import pytest

from server.pages import WEB, policy
from tests.harness import ROOT, Server, Table

pytestmark = pytest.mark.e2e
ELSEWHERE = re.compile(r"""["'(](?:https?:)?//\w""")
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(")
OUTSIDE = [
    "../server/app.py",
    "..%2fserver%2fapp.py",
    "%2e%2e/%2e%2e/etc/passwd",
    "js/../../pyproject.toml",
    "js/%2e%2e/%2e%2e/pyproject.toml",
    "..%5cpyproject.toml",
    "%2fetc%2fpasswd",
    "js",
    "js/",
    "",
    "tsconfig.json",
    "js/main.js%00.css",
]


async def raw(server: Server, path: str) -> tuple[int, bytes]:
    """A request whose path nobody tidies up on the way."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("path", OUTSIDE)
async def test_no_path_leads_out_of_the_list(web: Server, path: str) -> None:
    status, answer = await raw(web, f"/static/{path}")
    assert status in {400, 404}
    assert b"root:" not in answer
    assert b"[tool" not in answer


async def test_every_file_has_strict_headers_and_can_be_asked_for_again(
    web: Server, table: Table
) -> None:
    host = web.url.removeprefix("http://")
    names = [path.relative_to(WEB).as_posix() for path in WEB.rglob("*.[jhc]s*") if path.is_file()]
    paths = ["/", *(f"/static/{name}" for name in names if not name.endswith(".json"))]
    assert len(paths) > 20
    for path in paths:
        async with table.http.get(web.url + path) as answer:
            assert answer.status == 200, path
            headers = answer.headers
            body = await answer.read()
        assert headers["Content-Security-Policy"] == policy(host)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert (
            body == (WEB / (path.removeprefix("/static/").strip("/") or "index.html")).read_bytes()
        )
        async with table.http.get(
            web.url + path, headers={"If-None-Match": headers["ETag"]}
        ) as answer:
            assert answer.status == 304
            assert await answer.read() == b""


async def test_the_policy_lets_nothing_in(web: Server, table: Table) -> None:
    rules = dict(
        rule.strip().split(" ", 1) for rule in policy("game.example:8080").split(";") if rule
    )
    assert rules["default-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["connect-src"] == "'self' ws://game.example:8080 wss://game.example:8080"
    assert "unsafe" not in policy("x")
    assert "evil" not in policy("x; script-src evil")
    async with table.http.head(web.url + "/") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_the_page_has_no_inline_script_or_style_and_needs_no_other_host() -> None:
    html = (WEB / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
    for file in (path for path in WEB.rglob("*") if path.suffix in {".html", ".css", ".js"}):
        text = file.read_text("utf-8")
        if file.parent.name == "vendor":
            continue
        assert not ELSEWHERE.search(text.replace("http://www.w3.org/2000/svg", "")), file
        assert not MARKUP.search(text), file


def test_the_vendored_client_is_the_stock_one() -> None:
    stock = ROOT / "node_modules" / "socket.io-client" / "dist" / "socket.io.esm.min.js"
    shown = [line for line in stock.read_text("utf-8").splitlines() if "sourceMapping" not in line]
    vendored = (WEB / "vendor" / "socket.io.esm.min.js").read_text("utf-8")
    assert vendored.splitlines() == shown


@pytest.mark.js
def test_the_modules_keep_to_their_types() -> None:
    tsc = ROOT / "node_modules" / ".bin" / "tsc"
    done = subprocess.run(
        [tsc, "-p", "web"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout


async def test_a_page_of_another_server_cannot_frame_or_read_it(web: Server, table: Table) -> None:
    async with table.http.get(web.url + "/", headers={"Origin": "https://evil.example"}) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert isinstance(answer, aiohttp.ClientResponse)
