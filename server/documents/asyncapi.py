"""AsyncAPI 3.0 of the events: what a client may ask, is answered, and is sent."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from config.settings import Settings
from game import errors
from game.errors import ErrorObject
from handlers.payloads import Empty
from handlers.registry import Catalogue, Command, ServerEvent
from server.auth import Authenticator, ConnectAuth
from server.documents import contract
from server.documents.examples import TOKEN, Examples
from server.documents.refusals import (
    EVENT,
    Refusals,
    described,
    error_schema,
    listed,
    merged,
    titles,
)
from server.documents.schemas import Schema, Schemas, answer_of, unwrapped
from server.reception import Connected

_TEXT = """The events of Showdown over [Socket.IO](https://socket.io/docs/v4/) (protocol 5 over
Engine.IO 4), path `/socket.io/`, by WebSocket or long-polling. The stock clients work unchanged.

Sign in over [REST](/openapi.json), then connect with `auth: {token, character_id?}`. The server
sends `session:ready` when the connection may be used; a refusal is a `connect_error` whose
`message` is the code and whose `data` is the error object.

A client's event is a name and one JSON object (no argument counts as `{}`), with an
acknowledgement asked for: `{ok: true, data}` or `{ok: false, error}`. Without one a refusal comes
as the event `server:error`. A connection's events are handled in their order. An error never ends
a connection; what does is announced by `server:disconnect`. An event name that is not here is
answered with `unknown_event`.

