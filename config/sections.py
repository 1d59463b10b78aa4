"""The branches of the settings' tree: each field's description is the reason for its default."""

from __future__ import annotations

import json
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, SecretStr, field_validator
from pydantic_settings import NoDecode


class Section(BaseModel):
    """One branch of the tree."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def default(value: Any, why: str, **bounds: Any) -> Any:
    """A knob: its default, the reason for it, and what pydantic holds it to."""
    return Field(default=value, description=why, **bounds)


class Auth(Section):
    """Tokens, passwords and the lock-out."""

    secret: SecretStr | None = default(
        None, "signs access tokens; at least 32 bytes; made at random in the embedded mode"
    )
    access_seconds: int = default(900, "short, since a JWT is checked without I/O", ge=1)
    refresh_seconds: int = default(30 * 86_400, "a month away from the game is normal", ge=1)
    login_failures: int = default(5, "a person mistypes, a machine goes on", ge=1)
    lock_seconds: int = default(60, "long for a guesser, short for a person", ge=1)
    fresh_seconds: int = default(300, "since a sign-in that may delete its account", ge=1)
    rename_seconds: int = default(86_400, "between two names: others want to know who it is", ge=0)
    characters_per_account: int = default(5, "bounds what one account can store", ge=1)


class Admin(Section):
    """The first administrator, made at start when both are set."""

    username: str | None = default(None, "signs in as everybody else does")
    password: SecretStr | None = default(None, "changed here, it is changed at the next start")
    session_seconds: int = default(43_200, "a long day at /admin, then the password again", ge=60)


class Limits(Section):
    """protocol.md, Limits."""

    message_bytes: int = default(16_384, "one Socket.IO message", ge=256)
    frame_bytes: int = default(65_536, "a frame or polling body above it closes", ge=1_024)
    json_depth: int = default(8, "our deepest payload has 3 levels", ge=2)
    chat_chars: int = default(500, "a paragraph", ge=1)
    body_bytes: int = default(65_536, "an HTTP request's body", ge=1_024)
    batch_body_bytes: int = default(1_048_576, "the body of an admin's batch", ge=1_024)
    connections_per_node: int = default(10_000, "what one process serves with ease", ge=1)
    connections_per_address: int = default(100, "a school behind one address", ge=1)
    connections_per_account: int = default(5, "phone, tablet, two tabs and one spare", ge=1)
    handshakes_per_node: int = default(1_000, "sockets that have not signed in yet", ge=1)
    auth_per_minute: int = default(20, "sign-ins and new accounts of one address", ge=1)
    auth_seconds: float = default(10.0, "from the handshake to a valid connect", gt=0)
    send_buffer_bytes: int = default(1_048_576, "waiting for a client that reads slowly", ge=4_096)
    events_per_second: float = default(20.0, "of one connection, on average", gt=0)
    events_burst: int = default(40, "two seconds' worth at once", ge=1)
    requests_per_second: float = default(20.0, "REST calls of one account, on a node", gt=0)
    requests_burst: int = default(120, "six seconds' worth: a hundred at once, and spare", ge=1)
    abuse_refusals: int = default(200, "refusals in the window that end a connection", ge=1)
    abuse_seconds: float = default(10.0, "the window of that count", gt=0)
    reports_per_hour: int = default(30, "of one player; each is read by a person", ge=1)
    chat_messages: int = default(5, "messages of one player in the window", ge=1)
    chat_window_seconds: float = default(5.0, "the window of that count", gt=0)
    rooms_per_connection: int = default(64, "more is a crawler", ge=1)
    handler_seconds: float = default(10.0, "then the handler is cancelled", gt=0)
    ping_seconds: float = default(25.0, "Socket.IO's default", gt=0)
    ping_timeout_seconds: float = default(20.0, "Socket.IO's default", gt=0)


class Duels(Section):
    """protocol.md, The duel."""

    challenge_seconds: float = default(60.0, "a challenge's life", gt=0)
    round_seconds: float = default(20.0, "to choose which cards to hold", gt=0)
    reconnect_seconds: float = default(600.0, "away in one duel, all absences added", gt=0)
    keep_seconds: int = default(86_400, "how long an ended duel can be read", ge=60)
    incoming: int = default(20, "open challenges to one player", ge=1)


class Economy(Section):
    """Coins: integers, never lost and never made but by the mint."""

    starting_balance: int = default(1_000, "what a new character has, minted", ge=0)
    transfer_fee_permille: int = default(0, "of a transfer, burnt, on top of it", ge=0, le=1_000)
    transfer_daily: int = default(1_000_000, "what a player may send in a UTC day", ge=1)
    open_batches: int = default(5, "batches of transfers of one payer at a time", ge=1, le=100)
    open_withdrawals: int = default(5, "of one player at a time", ge=1, le=100)
    shop_file: Path | None = default(None, "the shop's items; none: config/shop.json")


class Rob(Section):
    """Robberies. The numbers are ours: of a thousand coins a robbery takes 100 on average, a
    failure costs 100, and four in ten succeed, so that it pays only against the rich.
    """

    odds_percent: int = default(40, "of a robbery without luck", ge=0, le=100)
    most_odds_percent: int = default(80, "with all luck; never certain", ge=0, le=100)
    least_loot_permille: int = default(50, "of the victim's coins, at the least", ge=0, le=1_000)
    most_loot_permille: int = default(150, "at the most, drawn evenly", ge=0, le=1_000)
    fine_permille: int = default(100, "of the robber's coins, to the victim", ge=0, le=1_000)
    least_balance: int = default(100, "of either; who has less is left alone", ge=1)
    cooldown_seconds: int = default(3_600, "between two attempts of a player", ge=0)
    shield_seconds: int = default(1_800, "nobody is robbed again so soon", ge=0)


class Blackjack(Section):
    """The table against the house."""

    most_bet: int = default(10_000, "what one game can cost the house is some of these", ge=1)
    idle_seconds: int = default(7_200, "left alone so long, all bets are given back", ge=1)


class Purchases(Section):
    """Coins for money."""

    provider: Literal["off", "sandbox", "stripe"] | None = default(
        None, "none: the sandbox, which moves no money, on embedded stores, else off"
    )
    packs_file: Path | None = default(None, "what is sold; none: config/packs.json")
    stripe_url: str = default("https://api.stripe.com", "another one for tests")
    stripe_key: SecretStr | None = default(None, "the secret key of the account")
    stripe_webhook_secret: SecretStr | None = default(None, "of the endpoint, to check its word")
    return_url: str = default("http://127.0.0.1:8080/", "where a player goes after paying")


class Audit(Section):
    """Checks of the books."""

    every_seconds: int = default(3_600, "on one node; a million postings take a minute", ge=1)


class Chat(Section):
    """Rooms, their history and the archive."""

    tail: int = default(1_000, "messages of a room kept in Redis once archived", ge=50)
    buffer: int = default(50_000, "of a room, while the archive is away; then refused", ge=1_000)
    edit_seconds: int = default(300, "the author may edit and delete", ge=0)
    dedupe_seconds: int = default(3_600, "a client_id returns its first message", ge=1)
    archive_batch: int = default(500, "messages in one write to the archive", ge=1)
    mute_seconds: Annotated[tuple[PositiveInt, ...], NoDecode] = default(
        (60, 300, 1_800), "the mute ladder", min_length=1
    )
    mute_refusals: int = default(3, "refusals in a minute that mute", ge=1)
    quiet_seconds: int = default(3_600, "without a refusal, and the ladder starts anew", ge=1)
    masked_words: Annotated[tuple[str, ...], NoDecode] = default(
        ("fuck", "shit", "cunt"), "shown as asterisks, whole words only"
    )

    @field_validator("masked_words", mode="before")
    @classmethod
    def _split_words(cls, value: object) -> object:
        return commas(value)

    @field_validator("mute_seconds", mode="before")
    @classmethod
    def _split_numbers(cls, value: object) -> object:
        return commas(value)


class Presence(Section):
    """Who is there, and who is told."""

    batch_seconds: float = default(0.5, "changes told to watchers together", gt=0)
    watched_per_connection: int = default(1_000, "a long list of friends", ge=1)


class Social(Section):
    """Friends, requests and blocks of one player."""

    friends: int = default(200, "read, and asked for their presence, all at once", ge=1)
    requests: int = default(100, "that wait, sent and received each; more is spam", ge=1)
    blocks: int = default(500, "a long life among strangers", ge=1)


class Recovery(Section):
    """Events that a client missed while it was away."""

    seconds: float = default(120.0, "how long a session can be taken up again", ge=0)
    events_per_room: int = default(1_000, "kept of a room; what is older is a gap", ge=10)
    events_per_session: int = default(5_000, "of one recovery; more is a fresh start", ge=10)


class Nodes(Section):
    """Processes notice each other by leases in Redis."""

    heartbeat_seconds: float = default(1.0, "a duel's clock trusts a node this long", gt=0)
    lease_seconds: float = default(10.0, "without a beat: the node is dead", gt=0)


class Http(Section):
    """Browsers and balancers."""

    origins: Annotated[tuple[str, ...], NoDecode] = default(
        (), "other origins that browsers may connect from, comma separated; * is all"
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = default(
        (), "whose X-Forwarded-For is believed, comma separated networks"
    )

    @field_validator("origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return commas(value)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        parts = commas(value)
        return tuple(map(ip_network, parts)) if isinstance(parts, tuple) else parts


class Redis(Section):
    """How the process talks to Redis or Valkey."""

    commands: int = default(10_000, "that wait for their answers; more are refused", ge=10)
    timeout_seconds: float = default(2.0, "a command that takes longer has failed", gt=0)
    fsync: Literal["always", "everysec"] = default(
        "always", "bundled store: an acknowledged write survives kill -9; docs/benchmarks.md"
    )


class Mongo(Section):
    """How the process talks to MongoDB."""

    driver: Literal["motor", "pymongo"] = default("motor", "docs/dependencies.md")
    database: str = default("showdown", "its name")
    pool_size: int = default(32, "connections of one process", ge=1)
    timeout_seconds: float = default(3.0, "an operation that takes longer has failed", gt=0)
    copy_seconds: int = default(
        900, "that Redis keeps what connecting reads; counts only if it loses a write", ge=1
    )


class Logs(Section):
    """What the process says."""

    format: Literal["json", "console"] = default("console", "json for machines")
    level: Literal["debug", "info", "warning", "error"] = default("info", "and above")


class Shutdown(Section):
    """SIGTERM, and what is waited for."""

    grace_seconds: float = default(5.0, "clients are told, spread over this time", ge=0)
    close_seconds: float = default(10.0, "for handlers, tasks and stores, each", gt=0)


def commas(value: object) -> object:
    """A list from the environment: `a,b`, or in JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        return tuple(json.loads(value))
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value
