"""What is written down of what operators do."""

from __future__ import annotations

from typing import Any

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict

from game.moderation import Person


class OperationEntry(TypedDict):
    """One call of an operator that changes something; `at` in ms.

    `action` is the call, as `POST /queues/{queue}/pause`; `details` what it was given, without
    payloads of jobs. `outcome` is `ok`, the code of its refusal, or null when only its begin
    is known.
    """

    id: str
    action: str
    by: Person
    details: dict[str, Any]
    at: int
    outcome: str | None
