"""What leaves the server by itself: webhooks, notifications, e-mail and push."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import PositiveFloat, SecretStr, field_validator
from pydantic_settings import NoDecode

from config.sections import Section, commas, default


class Webhooks(Section):
    """Domain events, told to other people's servers."""

    endpoints: int = default(50, "each costs a write for every event that it wants", ge=1)
    private: bool = default(
        False, "true lets them be at loopback and private addresses and without TLS"
    )
    timeout_seconds: float = default(15.0, "Standard Webhooks: 15 to 30 s", gt=0)
    retry_seconds: Annotated[tuple[PositiveFloat, ...], NoDecode] = default(
        (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 28_800.0, 30_300.0),
        "pauses between attempts, a day in all",
        min_length=1,
    )
    concurrency: int = default(4, "requests at once to one endpoint, of one process", ge=1)
    breaker_failures: int = default(5, "in a row; then the endpoint rests", ge=1)
    breaker_seconds: float = default(30.0, "the first rest; each is twice the last", gt=0)
    breaker_longest_seconds: float = default(3_600.0, "and no longer than this", gt=0)
    disable_seconds: float = default(86_400.0, "without one success; then it is disabled", gt=0)
    pending: int = default(100_000, "deliveries that wait for one endpoint; or disabled", ge=1)
    rotation_seconds: int = default(86_400, "an old secret still signs after a rotation", ge=0)
    keep_seconds: int = default(2_592_000, "events and deliveries can be read and replayed", ge=60)

    @field_validator("retry_seconds", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return commas(value)


class Notifications(Section):
    """What a player should see, also when he was away."""

    kept: int = default(100, "of one player; the oldest go first", ge=1, le=1_000)
    keep_seconds: int = default(2_592_000, "30 days; what is older is news no more", ge=60)
    public_url: str = default(
        "http://127.0.0.1:8080", "how players reach this server: links in e-mails begin so"
    )


class Email(Section):
    """SMTP; without a host no e-mail is sent."""

    host: str | None = default(None, "none: no e-mail")
    port: int = default(587, "submission (RFC 6409)", ge=1, le=65_535)
    tls: Literal["starttls", "implicit", "none"] = default(
        "starttls", "demanded, not only tried; implicit is port 465; none for a relay at home"
    )
    ca_file: str | None = default(None, "of the relay's certificate, if no public one signed it")
    username: str | None = default(None, "none: without signing in")
    password: SecretStr | None = default(None, "of that user")
    sender: str = default("Showdown <showdown@localhost>", "the From of every e-mail")
    timeout_seconds: float = default(20.0, "a relay that takes longer has failed", gt=0)
    per_day: int = default(20, "e-mails to one account in a UTC day; more is a nuisance", ge=1)
    link_seconds: int = default(86_400, "a link that verifies an address is good so long", ge=60)


class Push(Section):
    """Web Push (RFC 8030) with VAPID (RFC 8292)."""

    secret: SecretStr | None = default(
        None, "the VAPID key is made of it; none: of AUTH__SECRET. Changed, devices sign up anew"
    )
    subject: str = default("mailto:showdown@localhost", "whom a push service may write to")
    ttl_seconds: int = default(86_400, "a push service keeps a message for a device", ge=0)
    devices: int = default(10, "of one account; the oldest goes first", ge=1, le=100)
    private: bool = default(False, "true lets push services be at private addresses, for tests")
    timeout_seconds: float = default(15.0, "a push service that takes longer has failed", gt=0)