Server events that are recovered carry, after their object, one more argument: a string that the
stock client gives back when it reconnects. Whoever comes back within
`SHOWDOWN_RECOVERY__SECONDS` is sent what he missed, or is told by `recovered: false` that he has
to look at everything anew."""

EVENTS, ANSWERS = "events", "acknowledgements"
CONNECT = "CONNECT"
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The `access_token` of a sign-in, as `token` of Socket.IO's `auth` object.",
}
_CONNECTING = merged(
    described(Authenticator.connect)[2],
    titles(
        errors.MalformedPayload,
        errors.PayloadTooLarge,
        errors.TooManyConnections,
        errors.ServerFull,
        errors.Draining,
        errors.DependencyUnavailable,
        errors.HandlerTimeout,
        errors.Internal,
    ),
)
# Read by state/recovery.py, from what a client was given before.
_RECOVERY = {
    "pid": {"type": "string", "description": "That of the former connection, to go on with it."},
    "offset": {"type": "string", "description": "The last one that was received."},
}


def asyncapi(catalogue: Catalogue, settings: Settings) -> Schema:
    """The document."""
    return AsyncApi(catalogue, settings).document()


class AsyncApi:
    """Puts the document together.

    Keys of messages and operations are the events' names with dots; those that the server
    sends have `on.` before them, as one name goes both ways.
    """

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self._catalogue = catalogue
        self._settings = settings
        self._schemas = Schemas(_types(catalogue))
        self._examples = Examples(self._schemas.components)
        self._messages: dict[str, Schema] = {}
        self._operations: dict[str, Schema] = {}

    def document(self) -> Schema:
        """The whole of it."""
        self._add_connect()
        for command in self._catalogue.commands:
            self._add_command(command)
        for event in self._catalogue.events:
            self._add_event(event)
        head = contract.info(f"{contract.TITLE} events", _TEXT, self._settings)
        return {
            "asyncapi": "3.0.0",
            "info": {**head, "license": {"name": contract.LICENSE["name"]}, "tags": self._tags()},
            "defaultContentType": "application/json",
            "servers": {"showdown": _server()},
            "channels": self._channels(),
            "operations": self._operations,
            "components": {
                "messages": self._messages,
                "schemas": self._schemas.components,
                "securitySchemes": {"token": _TOKEN},
            },
            "x-limits": contract.limits(self._settings),
            "x-errors": contract.codes(),
        }

    def _tags(self) -> list[Schema]:
        features: dict[str, str] = {}
        for command in self._catalogue.commands:
            text = sys.modules[command.handler.__module__].__doc__ or ""
            features.setdefault(_tag(command.event), unwrapped(text))
        for event in self._catalogue.events:
            features.setdefault(_tag(event.name), "What the server says of itself.")
        return [{"name": name, "description": text} for name, text in features.items()]

    def _channels(self) -> Schema:
        def having(*, answers: bool) -> Schema:
            names = (name for name in self._messages if name.endswith(".answer") is answers)
            return {name: {"$ref": f"#/components/messages/{name}"} for name in names}

        here = [{"$ref": "#/servers/showdown"}]
        return {
            EVENTS: {
                "address": "/",
                "title": "Events",
                "description": "Socket.IO's default namespace, the only one.",
                "servers": here,
                "messages": having(answers=False),
            },
            ANSWERS: {
                "address": None,
                "title": "Acknowledgements",
                "description": "Socket.IO takes each to the callback of its event.",
                "servers": here,
                "messages": having(answers=True),
            },
        }

    def _add_connect(self) -> None:
        schema = self._schemas.components["ConnectAuth"]
        auth = {**schema, "properties": schema["properties"] | _RECOVERY}
        auth["additionalProperties"] = True
        self._messages["connect"] = {
            "name": CONNECT,
            "title": "Connect",
            "summary": "The `auth` object of a stock client.",
            "payload": auth,
            "examples": [{"payload": {"token": TOKEN}}],
        }
        refused = {
            "type": "object",
            "description": "`connect_error`: its message is the code.",
            "required": ["message", "data"],
            "properties": {
                "message": {"enum": [error.code for error in _CONNECTING]},
                "data": error_schema(_CONNECTING),
            },
        }
        connected = self._schemas.of(Connected)
        self._messages["connect.answer"] = {
            "name": CONNECT,
            "title": "Connected, or refused",
            "payload": {"oneOf": [connected, refused]},
            "examples": [{"name": "connected", "payload": self._examples.of(connected)}],
        }
        self._operations["connect"] = {
            **_asked("connect", "session"),
            "summary": "Sign a connection in; `session:ready` follows.",
            "security": [{"$ref": "#/components/securitySchemes/token"}],
            "x-errors": listed(_CONNECTING),
        }

    def _add_command(self, command: Command[Any]) -> None:
        summary, text, raises = described(command.handler)
        refusals, key = merged(EVENT, raises), _key(command.event)
        asked = self._schemas.of(command.payload)
        self._messages[key] = {
            "name": command.event,
            "title": command.event,
            "summary": _about(command.payload),
            "payload": asked,
            "examples": [{"payload": self._examples.of(asked)}],
        }
        self._messages[f"{key}.answer"] = self._answer(command, refusals)
        self._operations[key] = {
            **_asked(key, _tag(command.event)),
            "summary": summary,
            **({"description": text} if text else {}),
            "x-errors": listed(refusals),
        }

    def _answer(self, command: Command[Any], refusals: Refusals) -> Schema:
        answer = _answer_of(command)
        schema = self._schemas.of(answer)
        data = self._examples.of(schema, command.event)
        example = self._examples.refusal(next(iter(refusals)))
        return {
            "name": command.event,
            "title": f"Answer to {command.event}",
            "summary": _about(answer),
            "payload": {"oneOf": [_succeeded(schema), _failed(refusals)]},
            "examples": [
                {"name": "success", "payload": {"ok": True, "data": data}},
                {"name": "failure", "payload": {"ok": False, "error": example}},
            ],
        }

    def _add_event(self, event: ServerEvent) -> None:
        key, schema = f"on.{_key(event.name)}", self._schemas.of(event.data)
        again = "" if event.recovered else " Not recovered after an absence."
        self._messages[key] = {
            "name": event.name,
            "title": event.name,
            "summary": event.summary,
            "payload": schema,
            "examples": [{"payload": self._examples.of(schema, event.name)}],
        }
        self._operations[key] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{EVENTS}"},
            "messages": [{"$ref": f"#/channels/{EVENTS}/messages/{key}"}],
            "tags": [{"name": _tag(event.name)}],
            "summary": event.summary,
            "description": f"To {event.audience}.{again}",
            "x-recovered": event.recovered,
        }


def _types(catalogue: Catalogue) -> Iterable[Any]:
    yield from (ErrorObject, Empty, ConnectAuth, Connected)
    for command in catalogue.commands:
        yield from (command.payload, _answer_of(command))
    yield from (event.data for event in catalogue.events)


def _answer_of(command: Command[Any]) -> Any:
    """A handler that returns nothing is answered with `{}`."""
    answer = answer_of(command.handler)
    return Empty if answer is type(None) else answer


def _succeeded(data: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["ok", "data"],
        "properties": {"ok": {"const": True}, "data": data},
    }


def _failed(refusals: Refusals) -> Schema:
    return {
        "type": "object",
        "required": ["ok", "error"],
        "properties": {"ok": {"const": False}, "error": error_schema(refusals)},
    }


def _asked(key: str, tag: str) -> Schema:
    """The frame of an operation that a client begins."""
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{EVENTS}"},
        "messages": [{"$ref": f"#/channels/{EVENTS}/messages/{key}"}],
        "reply": {
            "channel": {"$ref": f"#/channels/{ANSWERS}"},
            "messages": [{"$ref": f"#/channels/{ANSWERS}/messages/{key}.answer"}],
        },
        "tags": [{"name": tag}],
    }


def _server() -> Schema:
    return {
        "host": "{host}",
        "pathname": "/socket.io/",
        "protocol": "ws",
        "protocolVersion": "Socket.IO 5",
        "description": "Socket.IO over WebSocket or long-polling; `wss` behind TLS.",
        "variables": {
            "host": {"default": "127.0.0.1:8080", "description": "Where the REST calls are too."}
        },
    }


def _about(type_: Any) -> str:
    return unwrapped(type_.__doc__ or "").partition("\n\n")[0]


def _key(event: str) -> str:
    return event.replace(":", ".")


def _tag(event: str) -> str:
    return event.partition(":")[0]
