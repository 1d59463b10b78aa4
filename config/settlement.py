"""Coins that leave for an outside ledger."""

from __future__ import annotations

from pydantic import SecretStr

from config.sections import Section, default


class Settlement(Section):
    """Where withdrawals are settled; docs/jobs.md says what is spoken there."""

    url: str | None = default(None, "of the outside ledger; none: coins stay here")
    key: SecretStr | None = default(None, "sent there as a bearer token")
    timeout_seconds: float = default(8.0, "of one answer; later it may still be taken", gt=0)
    first_seconds: float = default(2.0, "before the second try or question; then doubled", gt=0)
    most_seconds: float = default(900.0, "between two tries or questions", gt=0)
    give_up_seconds: float = default(
        86_400.0, "pending for so long, somebody should look: a dead letter", gt=0
    )
