"""REST: one error shape, whatever goes wrong, and who may call from a browser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from tests.harness import Server, Table
from tests.integration.conftest import FRIEND

API = "/api/v1"
INTERNALS = ("traceback", "exception", "pydantic", "aiohttp", 'file "', "127.0.0.1", "redis")


async def problem_of(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """The error object, after the checks that every one must pass."""
    text = await answer.text()
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = orjson.loads(text)
    assert problem["status"] == answer.status
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert isinstance(problem["retryable"], bool)
    optional = {"retry_after", "errors"}
    assert problem.keys() - optional == {
        *("type", "title", "status", "detail", "code", "retryable", "request_id")
    }
    assert not [word for word in INTERNALS if word in text.lower()]
    return problem


async def post(server: Server, table: Table, path: str, data: bytes) -> tuple[int, dict[str, Any]]:
    async with table.http.post(server.url + API + path, data=data) as answer:
        return answer.status, await problem_of(answer)


async def test_an_unknown_path_is_not_found(lone: Server, table: Table) -> None:
    for path in ("/nothing", API, API + "/nothing", API + "/auth/guest/", "/socket.io"):
        async with table.http.get(lone.url + path) as answer:
            assert (await problem_of(answer))["code"] == "not_found"
            assert answer.status == 404


async def test_a_method_that_a_path_does_not_know_is_named_as_such(
    lone: Server, table: Table
) -> None:
    for method, path, allowed in (
        ("GET", API + "/auth/guest", {"POST"}),
        ("DELETE", API + "/characters", {"GET", "POST"}),
        ("POST", "/health/live", {"GET", "HEAD"}),
    ):
        async with table.http.request(method, lone.url + path) as answer:
            assert (await problem_of(answer))["code"] == "method_not_allowed"
            assert answer.status == 405
            assert set(answer.headers["Allow"].split(",")) == allowed


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1_000):
        yield b" " * 1_000


async def test_a_body_over_64_kib_is_too_large(lone: Server, table: Table) -> None:
    guest = lone.url + API + "/auth/guest"
    for body in (b" " * 65_537, chunks(100_000)):
        async with table.http.post(guest, data=body) as answer:
            assert (await problem_of(answer))["code"] == "payload_too_large"
            assert answer.status == 413
    async with table.http.post(guest, data=b'{"name": "just"}'.ljust(65_536)) as answer:
        assert answer.status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"name": NaN}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"\x00" * 100,
        b'{"name": ' * 1_000,
        b'{"name": ' + b"[" * 9 + b"]" * 9 + b"}",
        b'{"name": "a"} {"name": "b"}',
        b'{"name": 1' + b"0" * 400 + b"}",
    ],
)
async def test_a_body_that_is_no_json_is_malformed(lone: Server, table: Table, body: bytes) -> None:
    status, problem = await post(lone, table, "/auth/guest", body)
    assert (status, problem["code"]) == (400, "malformed_payload")


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/auth/guest", {"name": 7}, {"name"}),
        ("/auth/guest", {"name": "ann", "role": "admin"}, {"role"}),
        ("/auth/guest", {"name": "x" * 41}, {"name"}),
        ("/auth/guest", {"name": 10**25}, {"name"}),
        ("/auth/guest", [], {""}),
        ("/auth/register", {}, {"username", "password"}),
        ("/auth/register", {"username": "a b", "password": "long enough"}, {"username"}),
        ("/auth/register", {"username": "ann", "password": "short"}, {"password"}),
        ("/auth/login", {"username": "ann", "password": "x" * 129}, {"password"}),
        ("/auth/refresh", {"refresh_token": None}, {"refresh_token"}),
    ],
)
async def test_fields_that_do_not_fit_are_named(
    lone: Server, table: Table, path: str, body: object, fields: set[str]
) -> None:
    # The standard library writes integers of any length, as clients may.
    async with table.http.post(lone.url + API + path, json=body) as answer:
        problem = await problem_of(answer)
    assert (problem["status"], problem["code"]) == (422, "validation_failed")
    assert {error["field"] for error in problem["errors"]} == fields
    for error in problem["errors"]:
        assert error.keys() == {"field", "message", "type"}


async def test_what_was_sent_is_not_told_back(lone: Server, table: Table) -> None:
    secret = "my secret pass phrase" + "x" * 200
    body = orjson.dumps({"username": "ann", "password": secret})
    _, problem = await post(lone, table, "/auth/login", body)
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi", "a.b.c", "Bearer é"]
)
async def test_without_a_good_token_a_caller_is_unauthenticated(
    lone: Server, table: Table, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in (("GET", "/me"), ("POST", "/auth/logout"), ("GET", "/characters")):
        async with table.http.request(method, lone.url + API + path, headers=headers) as answer:
            assert (await problem_of(answer))["code"] == "unauthenticated"
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_every_answer_has_a_request_id_of_its_own(lone: Server, table: Table) -> None:
    seen = set()
    for _ in range(3):
        async with table.http.post(lone.url + API + "/auth/guest", json={}) as answer:
            seen.add(answer.headers["X-Request-Id"])
            assert answer.headers["Cache-Control"] == "no-store"
    assert len(seen) == 3


async def test_a_request_that_is_no_http_ends_without_a_trace(lone: Server) -> None:
    host, port = lone.url.removeprefix("http://").split(":")
    for junk in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"nonsense\r\n\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(junk)
        writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        said = await asyncio.wait_for(reader.read(), 10)
        assert b"Traceback" not in said
        writer.close()
        await writer.wait_closed()


# Browsers


async def test_the_own_and_a_listed_origin_may_call(lone: Server, table: Table) -> None:
    for origin in (lone.url, FRIEND):
        headers = {"Origin": origin}
        async with table.http.post(
            lone.url + API + "/auth/guest", json={}, headers=headers
        ) as answer:
            assert answer.status == 201
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert answer.headers["Vary"] == "Origin"


async def test_a_foreign_origin_may_not_call(lone: Server, table: Table) -> None:
    for origin in ("https://evil.example", "null", FRIEND + ".evil.example", FRIEND.upper()):
        headers = {"Origin": origin}
        async with table.http.post(
            lone.url + API + "/auth/guest", json={}, headers=headers
        ) as answer:
            assert (await problem_of(answer))["code"] == "forbidden"
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_an_error_can_be_read_by_a_page_that_may_call(lone: Server, table: Table) -> None:
    headers = {"Origin": FRIEND}
    async with table.http.get(lone.url + API + "/me", headers=headers) as answer:
        assert (await problem_of(answer))["code"] == "unauthenticated"
        assert answer.headers["Access-Control-Allow-Origin"] == FRIEND


async def test_a_preflight_is_answered_by_the_origin(lone: Server, table: Table) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Origin": FRIEND}
    async with table.http.options(lone.url + API + "/auth/guest", headers=asked) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    asked["Origin"] = "https://evil.example"
    async with table.http.options(lone.url + API + "/auth/guest", headers=asked) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_socket_is_let_in_by_its_origin(lone: Server, table: Table) -> None:
    url = lone.url + "/socket.io/?EIO=4&transport=polling"
    for origin, status in ((lone.url, 200), (FRIEND, 200), ("https://evil.example", 400)):
        async with table.http.get(url, headers={"Origin": origin}) as answer:
            assert answer.status == status
            allowed = answer.headers.get("Access-Control-Allow-Origin")
            assert allowed == (origin if status == 200 else None)


async def test_a_websocket_is_let_in_by_its_origin(lone: Server, table: Table) -> None:
    url = lone.url + "/socket.io/?EIO=4&transport=websocket"
    async with table.http.ws_connect(url, headers={"Origin": FRIEND}) as opened:
        assert (await opened.receive_str()).startswith('0{"sid"')
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await table.http.ws_connect(url, headers={"Origin": "https://evil.example"})
    assert refused.value.status == 400
