"""Where a request comes from: the peer, or what a trusted proxy says; and its origin."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from aiohttp import web

from config.sections import Http

CUSTOMER_BITS = 64  # of an IPv6 address; the rest is the customer's own to choose
KNOWN = 1_024  # addresses that are not read again: of proxies, and of who comes back
UNKNOWN = "unknown"  # a peer without an address: a Unix socket


class Addresses:
    """Reads addresses and origins the way the settings say."""

    def __init__(self, http: Http) -> None:
        self._proxies = http.trusted_proxies
        self._origins = frozenset(http.origins)

    def of(self, request: web.BaseRequest | None) -> str:
        """The client's address; of an IPv6 address its /64, which is one customer's.

        From the right of X-Forwarded-For, the first entry that no trusted proxy added:
        everything left of it is what the client claims.
        """
        if request is None:
            return UNKNOWN
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
        return self.behind(request.remote or "", forwarded)

    def behind(self, peer: str, forwarded: str) -> str:
        """As `of`, for a peer and what its X-Forwarded-For says, several joined by commas."""
        return _customer(self._claimed(peer, forwarded))

    def _claimed(self, peer: str, forwarded: str) -> str:
        if not self._trusted(peer):
            return peer
        hops = forwarded.split(",")
        for hop in reversed([hop.strip() for hop in hops if hop.strip()]):
            if _parse(hop) is None:
                return peer
            peer = hop
            if not self._trusted(hop):
                break
        return peer

    def _trusted(self, text: str) -> bool:
        address = _parse(text) if self._proxies else None
        return address is not None and any(address in network for network in self._proxies)

    def allowed(self, origin: str, host: str) -> bool:
        """Whether a browser's page of that origin may talk to us."""
        return not self._origins.isdisjoint((origin, "*")) or self.own(origin, host)

    @staticmethod
    def own(origin: str, host: str) -> bool:
        """Whether a browser's page of that origin is one of ours."""
        return origin in {f"http://{host}", f"https://{host}"}

    def origin_allowed(self, origin: str, environ: dict[str, Any]) -> bool:
        """The same question, as python-engineio asks it."""
        return self.allowed(origin, environ.get("HTTP_HOST", ""))


@lru_cache(KNOWN)
def _customer(text: str) -> str:
    address = _parse(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, CUSTOMER_BITS), strict=False))
    return str(address) if address else UNKNOWN


@lru_cache(KNOWN)
def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """None if it is no address; one of IPv4 that a socket for both shows as of IPv6 is one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
