"""The forms of SHOWDOWN_REDIS_URL."""

from __future__ import annotations

import pytest

from config.redis_url import parse
from config.settings import SettingsError, load


def test_one_address_is_left_to_the_driver() -> None:
    for text in ("redis://h:1/2", "rediss://u:p@h", "unix:///run/valkey.sock"):
        assert (parse(text).kind, parse(text).text) == ("single", text)


def test_sentinels_name_a_service_and_stores_have_the_login() -> None:
    url = parse(
        "rediss+sentinel://u:p%40ss@a,b:26380/main/3?sentinel_password=s/x&ssl_cert_reqs=none"
    )
    assert (url.kind, url.service) == ("sentinel", "main")
    assert url.nodes == (("a", 26_379), ("b", 26_380))
    assert url.of(("c", 6_379)) == "rediss://u:p%40ss@c:6379/3?ssl_cert_reqs=none"
    assert url.of_sentinel(("a", 26_379)) == "rediss://:s%2Fx@a:26379?ssl_cert_reqs=none"
    assert parse("redis+sentinel://a/main").of(("c", 1)) == "redis://c:1/0"
    assert parse("redis+sentinel://a/main").of_sentinel(("a", 1)) == "redis://a:1"


def test_a_cluster_is_found_by_any_of_its_nodes() -> None:
    url = parse("redis+cluster://:p@[::1]:7000,b,c:7002")
    assert url.kind == "cluster"
    assert url.nodes == (("::1", 7_000), ("b", 6_379), ("c", 7_002))
    assert url.of(url.nodes[0]) == "redis://:p@[::1]:7000/0"


@pytest.mark.parametrize(
    "wrong",
    [
        "redis+cluster://",
        "redis+cluster://a/1",
        "redis+sentinel://a",
        "redis+sentinel://a/main/x",
        "http+cluster://a",
        "redis+ring://a",
        "redis+cluster://a:x",
    ],
)
def test_a_wrong_url_stops_the_start_with_a_sentence(wrong: str) -> None:
    with pytest.raises(SettingsError, match="SHOWDOWN_REDIS_URL"):
        load(redis_url=wrong)
