"""The Python client: its module's text, made from the two documents."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from textwrap import fill
from typing import Any

Document = dict[str, Any]
JSON = "application/json"
WIDTH = 96
PRIMITIVES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "object": "dict[str, Any]",
}
HEAD = '''"""A typed client of Showdown, generated from its documents by scripts/docs: do not edit.

It needs aiohttp and python-socketio, and nothing else of Showdown.

    async with Showdown("http://127.0.0.1:8080") as game:
        await game.sign_in(await game.guest(name="ann"))
        game.on("chat:message", lambda message: print(message["text"]))
        await game.chat_join(room="global")
        await game.chat_send(room="global", text="Hello")
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, NotRequired, Self, TypedDict, overload

import aiohttp
import socketio

ANSWER_SECONDS = 15.0

'''
BASE = '''
def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


class Refused(Exception):
    """The server said no; `code` is stable, `error` is the whole error object."""

    def __init__(self, error: ErrorObject) -> None:
        super().__init__(f"{error['code']}: {error['detail']}")
        self.error = error
        self.code = error["code"]


class Showdown:
    """One player: REST calls at once, events after `sign_in`.

    All that asks raises Refused when the server says no.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""
        self.socket = socketio.AsyncClient()
        self.ready: SessionReady
        self._http: aiohttp.ClientSession
        self._refusal: Any = None
        self._welcome: asyncio.Queue[SessionReady] = asyncio.Queue()
        self.socket.on("session:ready", self._welcomed)
        self.socket.on("connect_error", self._was_refused)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.disconnect()
        await self._http.close()

    async def sign_in(self, tokens: TokenAnswer, character_id: str | None = None) -> SessionReady:
        """Connect as the account of a token answer; returns what `session:ready` said."""
        self.token = tokens["access_token"]
        chosen = {"character_id": character_id} if character_id else {}
        try:
            await self.socket.connect(self.url, auth={"token": self.token, **chosen})
        except socketio.exceptions.ConnectionError:
            if self._refusal is None:
                raise
            raise Refused(self._refusal["data"]) from None
        self.ready = await asyncio.wait_for(self._welcome.get(), ANSWER_SECONDS)
        return self.ready

    def _welcomed(self, ready: SessionReady, *_: object) -> None:
        self._welcome.put_nowait(ready)

    def _was_refused(self, data: Any) -> None:
        self._refusal = data

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
    ) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = self.url + path
        asked = {name: str(value) for name, value in (query or {}).items()}
        async with self._http.request(
            method, url, headers=headers, json=body, params=asked
        ) as answer:
            shown: Any = await answer.json(content_type=None) if await answer.read() else None
            if answer.status >= 400:
                raise Refused(shown)
            return shown

    async def _ask(self, event: str, data: dict[str, Any]) -> Any:
        answer = await self.socket.call(event, data, timeout=ANSWER_SECONDS)
        if not answer["ok"]:
            raise Refused(answer["error"])
        return answer["data"]
'''
ON = '''
    def on(self, event: str, handler: Callable[[Any], object]) -> None:
        """Call a function with the data of each event of that name."""
        # An event that may be recovered has its offset after its data.
        self.socket.on(event, lambda data, *_: handler(data))
'''


def python_client(rest: Document, live: Document) -> str:
    """The whole module, not formatted yet."""
    schemas = live["components"]["schemas"] | rest["components"]["schemas"]
    asked = set(_asked(rest, live))  # their fields are arguments: they need no types
    types = [_type(name, one) for name, one in sorted(schemas.items()) if name not in asked]
    calls = [
        _call(method.upper(), path, operation, schemas)
        for path, methods in rest["paths"].items()
        for method, operation in methods.items()
        if _for_games(operation)
        and JSON in next(iter(operation["responses"].values())).get("content", {JSON: None})
    ]
    messages = live["components"]["messages"]
    asks = [
        _ask(operation, messages[key], messages[f"{key}.answer"], schemas)
        for key, operation in live["operations"].items()
        if operation["action"] == "receive" and key != "connect"
    ]
    told = [message for key, message in messages.items() if key.startswith("on.")]
    return "".join([HEAD, *types, BASE, *calls, *asks, *map(_on, told), ON])


def _for_games(operation: Document) -> bool:
    """Not a provider's webhook, and nothing that takes an operator."""
    signed = any(one["in"] == "header" and one["required"] for one in _parameters(operation))
    return not signed and "x-roles" not in operation


def _parameters(operation: Document) -> list[Document]:
    return list(operation.get("parameters", []))


def _asked(rest: Document, live: Document) -> Iterator[str]:
    """The names of the types that a client sends."""
    for methods in rest["paths"].values():
        for operation in methods.values():
            if "requestBody" in operation and _for_games(operation):
                yield _name(operation["requestBody"]["content"][JSON]["schema"])
    for key, operation in live["operations"].items():
        if operation["action"] == "receive" and key != "connect":
            yield _name(live["components"]["messages"][key]["payload"])
    yield "ConnectAuth"


def _type(name: str, schema: Document) -> str:
    if "properties" not in schema and schema.get("type") != "object":
        return f"{name} = {_python(schema)}\n\n"
    required = schema.get("required", [])
    fields = {
        field: _field(_python(one), needed=field in required)
        for field, one in schema.get("properties", {}).items()
    }
    text = _docstring(schema.get("description", name), 4)
    if any(map(keyword.iskeyword, fields)):  # no class can have such a field
        items = ", ".join(f"{field!r}: {type_!r}" for field, type_ in fields.items())
        return f"{name} = TypedDict({name!r}, {{{items}}})\n\n"
    body = "".join(f"    {field}: {type_}\n" for field, type_ in fields.items())
    return f"class {name}(TypedDict):\n    {text}\n\n{body}\n\n"


