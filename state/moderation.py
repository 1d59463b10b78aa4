"""All that moderators work with, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from state.desk import Actions
from state.documents import DocumentStore
from state.enforcement import Enforcement
from state.records import Records
from state.reports import Reports


@dataclass(frozen=True, slots=True)
class Moderation:
    """What the handlers of moderation work with."""

    actions: Actions
    enforcement: Enforcement
    records: Records
    reports: Reports

    @classmethod
    def build(
        cls,
        documents: DocumentStore,
        now: Callable[[], int],
        observe: Callable[[int], object] = lambda _: None,
    ) -> Self:
        """Put it together.

        Args:
            documents: where everything is kept.
            now: milliseconds since the epoch, the same on every node.
            observe: told how many reports are open.
        """
        return cls(
            actions=Actions(documents, now),
            enforcement=Enforcement(documents, now),
            records=Records(documents, now),
            reports=Reports(documents, observe),
        )
