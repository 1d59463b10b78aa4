"""The documents as judges: what is sent over the wire, held to what they say of it.

Every player and REST call of the tests goes through here (tests/harness.py), so whatever a
server sends in any integration test has to be documented.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, cached_property
from typing import Any

import jsonschema_rs

from config.settings import Settings
from handlers.catalogue import CATALOGUE
from server.documents.asyncapi import asyncapi
from server.documents.openapi import openapi

JSON = "application/json"


def closed(schema: Any) -> Any:
    """A schema that allows no fields but its own: documents leave answers room to grow."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        shut.setdefault("additionalProperties", False)
    return shut


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) is not None


class Judge:
    """Schemas of one document, compiled when they are asked for."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._schemas = closed(document["components"]["schemas"])
        self._ready: dict[str, Any] = {}

    def problems(self, key: str, schema: dict[str, Any], data: object) -> list[str]:
        """Why data is not as a schema says, which is known by `key`."""
        if key not in self._ready:
            whole = {**closed(schema), "components": {"schemas": self._schemas}}
            self._ready[key] = jsonschema_rs.validator_for(whole)
        try:
            found = list(self._ready[key].iter_errors(data))
        except ValueError as error:  # bytes, say: no JSON
            return [f"{key}: {error}"]
        return [f"{key}: {one.message} at {'/'.join(map(str, one.instance_path))}" for one in found]


class Contract:
    """Both documents, what went against them, and what of them was seen."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.seen: set[tuple[str, bool]] = set()
        """(operation's key, whether it succeeded); a server event always does."""

    @cached_property
    def live(self) -> Judge:
        """The events."""
        return Judge(asyncapi(CATALOGUE, Settings.model_construct()))

    @cached_property
    def rest(self) -> Judge:
        """The calls."""
        return Judge(openapi(CATALOGUE, Settings.model_construct()))

    def _message(self, key: str) -> Any:
        return self.live.document["components"]["messages"].get(key)

    def told(self, event: str, data: object) -> None:
        """The server sent an event."""
        key = f"on.{event.replace(':', '.')}"
        message = self._message(key)
        if message is None:
            self.broken.append(f"{event} is not documented: add it to handlers/events.py")
            return
        self.seen.add((key, True))
        self.broken += self.live.problems(key, message["payload"], data)

    def answered(self, event: str, argument: object, answer: dict[str, Any]) -> None:
        """A client's event was answered."""
        key = event.replace(":", ".")
        message = self._message(key)
        if message is None:
            return
        self.seen.add((key, answer["ok"]))
        asked = self.live.problems(key, message["payload"], argument)
        if answer["ok"]:
            self.broken += asked  # what succeeds is documented
        elif answer["error"]["code"] == "validation_failed":
            assert answer["error"]["errors"]
        reply = self._message(f"{key}.answer")["payload"]
        failed = reply["oneOf"][0 if answer["ok"] else 1]  # one, for a readable reason
        self.broken += self.live.problems(f"{key} ok={answer['ok']}", failed, answer)

    def connected(self, auth: object, answer: object, *, accepted: bool) -> None:
        """A CONNECT was answered, by CONNECT's or CONNECT_ERROR's payload."""
        self.seen.add(("connect", accepted))
        if accepted:
            self.broken += self.live.problems("CONNECT", self._message("connect")["payload"], auth)
        one = self._message("connect.answer")["payload"]["oneOf"][0 if accepted else 1]
        self.broken += self.live.problems(f"CONNECT accepted={accepted}", one, answer)

    def called(
        self, method: str, path: str, status: int, answer: object, *, body: object = None
    ) -> None:
        """A REST call was answered; `answer` is the JSON, or the text, of its body."""
        operation = self._operation(method, path)
        if operation is None:
            return
        self.seen.add((operation["operationId"], status < 400))
        said = operation["responses"].get(str(status))
        if said is None:
            self.broken.append(f"{method} {path} answered {status}, which is not documented")
            return
        for content in said.get("content", {}).values():
            key = f"{method} {path} {status}"
            self.broken += self.rest.problems(key, content["schema"], answer)
        if status < 400 and "requestBody" in operation:
            schema = operation["requestBody"]["content"][JSON]["schema"]
            sent = {} if body is None else body
            self.broken += self.rest.problems(f"{method} {path}", schema, sent)

    def _operation(self, method: str, path: str) -> Any:
        """The operation of a path, also of one with something in its places."""
        paths = self.rest.document["paths"]
        shape = path.partition("?")[0]
        for known in (shape, *(one for one in paths if _fits(one, shape))):
            if operation := paths.get(known, {}).get(method.lower()):
                return operation
        return None

    def take_broken(self) -> list[str]:
        """What went against the documents since this was asked last."""
        broken, self.broken = self.broken, []
        return broken

    def operations(self) -> Iterable[tuple[str, bool]]:
        """All that there is to be seen: (key, succeeded)."""
        for key, operation in self.live.document["operations"].items():
            yield (key, True)
            if operation["action"] == "receive":
                yield (key, False)
        for methods in self.rest.document["paths"].values():
            for operation in methods.values():
                yield (operation["operationId"], True)
                if "x-errors" in operation:
                    yield (operation["operationId"], False)


@cache
def contract() -> Contract:
    """The one that all players of a test run share."""
    return Contract()
