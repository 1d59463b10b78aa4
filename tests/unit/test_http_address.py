"""The client's address, through proxies that are trusted and others that are not."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from config.sections import Http
from server.http_address import UNKNOWN, Addresses


class Request:
    """What of a request an address is read from."""

    def __init__(self, remote: str | None, *forwarded: str) -> None:
        self.remote = remote
        self.headers = CIMultiDict([("X-Forwarded-For", hops) for hops in forwarded])


def address(remote: str | None, *forwarded: str, proxies: str = "10.0.0.0/8,::1/128") -> str:
    http = Http(trusted_proxies=cast("Any", proxies))
    return Addresses(http).of(cast("Any", Request(remote, *forwarded)))


def test_without_a_trusted_proxy_it_is_the_peer() -> None:
    assert address("203.0.113.7") == "203.0.113.7"
    assert address("203.0.113.7", "198.51.100.1") == "203.0.113.7"
    assert address("10.0.0.1", "198.51.100.1", proxies="") == "10.0.0.1"


def test_behind_a_trusted_proxy_it_is_the_last_hop_that_is_none() -> None:
    assert address("10.0.0.1") == "10.0.0.1"
    assert address("10.0.0.1", "198.51.100.1") == "198.51.100.1"
    assert address("10.0.0.1", "198.51.100.1, 10.0.0.2") == "198.51.100.1"
    assert address("10.0.0.1", "198.51.100.1", " 10.0.0.2 ,, ") == "198.51.100.1"
    assert address("::1", "198.51.100.1") == "198.51.100.1"


def test_what_a_client_claims_is_not_believed() -> None:
    assert address("10.0.0.1", "127.0.0.1, 198.51.100.1") == "198.51.100.1"
    assert address("10.0.0.1", "10.0.0.9, 198.51.100.1, 10.0.0.2") == "198.51.100.1"
    assert address("10.0.0.1", "nonsense") == "10.0.0.1"
    assert address("10.0.0.1", "198.51.100.1, nonsense, 10.0.0.2") == "10.0.0.2"


def test_a_customer_of_ipv6_is_one_whatever_he_chooses() -> None:
    assert address("2001:db8:1:2:3:4:5:6") == address("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert address("2001:db8:1:3::1") != address("2001:db8:1:2::1")
    assert address("10.0.0.1", "2001:DB8:1:2::1") == "2001:db8:1:2::/64"


def test_an_address_of_ipv4_is_one_in_the_clothes_of_ipv6_too() -> None:
    assert address("::ffff:203.0.113.7") == "203.0.113.7"
    assert address("::ffff:10.0.0.1", "::ffff:198.51.100.1") == "198.51.100.1"


def test_a_unix_socket_has_no_address() -> None:
    assert address(None) == address("") == UNKNOWN
    assert Addresses(Http()).of(None) == UNKNOWN


@given(st.text(), st.text())
def test_no_header_makes_it_fail(remote: str, forwarded: str) -> None:
    for peer in (remote, "10.0.0.1"):
        assert len(address(peer, forwarded)) <= 50


# Origins


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://play.example", True),
        ("https://play.example", True),
        ("https://friend.example", True),
        ("https://friend.example:444", False),
        ("http://friend.example", False),
        ("https://play.example.evil.example", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_browsers_come_from_our_own_origin_and_from_those_of_the_settings(
    origin: str, allowed: bool
) -> None:
    addresses = Addresses(Http(origins=("https://friend.example",)))
    assert addresses.allowed(origin, "play.example") is allowed
    assert addresses.origin_allowed(origin, {"HTTP_HOST": "play.example"}) is allowed


def test_without_a_host_no_origin_is_our_own() -> None:
    assert not Addresses(Http()).origin_allowed("http://evil.example", {})


def test_all_origins_may_be_allowed_at_once() -> None:
    assert Addresses(Http(origins=("*",))).origin_allowed("https://any.example", {})
