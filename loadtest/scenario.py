"""What a run does: a TOML file, checked to the last field. docs/loadtest.md explains each."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt


class Part(BaseModel):
    """A table of the file: nothing in it that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Load(Part):
    """Who comes, how fast, and how long they stay."""

    players: PositiveInt = 100
    ramp_seconds: NonNegativeFloat = 10.0
    seconds: PositiveFloat = 60.0
    processes: PositiveInt = 1
    room_size: PositiveInt = 50
    seed: int = 1


class Chat(Part):
    """How much each player says."""

    per_minute: NonNegativeFloat = 2.0
    chars: int = Field(60, ge=24, le=5_000)


class Duels(Part):
    """How many duels each player fights."""

    per_minute: NonNegativeFloat = 0.2


class Churn(Part):
    """How often a player goes for good, and how long it takes until another comes."""

    per_minute: NonNegativeFloat = 0.0
    away_seconds: NonNegativeFloat = 1.0


class Faults(Part):
    """How often a player's network fails him, and for how long."""

    cuts_per_minute: NonNegativeFloat = 0.0
    cut_seconds: NonNegativeFloat = 1.0
    stalls_per_minute: NonNegativeFloat = 0.0
    stall_seconds: NonNegativeFloat = 2.0


class Thresholds(Part):
    """What a run must keep to, or its exit code is 1. None is not looked at."""

    connect_p99_ms: PositiveFloat | None = 5_000.0
    ack_p99_ms: PositiveFloat | None = 1_000.0
    delivery_p99_ms: PositiveFloat | None = 1_000.0
    error_rate: NonNegativeFloat | None = 0.01
    lost: int | None = 0
    doubled: int | None = 0
    out_of_order: int | None = 0
    not_recovered: int | None = None
    broken: int | None = 0


class Scenario(Part):
    """A whole run."""

    load: Load = Load()
    chat: Chat = Chat()
    duels: Duels = Duels()
    churn: Churn = Churn()
    faults: Faults = Faults()
    thresholds: Thresholds = Thresholds()


def read(path: Path) -> Scenario:
    """A scenario from its file.

    Raises:
        OSError, ValueError: there is none, or it says what is not known.
    """
    return Scenario.model_validate(tomllib.loads(path.read_text("utf-8")))
