"""Every knob of the server: one typed tree, built once, read from the environment.

`SHOWDOWN_PORT`, `SHOWDOWN_LIMITS__CHAT_CHARS`, …, and a `.env` file. Each field's
description is the reason for its default; the README's table is made from them.
"""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIN_SECRET_BYTES = 32  # of HS256's key: as long as its hash (RFC 7518, 3.2)


class SettingsError(Exception):
    """The environment holds a value that the server cannot start with."""


class Section(BaseModel):
    """One branch of the tree."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _default(value: Any, why: str, **bounds: Any) -> Any:
    return Field(default=value, description=why, **bounds)


class Auth(Section):
    """Tokens, passwords and the lock-out."""

    secret: SecretStr | None = _default(
        None, "signs access tokens; at least 32 bytes; made at random in the embedded mode"
    )
    access_seconds: int = _default(900, "short, since a JWT is checked without I/O", ge=1)
    refresh_seconds: int = _default(30 * 86_400, "a month away from the game is normal", ge=1)
    login_failures: int = _default(5, "a person mistypes, a machine goes on", ge=1)
    lock_seconds: int = _default(60, "long for a guesser, short for a person", ge=1)
    characters_per_account: int = _default(5, "bounds what one account can store", ge=1)


class Admin(Section):
    """The first administrator, made at start when both are set."""

    username: str | None = _default(None, "signs in as everybody else does")
    password: SecretStr | None = _default(None, "changed here, it is changed at the next start")


class Limits(Section):
    """protocol.md, Limits."""

    message_bytes: int = _default(16_384, "one Socket.IO message", ge=256)
    frame_bytes: int = _default(65_536, "a frame or polling body above it closes", ge=1_024)
    json_depth: int = _default(8, "our deepest payload has 3 levels", ge=2)
    chat_chars: int = _default(500, "a paragraph", ge=1)
    body_bytes: int = _default(65_536, "an HTTP request's body", ge=1_024)
    batch_body_bytes: int = _default(1_048_576, "the body of an admin's batch", ge=1_024)
    connections_per_node: int = _default(10_000, "what one process serves with ease", ge=1)
    connections_per_address: int = _default(100, "a school behind one address", ge=1)
    connections_per_account: int = _default(5, "phone, tablet, two tabs and one spare", ge=1)
    handshakes_per_node: int = _default(1_000, "sockets that have not signed in yet", ge=1)
    auth_per_minute: int = _default(20, "sign-ins and new accounts of one address", ge=1)
    auth_seconds: float = _default(10.0, "from the handshake to a valid connect", gt=0)
    send_buffer_bytes: int = _default(1_048_576, "waiting for a client that reads slowly", ge=4_096)
    events_per_second: float = _default(20.0, "of one connection, on average", gt=0)
    events_burst: int = _default(40, "two seconds' worth at once", ge=1)
    abuse_refusals: int = _default(200, "refusals in the window that end a connection", ge=1)
    abuse_seconds: float = _default(10.0, "the window of that count", gt=0)
    chat_messages: int = _default(5, "messages of one player in the window", ge=1)
    chat_window_seconds: float = _default(5.0, "the window of that count", gt=0)
    rooms_per_connection: int = _default(64, "more is a crawler", ge=1)
    handler_seconds: float = _default(10.0, "then the handler is cancelled", gt=0)
    ping_seconds: float = _default(25.0, "Socket.IO's default", gt=0)
    ping_timeout_seconds: float = _default(20.0, "Socket.IO's default", gt=0)


class Duels(Section):
    """protocol.md, The duel."""

    challenge_seconds: float = _default(60.0, "a challenge's life", gt=0)
    round_seconds: float = _default(20.0, "to choose which cards to hold", gt=0)
    reconnect_seconds: float = _default(600.0, "away in one duel, all absences added", gt=0)
    keep_seconds: int = _default(86_400, "how long an ended duel can be read", ge=60)
    incoming: int = _default(20, "open challenges to one player", ge=1)


class Economy(Section):
    """Coins: integers, never lost and never made but by the mint."""

    starting_balance: int = _default(1_000, "what a new character has, minted", ge=0)
    transfer_fee_permille: int = _default(0, "of a transfer, burnt, on top of it", ge=0, le=1_000)
    transfer_daily: int = _default(1_000_000, "what a player may send in a UTC day", ge=1)
    shop_file: Path | None = _default(None, "the shop's items; none: config/shop.json")


class Rob(Section):
    """Robberies. The numbers are ours: of a thousand coins a robbery takes 100 on average, a
    failure costs 100, and four in ten succeed, so that it pays only against the rich.
    """

    odds_percent: int = _default(40, "of a robbery without luck", ge=0, le=100)
    most_odds_percent: int = _default(80, "with all luck; never certain", ge=0, le=100)
    least_loot_permille: int = _default(50, "of the victim's coins, at the least", ge=0, le=1_000)
    most_loot_permille: int = _default(150, "at the most, drawn evenly", ge=0, le=1_000)
    fine_permille: int = _default(100, "of the robber's coins, to the victim", ge=0, le=1_000)
    least_balance: int = _default(100, "of either; who has less is left alone", ge=1)
    cooldown_seconds: int = _default(3_600, "between two attempts of a player", ge=0)
    shield_seconds: int = _default(1_800, "nobody is robbed again so soon", ge=0)


class Blackjack(Section):
    """The table against the house."""

    most_bet: int = _default(10_000, "what one game can cost the house is some of these", ge=1)
    idle_seconds: int = _default(7_200, "left alone so long, all bets are given back", ge=1)


class Purchases(Section):
    """Coins for money."""

    provider: Literal["off", "sandbox", "stripe"] | None = _default(
        None, "none: the sandbox, which moves no money, on embedded stores, else off"
    )
    packs_file: Path | None = _default(None, "what is sold; none: config/packs.json")
    stripe_url: str = _default("https://api.stripe.com", "another one for tests")
    stripe_key: SecretStr | None = _default(None, "the secret key of the account")
    stripe_webhook_secret: SecretStr | None = _default(None, "of the endpoint, to check its word")
    return_url: str = _default("http://127.0.0.1:8080/", "where a player goes after paying")


class Audit(Section):
    """Checks of the books."""

    every_seconds: int = _default(3_600, "on one node; a million postings take a minute", ge=1)


class Chat(Section):
    """Rooms, their history and the archive."""

    tail: int = _default(1_000, "messages of a room kept in Redis once archived", ge=50)
    buffer: int = _default(50_000, "of a room, while the archive is away; then refused", ge=1_000)
    edit_seconds: int = _default(300, "the author may edit and delete", ge=0)
    dedupe_seconds: int = _default(3_600, "a client_id returns its first message", ge=1)
    archive_batch: int = _default(500, "messages in one write to the archive", ge=1)
    mute_seconds: Annotated[tuple[PositiveInt, ...], NoDecode] = _default(
        (60, 300, 1_800), "the mute ladder", min_length=1
    )
    mute_refusals: int = _default(3, "refusals in a minute that mute", ge=1)
    quiet_seconds: int = _default(3_600, "without a refusal, and the ladder starts anew", ge=1)
    masked_words: Annotated[tuple[str, ...], NoDecode] = _default(
        ("fuck", "shit", "cunt"), "shown as asterisks, whole words only"
    )

    @field_validator("masked_words", mode="before")
    @classmethod
    def _split_words(cls, value: object) -> object:
        return _commas(value)

    @field_validator("mute_seconds", mode="before")
    @classmethod
    def _split_numbers(cls, value: object) -> object:
        return _commas(value)


class Presence(Section):
    """Who is there, and who is told."""

    batch_seconds: float = _default(0.5, "changes told to watchers together", gt=0)
    watched_per_connection: int = _default(1_000, "a long list of friends", ge=1)


class Recovery(Section):
    """Events that a client missed while it was away."""

    seconds: float = _default(120.0, "how long a session can be taken up again", ge=0)
    events_per_room: int = _default(1_000, "kept of a room; what is older is a gap", ge=10)
    events_per_session: int = _default(5_000, "of one recovery; more is a fresh start", ge=10)


class Nodes(Section):
    """Processes notice each other by leases in Redis."""

    heartbeat_seconds: float = _default(1.0, "a duel's clock trusts a node this long", gt=0)
    lease_seconds: float = _default(10.0, "without a beat: the node is dead", gt=0)


class Http(Section):
    """Browsers and balancers."""

    origins: Annotated[tuple[str, ...], NoDecode] = _default(
        (), "other origins that browsers may connect from, comma separated"
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = _default(
        (), "whose X-Forwarded-For is believed, comma separated networks"
    )

    @field_validator("origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return _commas(value)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        parts = _commas(value)
        return tuple(map(ip_network, parts)) if isinstance(parts, tuple) else parts


class Redis(Section):
    """How the process talks to Redis or Valkey."""

    commands: int = _default(10_000, "that wait for their answers; more are refused", ge=10)
    timeout_seconds: float = _default(2.0, "a command that takes longer has failed", gt=0)
    fsync: Literal["always", "everysec"] = _default(
        "always", "bundled store: an acknowledged write survives kill -9; docs/benchmarks.md"
    )


class Mongo(Section):
    """How the process talks to MongoDB."""

    driver: Literal["motor", "pymongo"] = _default("motor", "docs/dependencies.md")
    database: str = _default("showdown", "its name")
    pool_size: int = _default(32, "connections of one process", ge=1)
    timeout_seconds: float = _default(3.0, "an operation that takes longer has failed", gt=0)


class Logs(Section):
    """What the process says."""

    format: Literal["json", "console"] = _default("console", "json for machines")
    level: Literal["debug", "info", "warning", "error"] = _default("info", "and above")


class Shutdown(Section):
    """SIGTERM, and what is waited for."""

    grace_seconds: float = _default(5.0, "clients are told, spread over this time", ge=0)
    close_seconds: float = _default(10.0, "for handlers, tasks and stores, each", gt=0)


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

    host: str | None = _default(None, "127.0.0.1 with embedded stores, else 0.0.0.0")
    port: int = _default(8080, "0 takes a free one", ge=0, le=65_535)
    workers: int = _default(1, "processes on the one port", ge=1, le=64)
    data_dir: Path = _default(Path(".data"), "of the embedded stores")
    redis_url: str | None = _default(None, "none: the bundled Valkey")
    mongo_url: str | None = _default(None, "none: the bundled document store")
    auth: Auth = Auth()
    admin: Admin = Admin()
    limits: Limits = Limits()
    duels: Duels = Duels()
    economy: Economy = Economy()
    rob: Rob = Rob()
    blackjack: Blackjack = Blackjack()
    purchases: Purchases = Purchases()
    audit: Audit = Audit()
    chat: Chat = Chat()
    presence: Presence = Presence()
    recovery: Recovery = Recovery()
    nodes: Nodes = Nodes()
    http: Http = Http()
    redis: Redis = Redis()
    mongo: Mongo = Mongo()
    logs: Logs = Logs()
    shutdown: Shutdown = Shutdown()

    @property
    def embedded(self) -> bool:
        """Whether this server owns a bundled store."""
        return self.redis_url is None or self.mongo_url is None

    @property
    def address(self) -> str:
        """The address to listen on."""
        return self.host or ("127.0.0.1" if self.embedded else "0.0.0.0")  # noqa: S104 - asked for


def _commas(value: object) -> object:
    """A list from the environment: `a,b`, or in JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        return tuple(json.loads(value))
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


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
