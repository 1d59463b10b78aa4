"""Routes that read whatever a REST call can be given, and give back what they have read.

python -m tests.integration.things serve
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from handlers import catalogue
from handlers.base import ADMINS, Context
from handlers.payloads import Id, Key, Payload
from handlers.registry import Catalogue, route
from server.__main__ import main


class Listed(Payload):
    """A page of them."""

    id: Id
    state: Literal["new", "old"] | None = None
    limit: int = Field(default=50, ge=1, le=100)
    all: bool = False


class Change(Payload):
    """What to make of one."""

    id: Id
    amount: int
    key: Key | None = None


class One(Payload):
    """Which."""

    id: Id


class Read(TypedDict):
    """What came."""

    read: dict[str, Any]


@route("GET", "/things/{id}", Listed, signed_in=False)
async def listed(cmd: Listed, _: Context) -> Read:
    """Read path and query."""
    return Read(read=cmd.model_dump())


@route("PUT", "/things/{id}", Change, signed_in=False, large=True)
async def change(cmd: Change, _: Context) -> Read:
    """Read path, body and key."""
    return Read(read=cmd.model_dump())


@route("POST", "/things/{id}/touch", One)
async def touch(cmd: One, _: Context) -> Read:
    """Read a path alone."""
    return Read(read=cmd.model_dump())


@route("DELETE", "/things/{id}", One, roles=ADMINS, status=204)
async def remove(_: One, __: Context) -> None:
    """Be for administrators."""


@route("GET", "/things/{id}/file", One, signed_in=False, file="thing.csv", media="text/csv")
async def file(cmd: One, _: Context) -> str:
    """Be saved."""
    return f"id\n{cmd.id}\n"


THINGS = (listed, change, touch, remove, file)


def extended(known: Catalogue) -> Catalogue:
    """The catalogue, and things."""
    return replace(known, routes=(*known.routes, *THINGS))


if __name__ == "__main__":
    catalogue.CATALOGUE = extended(catalogue.CATALOGUE)
    sys.exit(main())
