"""JSON Schemas of all that is sent, from the very types that the server validates with."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import TypeAdapter

Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/{model}"
_NAMED = ("properties", "$defs")  # maps of names to schemas: a field may be called title


class Schemas:
    """The schemas of some types, under the short names of those types.

    `components` has each named one once; `of` gives what stands in its place.
    """

    def __init__(self, types: Iterable[Any]) -> None:
        wanted: dict[Any, None] = dict.fromkeys(types)
        asked: list[tuple[Any, Literal["validation"], TypeAdapter[Any]]] = [
            (one, "validation", TypeAdapter(one)) for one in wanted
        ]
        found, defined = TypeAdapter.json_schemas(asked, ref_template=_REFERENCE)
        self._of: dict[Any, Schema] = {type_: _tidy(schema) for (type_, _), schema in found.items()}
        self.components: dict[str, Schema] = {
            name: _tidy(schema) for name, schema in sorted(defined.get("$defs", {}).items())
        }

    def of(self, type_: Any) -> Schema:
        """The schema of one of the types: a reference if it has a name."""
        return self._of[type_]


def answer_of(handler: Any) -> Any:
    """The type that a handler says it returns."""
    hints: dict[str, Any] = typing.get_type_hints(handler, include_extras=True)
    return hints["return"]


def reference(name: str) -> Schema:
    """Where a component's schema is."""
    return {"$ref": _REFERENCE.format(model=name)}


def unwrapped(text: str) -> str:
    """A docstring without its line breaks, except those between paragraphs."""
    return re.sub(r"(?<!\n)\n(?!\n)\s*", " ", text.strip())


def _tidy(schema: Any, *, named: bool = False) -> Any:
    """Without the titles that repeat names; descriptions in one piece."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {
        key: _tidy(value, named=key in _NAMED)
        for key, value in schema.items()
        if named or key != "title"
    }
    if not named and isinstance(tidy.get("description"), str):
        tidy["description"] = unwrapped(tidy["description"])
    return tidy
