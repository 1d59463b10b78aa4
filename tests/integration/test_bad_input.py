"""Bad input of every kind gets its code, or a clean end of the connection."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest

from tests.harness import Server, Table
from tests.integration.chat_kit import in_room
from tests.integration.wire import ENGINE, POLLING, acknowledged, closed, packet, sign_in, until

HUGE = "1" + "0" * 400


def nested(depth: int) -> str:
    """An object whose lists nest so deep that there are `depth` levels below the event."""
    return '{"status":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


# By the argument's JSON, with the code of what it is for `presence:set`.
ARGUMENTS = {
    '"text"': "malformed_payload",
    "7": "malformed_payload",
    "null": "malformed_payload",
    "[]": "malformed_payload",
    "{},{}": "malformed_payload",
    '{"status":"away"},"extra"': "malformed_payload",
    "{": "malformed_payload",
    '{"status":"away"': "malformed_payload",
    '{"status":NaN}': "malformed_payload",
    '{"status":Infinity}': "malformed_payload",
    '{"status":"\\ud800"}': "malformed_payload",
    '{"status":"\\udfff\\ud800"}': "malformed_payload",
    '{"status":"\x07"}': "malformed_payload",
    '{"status":' + HUGE + "}": "malformed_payload",
    '{"status":01}': "malformed_payload",
    "{'status':'away'}": "malformed_payload",
    nested(9): "malformed_payload",
    nested(2_000): "malformed_payload",
    nested(8): "validation_failed",
    "{}": "validation_failed",
    '{"status":"away","status2":1}': "validation_failed",
    '{"status":1e308}': "validation_failed",
    '{"status":123456789012345678901234567890}': "validation_failed",
    '{"status":["away"]}': "validation_failed",
    '{"status":{"away":true}}': "validation_failed",
    '{"status":"' + "x" * 10_000 + '"}': "validation_failed",
    '{"status":"' + "[{" * 1_000 + '"}': "validation_failed",
    '{"__proto__":{},"constructor":1}': "validation_failed",
    '{"status":"' + "x" * 17_000 + '"}': "payload_too_large",
    '{"status":"' + "é" * 8_500 + '"}': "payload_too_large",
    "[" * 20_000: "payload_too_large",
}


@pytest.mark.parametrize("argument", ARGUMENTS, ids=lambda text: text[:20])
async def test_a_bad_argument_gets_its_code(lone: Server, table: Table, argument: str) -> None:
    tokens = (await table.guest(lone.url)).tokens
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        await sign_in(opened, tokens)
        await opened.send_str(f'427["presence:set",{argument}]')
        envelope = await acknowledged(opened, 7)
        assert envelope["ok"] is False
        assert envelope["error"]["code"] == ARGUMENTS[argument]
        assert envelope["error"]["request_id"]
        await opened.send_str(f'42["presence:set",{argument}]')
        event, error, *_ = orjson.loads((await packet(opened)).removeprefix("2"))
        assert (event, error["code"]) == ("server:error", ARGUMENTS[argument])
        await opened.send_str('428["presence:set",{"status":"away"}]')
        assert (await acknowledged(opened, 8))["ok"] is True


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('["no:such:event",{}]', "unknown_event"),
        ('["connect",{}]', "unknown_event"),
        ('["disconnect",{}]', "unknown_event"),
        ('["__disconnect_final"]', "unknown_event"),
        ('["*",{}]', "unknown_event"),
        ('["session:ready",{}]', "unknown_event"),
        ('["guild:list",{}]', "unknown_event"),
        ('["",{}]', "unknown_event"),
        ("[]", "malformed_payload"),
        ("[7,{}]", "malformed_payload"),
        ("[null]", "malformed_payload"),
        ('{"event":"x"}', "malformed_payload"),
        ('"presence:set"', "malformed_payload"),
        ("", "malformed_payload"),
        ("x", "malformed_payload"),
    ],
)
async def test_what_is_no_event_gets_its_code(
    lone: Server, table: Table, text: str, code: str
) -> None:
    tokens = (await table.guest(lone.url)).tokens
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        await sign_in(opened, tokens)
        await opened.send_str("427" + text)
        assert (await acknowledged(opened, 7))["error"]["code"] == code


async def test_an_event_without_an_argument_has_an_empty_one(lone: Server, table: Table) -> None:
    tokens = (await table.guest(lone.url)).tokens
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        await sign_in(opened, tokens)
        await opened.send_str('420["duel:active"]')
        assert await acknowledged(opened, 0) == {"ok": True, "data": {"duel": None}}


async def test_a_text_of_20_kb_is_too_large(lone: Server, table: Table) -> None:
    ann, room = await in_room(lone, table)
    assert await ann.fails("chat:send", room=room, text="x" * 20_000) == "payload_too_large"
    assert await ann.fails("chat:send", room=room, text="x" * 16_000) == "validation_failed"


# Binary


async def test_binary_where_text_is_due_does_not_validate(lone: Server, table: Table) -> None:
    ann, room = await in_room(lone, table)
    for text in (b"bytes", [b"1", b"2"], {"a": b"\xff"}):
        assert await ann.fails("chat:send", room=room, text=text) == "validation_failed"
    await ann.do("chat:send", room=room, text="text")


@pytest.mark.parametrize(
    "frames",
    [
        [b"nobody asked"],
        ['451-7["presence:set",{"status":{"_placeholder":true,"num":0}}]', b"x" * 17_000],
        ['451-7["presence:set",{"status":{"_placeholder":true,"num":7}}]', b"x"],
        ['451-7["presence:set",{"status":{"_placeholder":true,"num":-1}}]', b"x"],
        ['451-7["presence:set",{"status":{"_placeholder":true}}]', b"x"],
        ['451-7["presence:set",{"status":{"_placeholder":true,"num":"0"}}]', b"x"],
        ['451-7{"_placeholder":true,"num":0}', b"x"],
        ['459-7["presence:set",{}]'],
        ['45999-7["presence:set",{}]'],
        ['450-7["presence:set",{}]'],
        ["451-7[", b"x"],
        ['451-/admin,7["presence:set",{"status":"away"}]', b"x"],
        ['451-7["presence:set",{"status":' + "[" * 5_000, b"x"],
        ['451-7["presence:set",{"status":NaN}]', b"x"],
        ["45", b"x"],
        ['461-7[{"_placeholder":true,"num":0}]', b"x"],
    ],
    ids=lambda frames: str(frames[0])[:40],
)
async def test_a_binary_message_that_does_not_fit_is_refused(
    lone: Server, table: Table, frames: list[str | bytes]
) -> None:
    tokens = (await table.guest(lone.url)).tokens
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        await sign_in(opened, tokens)
        for frame in frames:
            await (opened.send_str(frame) if isinstance(frame, str) else opened.send_bytes(frame))
        await opened.send_str('428["presence:set",{"status":"away"}]')
        refusals = []
        while not (said := await packet(opened)).startswith("38["):
            refusals.append(orjson.loads(said[said.index("[") :])[-1])
        assert orjson.loads(said[2:])[0]["ok"] is True
        errors = [one.get("error", one) for one in refusals]
        assert errors
        assert {error["code"] for error in errors} <= {"malformed_payload", "validation_failed"}


# What ends a connection


async def test_a_frame_over_64_kib_ends_the_connection(lone: Server, table: Table) -> None:
    tokens = (await table.guest(lone.url)).tokens
    for size in (65_537, 1_000_000):
        for kind in ("text", "bytes"):
            async with table.http.ws_connect(lone.url + ENGINE) as opened:
                await sign_in(opened, tokens)
                try:
                    if kind == "text":
                        await opened.send_str("4" * size)
                    else:
                        await opened.send_bytes(b"4" * size)
                except (ConnectionError, aiohttp.ClientError):
                    pass  # closed before it was read whole
                assert await closed(opened)


async def test_a_frame_that_is_not_utf_8_ends_the_connection(lone: Server, table: Table) -> None:
    tokens = (await table.guest(lone.url)).tokens
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        await sign_in(opened, tokens)
        await opened._writer.send_frame(b"4\xff\xfe", aiohttp.WSMsgType.TEXT)
        assert await closed(opened)


@pytest.mark.parametrize("junk", ["", "x", "9", "{}", "\x00", "8probe"])
async def test_what_is_no_engine_packet_ends_the_connection(
    lone: Server, table: Table, junk: str
) -> None:
    tokens = (await table.guest(lone.url)).tokens
    async with table.http.ws_connect(lone.url + ENGINE) as opened:
        await sign_in(opened, tokens)
        await opened.send_str(junk)
        assert await closed(opened)


@pytest.mark.parametrize(
    "body",
    [
        b"4" * 65_537,
        b"\xff\xfe",
        b"x",
        b"",
        b"4\x1e" * 65,
        b'42["presence:set"]\x1e\x1e',
    ],
    ids=lambda body: str(body[:12]),
)
async def test_a_polling_body_that_does_not_fit_is_refused(
    lone: Server, table: Table, body: bytes
) -> None:
    async with table.http.get(lone.url + POLLING) as answer:
        sid = orjson.loads((await answer.text())[1:])["sid"]
    tokens = (await table.guest(lone.url)).tokens
    auth = orjson.dumps({"token": tokens["access_token"]})
    session = f"{lone.url}{POLLING}&sid={sid}"
    async with table.http.post(session, data=b"40" + auth) as answer:
        assert answer.status == 200
    async with table.http.post(session, data=body) as answer:
        assert answer.status == 400
        assert "Traceback" not in await answer.text()
    assert (await table.post(lone.url, "/auth/guest", {}))[0] == 201


# Too much


async def test_41_events_at_once_are_one_too_many(strict: Server, table: Table) -> None:
    ann = await table.seat(strict.url)
    answers = await asyncio.gather(*(ann.ask("duel:active") for _ in range(60)))
    errors = [answer["error"] for answer in answers if not answer["ok"]]
    assert all(answer["ok"] for answer in answers[:40])
    assert errors
    assert {error["code"] for error in errors} == {"rate_limited"}
    assert all(0 < error["retry_after"] <= 0.05 for error in errors)
    await until(lambda: ann.ask("duel:active"), lambda answer: answer["ok"])


async def test_200_refusals_end_the_connection(strict: Server, table: Table) -> None:
    ann = await table.guest(strict.url)
    async with table.http.ws_connect(strict.url + ENGINE) as opened:
        await sign_in(opened, ann.tokens)
        # Junk, bad events and good ones cost the same.
        for junk in ("4x", '42["no:such:event"]', '42["duel:active"]') * 110:
            await opened.send_str(junk)
        said = await packet(opened)
        codes = []
        while said.startswith('2["server:error"'):
            codes.append(orjson.loads(said[1:])[1]["code"])
            said = await packet(opened)
        event, farewell, *_ = orjson.loads(said[1:])
        assert event == "server:disconnect"
        assert (farewell["code"], farewell["reconnect"]) == ("abuse", False)
        assert codes.count("rate_limited") == 200
        assert await closed(opened)
    again: Any = await ann.connect()
    await again.do("duel:active")
