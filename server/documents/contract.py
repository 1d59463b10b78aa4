"""What both documents say alike: who we are, limits in force, all codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from config.settings import Settings, describe
from game import errors
from server.documents.schemas import Schema

VERSION = "1.0.0"  # of the protocol: the major one is that of /api/v1
LICENSE = {"name": "MIT", "identifier": "MIT"}

_SECTIONS = (
    "limits",
    "auth",
    "duels",
    "chat",
    "presence",
    "recovery",
    "economy",
    "rob",
    "blackjack",
)
# What is nobody's business outside, or says nothing to a client.
_PRIVATE = (
    "SECRET",
    "SHOP_FILE",
    "MASKED_WORDS",
    "CHAT__TAIL",
    "CHAT__BUFFER",
    "CHAT__ARCHIVE_BATCH",
)

TITLE = "Showdown"
_CODES = """## Error codes

`code` is stable, texts are for people. What is retryable may succeed later, unchanged;
`retry_after` says when, if that is known."""


def limits(settings: Settings) -> list[dict[str, str]]:
    """The settings in force that a client can notice, each with its reason."""
    return [
        {"setting": name, "value": value, "why": why}
        for section in _SECTIONS
        for name, value, why in describe(
            getattr(settings, section), f"SHOWDOWN_{section.upper()}__"
        )
        if not name.endswith(_PRIVATE)
    ]


def codes() -> list[dict[str, Any]]:
    """Every error code."""
    return list(errors.table())


def info(title: str, text: str, settings: Settings) -> Schema:
    """The head of a document, with the tables that hold for all of it."""
    parts = [
        text,
        "## Limits\n\nThe settings in force on this server.",
        _table(limits(settings), ("setting", "value", "why")),
        _CODES,
        _table(codes(), ("code", "status", "retryable", "title")),
    ]
    return {"title": title, "version": VERSION, "description": "\n\n".join(parts)}


def _table(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> str:
    def line(cells: Iterable[object]) -> str:
        return f"| {' | '.join(map(_cell, cells))} |"

    head = [line(columns), line("---" for _ in columns)]
    return "\n".join([*head, *(line(row[name] for name in columns) for row in rows)])


def _cell(value: object) -> str:
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return text.replace("|", "\\|")
