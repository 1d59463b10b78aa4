"""What is asked and answered, at its simplest: the schemas that all others are made of."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from typing_extensions import TypedDict

from game.economy import INT64_MAX


class Payload(BaseModel):
    """What a client sends: nothing missing, nothing extra, no type bent to fit."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Nothing(Payload):
    """`{}`."""


class Empty(TypedDict):
    """`{}`: done, and there is nothing to tell."""


class TaskPayload(Payload):
    """What a job is given; `task` names the one that does it."""

    task: ClassVar[str]


Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+$")]
"""Of a player, an account or a duel."""
Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""An idempotency key, or a client's own id of a message."""
Amount = Annotated[int, Field(ge=1, le=INT64_MAX)]
"""Coins."""

P = TypeVar("P", bound=Payload)
