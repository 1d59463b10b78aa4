"""The rules of webhooks, links and notifications."""

from __future__ import annotations

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from config.outbound import Webhooks
from game import links, notifications, webhooks
from game.chat import Author
from game.errors import NotFound, ValidationFailed
from game.events import EVENTS, event
from game.links import Link
from tests.harness import ROOT

NOW = 1_795_342_800_000


def test_retries_are_spread_over_a_day() -> None:
    table = Webhooks().retry_seconds
    assert sum(table) == pytest.approx(86_400, abs=60)
    pauses = [webhooks.pause(tries, table, 0.5) for tries in range(1, len(table) + 2)]
    assert pauses[-1] is None
    assert all(
        wanted <= (got or 0) <= 1.1 * wanted for wanted, got in zip(table, pauses, strict=False)
    )


def test_an_endpoint_rests_longer_and_longer() -> None:
    rests = [webhooks.rest(failures, 5, 30, 3_600) for failures in range(4, 14)]
    assert rests == [0, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]


@given(
    st.binary(min_size=24, max_size=64),
    st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1)),
)
def test_another_library_believes_our_signatures(key: bytes, data: dict[str, int]) -> None:
    now = 1_000 * round(time.time())
    old = webhooks.secret(b"o" * 32)
    both = webhooks.rotate([old], webhooks.secret(key), NOW * 2)
    body = orjson.dumps(data)
    headers = webhooks.headers(both, "evt_1", now, body)
    for secret in both:
        assert Webhook(secret.text).verify(body, headers) == data
    later = webhooks.headers(both, "evt_1", NOW * 3, body)["webhook-signature"]
    assert len(later.split()) == 1  # the old secret's time is over


@pytest.mark.parametrize(
    "url", ["http://a.example/", "https://", "https://u:p@a.example/", "ftp://a/", "https://[::1"]
)
def test_such_addresses_are_none(url: str) -> None:
    with pytest.raises(ValidationFailed):
        webhooks.check_url(url, private=False)


def test_an_event_has_one_id_however_often_it_is_told() -> None:
    one = event("duel.ended", "d", "duel:d", NOW, {})
    assert one.id == event("duel.ended", "d", "duel:d", NOW + 1, {}).id
    assert one.id != event("player.created", "d", "duel:d", NOW, {}).id
    assert one.envelope()["timestamp"] == "2026-11-22T10:20:00.000Z"
    with pytest.raises(KeyError):
        event("duel.lost", "d", "duel:d", NOW, {})


@given(st.text(), st.integers(0, 2**53))
def test_a_link_says_what_it_was_made_to_say(what: str, until: int) -> None:
    link = Link("stop", "a", what, until)
    token = links.token(link, "secret")
    assert links.read(token, "secret", until) == link
    with pytest.raises(NotFound):
        links.read(token, "another", until)
    with pytest.raises(NotFound):
        links.read(token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), "secret", until)
    if until:
        with pytest.raises(NotFound):
            links.read(token, "secret", until + 1)


@pytest.mark.parametrize("token", ["", "A", "AAAA", "é", "A" * 400])
def test_what_is_no_link_is_none(token: str) -> None:
    with pytest.raises(NotFound):
        links.read(token, "secret", 0)


@pytest.mark.parametrize("kind", notifications.KINDS)
def test_every_kind_is_a_sentence_and_can_be_turned_off(kind: str) -> None:
    by = Author(id="a", name="{ann}")
    text = notifications.news(kind, "b", "r", NOW, by=by, amount=7)["text"]
    assert text.endswith(".")
    for channel in notifications.CHANNELS:
        choice = f"{kind}/{channel}"
        assert notifications.reaches(kind, channel, [choice], [])
        assert not notifications.reaches(kind, channel, [], [choice])


def test_every_event_is_described_with_all_its_fields() -> None:
    text = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
    for name, data in EVENTS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert all(f"`{field}`" in row for field in data.__annotations__), name
