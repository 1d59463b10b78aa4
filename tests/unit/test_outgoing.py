"""Where webhooks and push messages may go, and where not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from server import outgoing
from server.outgoing import NO_ADDRESS, CheckedResolver, Outgoing, RefusedAddressError, is_public

PRIVATE = """127.0.0.1 127.9.9.9 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1
192.0.2.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1 ff02::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2001:0:7f00:1:: ::127.0.0.1
2001:db8::1""".split()
PUBLIC = "93.184.216.34 8.8.8.8 2606:2800:220:1:248:1893:25c8:1946 ::ffff:8.8.8.8".split()


class Names(AbstractResolver):
    """Resolves every name to the next of these addresses; the last one stays."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
        ]

    async def close(self) -> None: ...


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_nobody_elses_business_are_private(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


async def test_a_name_is_refused_for_one_address_that_is_private() -> None:
    with pytest.raises(RefusedAddressError):
        await CheckedResolver(Names("10.0.0.1")).resolve("inside.example", 443)
    assert await CheckedResolver(Names("8.8.8.8")).resolve("outside.example", 443)


def _sender(*, private: bool, seconds: float = 5.0) -> Outgoing:
    return Outgoing(private=private, seconds=seconds, slots=2, count=lambda _: None)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"]
)
async def test_nothing_is_sent_to_this_machine_however_it_is_written(host: str) -> None:
    async with answering(lambda _: web.Response()) as port:
        reply = await _sender(private=False).post(f"http://{host}:{port}/", b"", {})
        assert reply.status is None
        assert reply.error == NO_ADDRESS or "Error" in reply.error


async def test_a_name_that_changes_after_the_check_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names("10.0.0.1", "127.0.0.1")
    monkeypatch.setattr(outgoing, "ThreadedResolver", lambda: names)
    async with answering(lambda _: web.Response()) as port:
        reply = await _sender(private=False).post(f"http://rebound.example:{port}/", b"", {})
    assert (reply.status, reply.error) == (None, NO_ADDRESS)
    assert names.addresses == ["127.0.0.1"]  # asked once


async def test_redirects_are_not_followed_and_answers_not_read_to_their_end() -> None:
    def endless(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/"}, body=b"x" * 5_000_000)

    async with answering(endless) as port:
        reply = await _sender(private=True).post(f"http://127.0.0.1:{port}/", b"", {})
    assert (reply.status, reply.text) == (302, "x" * outgoing.ANSWER_BYTES)


async def test_who_does_not_answer_in_time_has_not_answered() -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with answering(slow) as port:
        sender = _sender(private=True, seconds=0.1)
        reply = await sender.post(f"http://127.0.0.1:{port}/", b"", {})
        assert (reply.status, reply.error) == (None, "no answer in time")
    assert (await sender.post(f"http://127.0.0.1:{port}/", b"", {})).status is None


def test_an_endpoint_has_so_many_slots() -> None:
    sender = _sender(private=True)
    with sender.slot("a") as one, sender.slot("a") as two, sender.slot("a") as three:
        assert (one, two, three) == (True, True, False)
        with sender.slot("b") as other:
            assert other
    with sender.slot("a") as again:
        assert again


@asynccontextmanager
async def answering(handler: object) -> AsyncIterator[int]:
    app = web.Application()

    async def handle(request: web.Request) -> web.StreamResponse:
        found: Any = handler(request)  # type: ignore[operator]
        answer: web.StreamResponse = await found if asyncio.iscoroutine(found) else found
        return answer

    app.router.add_post("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
