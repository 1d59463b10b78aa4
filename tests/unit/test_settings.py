"""Settings: read from the environment, wrong ones named, secrets masked."""

from __future__ import annotations

import os
import stat
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.sections import Section
from config.settings import (
    RETURN_SECONDS,
    Settings,
    SettingsError,
    describe,
    embedded_secret,
    load,
)
from server.supervisor import LONGEST_PAUSE
from state.breaker import OPEN_SECONDS

SECRET = "s" * 32


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the machine, and no .env file of the folder."""
    for name in [name for name in os.environ if name.startswith("SHOWDOWN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def with_environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"SHOWDOWN_{name}", value)
    return load()


def test_without_an_environment_it_is_the_embedded_mode() -> None:
    settings = load()
    assert settings.embedded
    assert (settings.address, settings.port, settings.workers) == ("127.0.0.1", 8080, 1)


def test_the_limits_are_those_of_the_protocol() -> None:
    limits = load().limits
    assert (limits.message_bytes, limits.frame_bytes, limits.json_depth) == (16_384, 65_536, 8)
    assert (limits.body_bytes, limits.batch_body_bytes) == (65_536, 1_048_576)
    assert (limits.connections_per_node, limits.connections_per_address) == (10_000, 100)
    assert (limits.connections_per_account, limits.auth_per_minute) == (5, 20)
    assert (limits.auth_seconds, limits.handler_seconds) == (10, 10)
    assert (limits.events_per_second, limits.events_burst) == (20, 40)
    assert (limits.chat_chars, limits.chat_messages, limits.chat_window_seconds) == (500, 5, 5)
    assert (limits.rooms_per_connection, limits.send_buffer_bytes) == (64, 1_048_576)
    assert (limits.ping_seconds, limits.ping_timeout_seconds) == (25, 20)
    assert (limits.abuse_refusals, limits.abuse_seconds) == (200, 10)


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(
        monkeypatch,
        PORT="0",
        LIMITS__CHAT_CHARS="7",
        DUELS__RECONNECT_SECONDS="1.5",
        CHAT__MUTE_SECONDS="[1, 2]",
        HTTP__ORIGINS="https://a.example, https://b.example",
        HTTP__TRUSTED_PROXIES="10.0.0.0/8,::1",
    )
    assert (settings.port, settings.limits.chat_chars) == (0, 7)
    assert settings.duels.reconnect_seconds == 1.5
    assert settings.chat.mute_seconds == (1, 2)
    assert settings.http.origins == ("https://a.example", "https://b.example")
    assert settings.http.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))


def test_values_come_from_a_file_and_the_environment_counts_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SHOWDOWN_PORT=1\nSHOWDOWN_WORKERS=3\n")
    settings = with_environment(monkeypatch, PORT="2")
    assert (settings.port, settings.workers) == (2, 3)


def test_an_argument_counts_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOWDOWN_PORT", "1")
    assert load(port=2).port == 2


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(monkeypatch, PORT="", REDIS_URL="", LIMITS__CHAT_CHARS="")
    assert (settings.port, settings.redis_url, settings.limits.chat_chars) == (8080, None, 500)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("WORKERS", "0"),
        ("LIMITS__CHAT_CHARS", "-1"),
        ("LIMITS__EVENTS_PER_SECOND", "0"),
        ("LIMITS__NO_SUCH_LIMIT", "1"),
        ("MONGO__DRIVER", "mongoose"),
        ("HTTP__TRUSTED_PROXIES", "10.0.0.1/8"),
        ("REDIS__FSYNC", "never"),
        ("LOGS__FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"SHOWDOWN_{name}"):
        with_environment(monkeypatch, **{name: value})


def test_a_secret_is_needed_where_none_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {"REDIS_URL": "redis://r", "MONGO_URL": "mongodb://m"}
    with pytest.raises(SettingsError, match="SHOWDOWN_AUTH__SECRET is not set"):
        with_environment(monkeypatch, **urls)
    settings = with_environment(monkeypatch, **urls, AUTH__SECRET=SECRET)
    assert not settings.embedded
    assert settings.address == "0.0.0.0"  # noqa: S104 - what the design says


def test_a_weak_secret_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="shorter than 32 bytes") as refused:
        with_environment(monkeypatch, AUTH__SECRET="weak secret")
    assert "weak secret" not in str(refused.value)
    assert with_environment(monkeypatch, AUTH__SECRET="é" * 16).auth.secret


def test_a_lease_that_a_living_node_could_lose_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RETURN_SECONDS == OPEN_SECONDS + LONGEST_PAUSE
    with pytest.raises(SettingsError, match="NODES__LEASE_SECONDS is 11, shorter than 12:"):
        with_environment(monkeypatch, NODES__LEASE_SECONDS="11", NODES__HEARTBEAT_SECONDS="3")
    monkeypatch.setenv("SHOWDOWN_NODES__HEARTBEAT_SECONDS", "0.5")
    with pytest.raises(SettingsError, match=r"NODES__LEASE_SECONDS is 4, shorter than 4\.5:"):
        with_environment(monkeypatch, NODES__LEASE_SECONDS="4")
    settings = with_environment(monkeypatch, REDIS__TIMEOUT_SECONDS="1.5")
    assert (settings.nodes.lease_seconds, settings.nodes.heartbeat_seconds) == (4, 0.5)


def test_every_setting_is_described_and_no_secret_is(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(
        monkeypatch,
        AUTH__SECRET=SECRET,
        ADMIN__PASSWORD="correct horse",
        REDIS_URL="redis://user:correct@store:6379/0",
        HTTP__ORIGINS="https://a.example,https://b.example",
    )
    rows = {name: (value, why) for name, value, why in describe(settings)}
    assert rows["SHOWDOWN_PORT"][0] == "8080"
    assert rows["SHOWDOWN_HTTP__ORIGINS"][0] == "https://a.example,https://b.example"
    assert rows["SHOWDOWN_REDIS_URL"][0] == "redis://***@store:6379/0"
    assert rows["SHOWDOWN_MONGO_URL"][0] == ""
    assert all(why for _, why in rows.values())
    shown = str(rows)
    assert SECRET not in shown
    assert "correct" not in shown


def test_every_section_refuses_what_it_does_not_know() -> None:
    sections = Section.__subclasses__()
    assert sections
    for section in sections:
        assert section.model_config.get("extra") == "forbid", section


def test_the_embedded_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = embedded_secret(tmp_path / "data")
    assert len(first.get_secret_value()) == 64
    assert embedded_secret(tmp_path / "data") == first
    assert embedded_secret(tmp_path / "other") != first
    mode = (tmp_path / "data" / "auth.secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
