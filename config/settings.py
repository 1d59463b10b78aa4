"""Every knob of the server: one typed tree, built once, read from the environment.

`SHOWDOWN_PORT`, `SHOWDOWN_LIMITS__CHAT_CHARS`, …, and a `.env` file. Each field's
description is the reason for its default; the README's table is made from them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from config import redis_url as addresses
from config.jobs import Jobs
from config.ladder import Leaderboards, Match
from config.outbound import Email, Notifications, Push, Webhooks
from config.sections import (
    Admin,
    Audit,
    Auth,
    Blackjack,
    Chat,
    Duels,
    Economy,
    Http,
    Limits,
    Logs,
    Mongo,
    Nodes,
    Presence,
    Purchases,
    Recovery,
    Redis,
    Rob,
    Shutdown,
    Social,
    default,
)
from config.settlement import Settlement

# One beat may be lost, one late by a stalled store, and the third must still come in time.
BEATS_PER_LEASE = 4
# After a command that timed out: the breaker is open (state/breaker.py), then comes the pause of
# a task that failed (server/supervisor.py), each of a second at the most.
RETURN_SECONDS = 2.0
MIN_SECRET_BYTES = 32  # of HS256's key: as long as its hash (RFC 7518, 3.2)


class SettingsError(Exception):
    """The environment holds a value that the server cannot start with."""


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        env_prefix="SHOWDOWN_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    host: str | None = default(None, "127.0.0.1 with embedded stores, else 0.0.0.0")
    port: int = default(8080, "0 takes a free one", ge=0, le=65_535)
    workers: int = default(1, "processes on the one port", ge=1, le=64)
    data_dir: Path = default(Path(".data"), "of the embedded stores")
    redis_url: str | None = default(
        None, "none: the bundled Valkey; with sentinels or a cluster see docs/runbook.md"
    )
    mongo_url: str | None = default(None, "none: the bundled document store")
    auth: Auth = Auth()
    admin: Admin = Admin()
    limits: Limits = Limits()
    duels: Duels = Duels()
    match: Match = Match()
    leaderboards: Leaderboards = Leaderboards()
    economy: Economy = Economy()
    rob: Rob = Rob()
    blackjack: Blackjack = Blackjack()
    purchases: Purchases = Purchases()
    settlement: Settlement = Settlement()
    audit: Audit = Audit()
    webhooks: Webhooks = Webhooks()
    notifications: Notifications = Notifications()
    email: Email = Email()
    push: Push = Push()
    jobs: Jobs = Jobs()
    chat: Chat = Chat()
    presence: Presence = Presence()
    social: Social = Social()
    recovery: Recovery = Recovery()
    nodes: Nodes = Nodes()
    http: Http = Http()
    redis: Redis = Redis()
    mongo: Mongo = Mongo()
    logs: Logs = Logs()
    shutdown: Shutdown = Shutdown()

    @field_validator("redis_url")
    @classmethod
    def _is_read(cls, value: str | None) -> str | None:
        if value is not None:
            addresses.parse(value)
        return value

    @property
    def embedded(self) -> bool:
        """Whether this server owns a bundled store."""
        return self.redis_url is None or self.mongo_url is None

    @property
    def address(self) -> str:
        """The address to listen on."""
        return self.host or ("127.0.0.1" if self.embedded else "0.0.0.0")  # noqa: S104 - asked for


def load(**overrides: Any) -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a value is wrong; the sentence names the variable.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(map(_sentence, error.errors()))) from None
    _check_secret(settings)
    _check_lease(settings)
    return settings


def _sentence(problem: Any) -> str:
    name = "SHOWDOWN_" + "__".join(str(part) for part in problem["loc"]).upper()
    return f"{name}: {problem['msg']}"


def _check_secret(settings: Settings) -> None:
    secret = settings.auth.secret
    if secret is None and not settings.embedded:
        raise SettingsError("SHOWDOWN_AUTH__SECRET is not set: make one with openssl rand -hex 32")
    if secret is not None and len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
        raise SettingsError(f"SHOWDOWN_AUTH__SECRET is shorter than {MIN_SECRET_BYTES} bytes")


def _check_lease(settings: Settings) -> None:
    nodes, beat = settings.nodes, settings.nodes.heartbeat_seconds
    outage = beat + settings.redis.timeout_seconds + RETURN_SECONDS
    shortest = max(BEATS_PER_LEASE * beat, outage)
    if nodes.lease_seconds < shortest:
        raise SettingsError(
            f"SHOWDOWN_NODES__LEASE_SECONDS is {nodes.lease_seconds:g}, shorter than "
            f"{shortest:g}: a node that lives would be taken for dead. It is {BEATS_PER_LEASE} "
            f"heartbeats or more, and a heartbeat, a time-out of Redis and {RETURN_SECONDS:g} s or "
            "more; make it longer, or "
            "SHOWDOWN_NODES__HEARTBEAT_SECONDS or SHOWDOWN_REDIS__TIMEOUT_SECONDS shorter"
        )


def describe(section: BaseModel, prefix: str = "SHOWDOWN_") -> list[tuple[str, str, str]]:
    """Every variable as (name, value, reason), secrets masked."""
    rows: list[tuple[str, str, str]] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            rows += describe(value, f"{prefix}{name.upper()}__")
        else:
            rows.append((prefix + name.upper(), _shown(value), field.description or ""))
    return rows


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    text = str(value)
    scheme, at, rest = text.partition("@")
    if at and "://" in scheme:  # a URL's password is a secret too
        return f"{scheme.split('://')[0]}://***@{rest}"
    return text


def embedded_secret(data_dir: Path) -> SecretStr:
    """The signing secret of the embedded mode: made once, kept in the data directory."""
    path = data_dir / "auth.secret"
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        fresh = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return SecretStr(path.read_text("ascii").strip())
    with os.fdopen(fresh, "w") as file:
        file.write(os.urandom(MIN_SECRET_BYTES).hex())
    return SecretStr(path.read_text("ascii").strip())