def _docstring(text: str, indent: int) -> str:
    """A text as a docstring of lines that are short enough."""
    space = " " * indent
    first, *rest = text.split("\n\n")
    paragraphs = [fill(first, WIDTH - 3, initial_indent=space, subsequent_indent=space).strip()]
    paragraphs += [fill(one, WIDTH, initial_indent=space, subsequent_indent=space) for one in rest]
    end = f"\n{space}" if rest or "\n" in paragraphs[0] else ""
    return '"""' + "\n\n".join(paragraphs) + end + '"""'


def _field(type_: str, *, needed: bool) -> str:
    return type_ if needed else f"NotRequired[{type_}]"


def _python(schema: Document) -> str:
    """A schema as a type of Python."""
    match schema:
        case {"$ref": str()}:
            type_ = _name(schema)
        case {"const": value}:
            type_ = f"Literal[{value!r}]"
        case {"enum": values}:
            type_ = f"Literal[{', '.join(map(repr, values))}]"
        case {"anyOf": some} | {"oneOf": some}:
            type_ = " | ".join(map(_python, some))
        case {"type": "array", "items": items}:
            type_ = f"list[{_python(items)}]"
        case {"type": "object", "additionalProperties": dict(values)}:
            type_ = f"dict[str, {_python(values)}]"
        case _:
            type_ = PRIMITIVES.get(schema.get("type", ""), "Any")
    return type_


def _call(method: str, path: str, operation: Document, schemas: Document) -> str:
    success = next(iter(operation["responses"].values()))
    answer = _python(success["content"][JSON]["schema"]) if "content" in success else "None"
    body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
    named = {one["name"]: one for one in _parameters(operation) if one["in"] != "header"}
    query = _given_in(named, "query")
    payload = schemas[_name(body)] if body else {}
    fields = {name: one["schema"] for name, one in named.items()} | payload.get("properties", {})
    needed = [name for name, one in named.items() if one["required"]]
    whole = {"properties": fields, "required": [*needed, *payload.get("required", [])]}
    head = _head(operation["operationId"], whole, answer)
    sent = f", {{{_passed(payload)}}}" if body else ""
    asked_of = f", query={{{_passed(query)}}}" if query["properties"] else ""
    shown = re.sub(r"{(\w+)}", lambda found: f"{{{_argument(found[1])}}}", path)
    where = f"f{shown!r}" if shown != path or "{" in path else repr(path)
    asked = f"await self._call({method!r}, {where}{sent}{asked_of})"
    return _method(head, operation, _returned(asked, answer))


def _given_in(named: Document, place: str) -> Document:
    """The parameters in one place, as a payload."""
    here = {name: one for name, one in named.items() if one["in"] == place}
    required = [name for name, one in here.items() if one["required"]]
    return {"properties": {name: one["schema"] for name, one in here.items()}, "required": required}


def _ask(operation: Document, message: Document, answer: Document, schemas: Document) -> str:
    data = _name(answer["payload"]["oneOf"][0]["properties"]["data"])
    payload = schemas[_name(message["payload"])]
    head = _head(message["name"].replace(":", "_"), payload, data)
    asked = f"await self._ask({message['name']!r}, {{{_passed(payload)}}})"
    return _method(head, operation, _returned(asked, data))


def _head(name: str, payload: Document, answer: str) -> str:
    required = payload.get("required", [])
    fields = payload.get("properties", {})
    needed = [f"{_argument(one)}: {_python(fields[one])}" for one in fields if one in required]
    others = [
        f"{_argument(one)}: {_optional(_python(fields[one]))} = None"
        for one in fields
        if one not in required
    ]
    arguments = ", ".join(["self", *(["*"] if fields else []), *needed, *others])
    return f"    async def {name}({arguments}) -> {answer}:\n"


def _method(head: str, operation: Document, body: str) -> str:
    codes = ", ".join(one["code"] for one in operation.get("x-errors", ()))
    refused = fill(f"Refused: {codes}.", WIDTH - 12, subsequent_indent=" " * 16)
    raises = f"\n\n        Raises:\n            {refused}\n        " if codes else ""
    return f'\n{head}        """{operation["summary"]}{raises}"""\n        {body}\n'


def _returned(asked: str, answer: str) -> str:
    return asked if answer == "None" else f"answer: {answer} = {asked}\n        return answer"


def _passed(payload: Document) -> str:
    """The fields as a dict's items: what was not given is not sent."""
    required = payload.get("required", [])
    fields = payload.get("properties", {})
    needed = [f"{one!r}: {_argument(one)}" for one in fields if one in required]
    others = [f"{one!r}: {_argument(one)}" for one in fields if one not in required]
    return ", ".join([*needed, *([f"**_given({{{', '.join(others)}}})"] if others else [])])


def _on(message: Document) -> str:
    data = _python(message["payload"])
    return (
        "\n    @overload\n"
        f"    def on(self, event: Literal[{message['name']!r}], "
        f"handler: Callable[[{data}], object]) -> None: ...\n"
    )


def _optional(type_: str) -> str:
    return type_ if type_.endswith("None") else f"{type_} | None"


def _argument(field: str) -> str:
    return f"{field}_" if keyword.iskeyword(field) else field


def _name(schema: Document) -> str:
    return str(schema["$ref"].rpartition("/")[2])
