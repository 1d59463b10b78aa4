"""All that has to do with coins, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from config.settings import Settings
from state.documents import DocumentStore
from state.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Economy:
    """What the handlers of the economy work with."""

    ledger: Ledger

    @classmethod
    def build(cls, documents: DocumentStore, settings: Settings, now: Callable[[], int]) -> Self:
        """Put it together; `now` is in milliseconds, the same on every node."""
        ledger = Ledger(documents, settings, now)
        return cls(ledger=ledger)
