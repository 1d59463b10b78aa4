"""Requests to addresses that others chose (handlers.ways.Poster): webhooks and push services.

Where such an address leads is nobody's promise: a name may resolve to a machine behind our
firewall, and to another one a moment later. So names are resolved here, every address is
checked, and the connection goes to the address that was checked. Redirects are not followed,
and little of an answer is read.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from handlers.ways import Reply

ANSWER_BYTES = 1_024  # for the log; the status is what counts
AGENT = "Showdown"
NO_ADDRESS = "the address is private, or not one to send to"

# Addresses of IPv6 that lead to one of IPv4 somewhere else: 6to4, Teredo, NAT64.
TUNNELS = tuple(
    map(ip_network, ("2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
)


class RefusedAddressError(OSError):
    """A name leads to where nothing is to be sent."""


def is_public(text: str) -> bool:
    """Whether an IP address is one of the internet at large."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            address = address.ipv4_mapped
        elif any(address in network for network in TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class CheckedResolver(AbstractResolver):
    """Knows a name only if all its addresses may be connected to."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            RefusedAddressError: one of them is not public.
        """
        found = await self._inner.resolve(host, port, family)  # type: ignore[arg-type]
        if not all(is_public(one["host"]) for one in found):
            raise RefusedAddressError(NO_ADDRESS)
        return found

    async def close(self) -> None:
        """Nothing stays open."""
        await self._inner.close()


class Outgoing:
    """Sends; one client for each request, since the next goes elsewhere."""

    def __init__(
        self, *, private: bool, seconds: float, slots: int, count: Callable[[str], None]
    ) -> None:
        self._private = private
        self._limit = aiohttp.ClientTimeout(total=seconds)
        self._slots = slots
        self._taken: Counter[str] = Counter()
        self._count = count

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """POST a body; whatever goes wrong is in the reply."""
        started = time.monotonic()
        try:
            status, text = await self._post(url, body, headers)
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as failed:
            self._count("none")
            return Reply(None, "", _sentence(failed), _ms_since(started))
        self._count(f"{status // 100}xx")
        return Reply(status, text, "", _ms_since(started))

    @contextmanager
    def slot(self, name: str) -> Iterator[bool]:
        """A place among those who send to one endpoint from here; False if all are taken."""
        if self._taken[name] >= self._slots:
            yield False
            return
        self._taken[name] += 1
        try:
            yield True
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        self._check_literal(url)
        resolver = None if self._private else CheckedResolver()
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=self._limit,
                headers={"User-Agent": AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            ) as http,
            http.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status, await _beginning(answer.content)

    def _check_literal(self, url: str) -> None:
        """An address in the URL itself is connected to without asking the resolver."""
        host = URL(url).host or ""
        try:
            public = is_public(host)
        except ValueError:  # a name
            return
        if not (public or self._private):
            raise RefusedAddressError(NO_ADDRESS)


def _ms_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


async def _beginning(content: aiohttp.StreamReader) -> str:
    read = b""
    while len(read) < ANSWER_BYTES and (more := await content.read(ANSWER_BYTES - len(read))):
        read += more
    return read.decode(errors="replace")


def _sentence(error: Exception) -> str:
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "no answer in time"
    cause = error.__cause__ or error
    if NO_ADDRESS in f"{error} {cause}":
        return NO_ADDRESS
    return type(error).__name__
