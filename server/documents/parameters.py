"""What of a call stands in its path, its query and its headers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from handlers.payloads import Nothing
from handlers.registry import Route
from server.documents.examples import BY_NAME
from server.documents.schemas import Schema, Schemas
from server.requests import IDEMPOTENCY_KEY, WITH_BODY

_NULL = {"type": "null"}
_SAME_KEY = "In place of the body's `key`."
_SIGNATURE = "The provider's signature of the body."


def parameters(route: Route[Any], schemas: Schemas) -> list[Schema]:
    """The parameters of a call; a body's fields are none."""
    if route.signature:
        return [_header(route.signature, _SIGNATURE, required=True)]
    fields = _fields(route, schemas)
    required = fields.get("required", [])
    named = [
        _parameter(name, field, route, required=name in required)
        for name, field in fields.get("properties", {}).items()
        if name in route.in_path or route.method not in WITH_BODY
    ]
    keyed = route.method in WITH_BODY and "key" in route.payload.model_fields
    return [*named, *([_header(IDEMPOTENCY_KEY, _SAME_KEY, required=False)] if keyed else [])]


def without(routes: Sequence[Route[Any]], schemas: Schemas) -> None:
    """Take the parameters out of the schemas of bodies, and those away that are no body's."""
    named = [one for one in routes if one.payload is not Nothing and not one.signature]
    bodies = {_component(one, schemas): one for one in named if has_body(one)}
    for route in named:
        if _component(route, schemas) not in bodies:
            schemas.components.pop(_component(route, schemas), None)
    for name, route in bodies.items():
        schemas.components[name] = _cut(schemas.components[name], route.in_path)


def has_body(route: Route[Any]) -> bool:
    """Whether a call has one."""
    if route.method not in WITH_BODY or route.payload is Nothing:
        return False
    return bool(route.signature) or set(route.payload.model_fields) != set(route.in_path)


def _cut(schema: Schema, names: Collection[str]) -> Schema:
    """A schema without some of its fields."""
    rest = {key: one for key, one in schema["properties"].items() if key not in names}
    required = [key for key in schema.get("required", []) if key in rest]
    cut = {**schema, "properties": rest, "required": required}
    if not required:
        del cut["required"]
    return cut


def _fields(route: Route[Any], schemas: Schemas) -> Mapping[str, Any]:
    return schemas.components[_component(route, schemas)]


def _component(route: Route[Any], schemas: Schemas) -> str:
    return str(schemas.of(route.payload)["$ref"].rpartition("/")[2])


def _parameter(name: str, field: Schema, route: Route[Any], *, required: bool) -> Schema:
    schema = _present(field)
    text = schema.pop("description", None)
    example = BY_NAME.get(name)
    return {
        "name": name,
        "in": "path" if name in route.in_path else "query",
        "required": required or name in route.in_path,
        "schema": schema,
        **({"description": text} if text else {}),
        **({} if example is None else {"example": example}),
    }


def _present(field: Schema) -> Schema:
    """The schema of a value that is given: one cannot write null in a query."""
    schema = {key: value for key, value in field.items() if value is not None}
    some = [one for one in schema.get("anyOf", []) if one != _NULL]
    if len(some) == 1:
        del schema["anyOf"]
        schema |= some[0]
    return schema


def _header(name: str, text: str, *, required: bool) -> Schema:
    schema: Schema = (
        {"type": "string"} if required else {"type": "string", "minLength": 1, "maxLength": 64}
    )
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": text,
        "schema": schema,
    }
