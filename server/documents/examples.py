"""Examples for the documents: a duel that was really played, the rest made from schemas.

Each field has its sample by name, else by type; a test holds every example to its schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from game import duels, errors
from game.duel_views import view_for
from game.duels import Duel
from server.documents.schemas import Schema

ANN, BOB = "0193e5a7c41f08b2d6e4", "0193e5a80b7716f3a95c"
DUEL_ID = "0193e5a9d27743c1be08"
NOW = 1_795_342_800_000
SEED = "5e" * 32
TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"  # noqa: S105
ENTRY_ID = "0193e5a7c4ee" + "0" * 16
EMAIL = "ann@example.com"
PLACE = f"{206:016x}{2**48 - 1 - NOW:012x}{ANN}"
JOB_CURSOR = f"{NOW}-reports.economy-{ANN}"
MESSAGE_ID = f"{NOW}-00000@global"

BY_NAME: Mapping[str, Any] = {
    "id": ANN,
    "name": "ann",
    "username": "ann",
    "password": "correct horse battery",
    "role": "player",
    "token": TOKEN,
    "access_token": TOKEN,
    "refresh_token": "0193e5a7c4ee." + "q" * 43,
    "token_type": "Bearer",
    "expires_in": 900,
    "expires_at": NOW + 900_000,
    "server_time": NOW,
    "sent_at": NOW,
    "edited_at": NOW + 5_000,
    "last_seen": NOW,
    "since": NOW,
    "muted_until": NOW + 60_000,
    "deadline": NOW + 20_000,
    "room": "global",
    "rooms": ["global"],
    "text": "Well played!",
    "reason": "Not what this room is for.",
    "client_id": "7d0c4c0e",
    "key": "3f1f9a52",
    "before": MESSAGE_ID,
    "next_before": MESSAGE_ID,
    "message_id": MESSAGE_ID,
    "cursor": "0193e5aa77d11f20c9a3",
    "next_cursor": "0193e5aa77d11f20c9a3",
    "account_id": "0193e5a7c1d4a63b90ef",
    "by": "0193e5a7c1d4a63b90ef",
    "whom": "0193e5a7c1d4a63b90ef",
    "action": "mute",
    "note": "Seen; he was told.",
    "report_id": "0193e5aa77d11f20c9a3",
    "to": BOB,
    "player_id": BOB,
    "player_ids": [ANN, BOB],
    "opponent_id": BOB,
    "character_id": ANN,
    "winner_id": ANN,
    "duel_id": DUEL_ID,
    "hold": [0, 1, 4],
    "session_id": "kXv0b8n5XQ4pYb3tAAAB",
    "pid": "b1946ac92492d2347c6235b4d2611184",
    "offset": "1732264400123-0",
    "node": "n1",
    "status": "online",
    "stake": 0,
    "players": [BOB],
    "victim_id": BOB,
    "balance": 1_000,
    "entry_id": ENTRY_ID,
    "batch_id": "0193e5ad1e5c7f20b4a6",
    "address": "acct-7f3a",
    "reference": "r-20931",
    "amount": 100,
    "fee": 0,
    "board": "rating",
    "season": "2026-q4",
    "after": PLACE,
    "next_after": PLACE,
    "rating": 1_658,
    "uncertainty": 484,
    "score": 206,
    "change": 158,
    "waiting_since": NOW,
    "estimated_wait": 7_000,
    "bet": 10,
    "staked": 10,
    "cards": ["AS", "7D"],
    "total": 18,
    "game_id": "0193e5ab30c4d81f6e27",
    "item": "padlock",
    "count": 1,
    "pack": "purse",
    "order_id": "0193e5ac94a01b7de335",
    "currency": "eur",
    "provider": "sandbox",
    "notice": "This is a sandbox: no money moves.",
    "url": "https://game.example/here",
    "event_id": "evt_5f1d7a9c0b3e4d6f8a2c1b0e",
    "link": "pYb3tAAAB",
    "endpoint": "https://push.example/3f1f9a52",
    "ref": "",
    "seconds": 300,
    "member_count": 1,
    "request_id": "9f2c4b1e-2a",
    "trace_id": "9f2c4b1e-2a",
    "cron": "10 0 * * *",
    "tz": "UTC",
    "task": "reports.economy",
    "queue": "reports.economy",
}


def played() -> Mapping[str, Duel]:
    """One duel in three of its states, by the rules themselves."""
    both = ANN, BOB
    offered = duels.challenge(DUEL_ID, (ANN, "ann"), (BOB, "bob"), SEED, NOW, duels.Rules())
    duel = active = duels.accept(offered, BOB, dict.fromkeys(both, True), NOW + 4_000)
    while duel.status == "active":
        for player in both:
            duel = duels.play(duel, player, duel.round, [0, 1], NOW + 9_000)
    return {"challenged": offered, "active": active, "finished": duel}


class Examples:
    """Makes an example of any schema of the documents."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components
        duels_ = played()
        views = {status: view_for(duel, ANN) for status, duel in duels_.items()}
        refusal = errors.NotFound
        self._types: dict[str, Any] = {
            "DuelView": views["active"],
            "RoundView": views["finished"]["rounds"][0],
            "RoundNews": {"duel_id": DUEL_ID, **views["finished"]["rounds"][0]},
            "ChatMessage": self._message(),
            "ErrorObject": {
                "type": "about:blank",
                "title": refusal.title,
                "status": refusal.status,
                "detail": refusal.title,
                "code": refusal.code,
                "retryable": refusal.retryable,
                "request_id": BY_NAME["request_id"],
            },
        }
        self._messages: dict[str, Any] = {
            "duel:challenged": view_for(duels_["challenged"], BOB),
            "duel:ended": views["finished"],
            "duel:challenge": {"duel": views["challenged"]},
            "chat:edited": self._message(edited_at=BY_NAME["edited_at"]),
            "chat:deleted": self._message(text="", deleted=True),
        }

    @staticmethod
    def _message(**changes: Any) -> dict[str, Any]:
        author = {"id": ANN, "name": "ann"}
        written = {"id": MESSAGE_ID, "room": "global", "from": author}
        return {**written, "text": BY_NAME["text"], "sent_at": NOW, **changes}

    def of(self, schema: Schema, name: str = "") -> Any:
        """An example of a schema; `name` is the message's whose data it is, if there is one."""
        return self._messages.get(name) or self._of(schema, "")

    def refusal(self, error: type[errors.GameError]) -> dict[str, Any]:
        """An error object with that code."""
        shown: dict[str, Any] = {
            **self._types["ErrorObject"],
            "title": error.title,
            "status": error.status,
            "detail": error.title,
            "code": error.code,
            "retryable": error.retryable,
        }
        if error is errors.ValidationFailed:
            problem = {"field": "name", "message": "Field required", "type": "missing"}
            shown["errors"] = [problem]
        if error is errors.RateLimited:
            shown["retry_after"] = 1.5
        return shown

    def _of(self, schema: Schema, field: str) -> Any:
        match schema:
            case {"$ref": str(reference)}:
                return self._of_component(reference.rpartition("/")[2], field)
            case {"const": value} | {"enum": [value, *_]}:
                return value
            case {"anyOf": [*some]} | {"oneOf": [*some]}:
                return self._of(some[0], field)
            case {"type": "object"}:
                return self._of_object(schema, field)
        return self._of_value(schema, field)

    def _of_component(self, name: str, field: str) -> Any:
        if name in self._types:
            return self._types[name]
        return self._of(self._components[name], field)

    def _of_object(self, schema: Schema, field: str) -> Any:
        fields = schema.get("properties", {})
        if not fields and isinstance(schema.get("additionalProperties"), dict):
            return {ANN: self._of(schema["additionalProperties"], field)}
        return {name: self._of(one, name) for name, one in fields.items()}

    def _of_value(self, schema: Schema, field: str) -> Any:
        if "pattern" in schema:
            samples = (BY_NAME.get(field, field), ANN, ENTRY_ID, JOB_CURSOR, EMAIL)
            return next(one for one in samples if re.search(schema["pattern"], one))
        if field in BY_NAME:
            return BY_NAME[field]
        match schema:
            case {"type": "array", "items": items}:
                return [self._of(items, field.removesuffix("s"))]
            case {"type": "string"}:
                return field or "text"
            case {"type": "integer" | "number"}:
                return NOW if field.endswith(("_at", "_until")) else schema.get("minimum", 1)
        return schema.get("type") == "boolean"
