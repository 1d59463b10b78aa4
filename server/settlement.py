"""An outside ledger (handlers.ports.Settlement) over HTTP.

`POST <url>/transfers` with `{"id", "address", "amount"}` and an `Idempotency-Key`, and
`GET <url>/transfers/<id>`; both answer `{"status", "reference"?, "reason"?}`, where the status is
`pending`, `confirmed` or `failed`. Only a 2xx or a 422 with such a body is its word. Whatever
else comes (a proxy's page, a 401, a 404, nothing at all) says nothing about the coins.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import aiohttp
from pydantic import BaseModel, StringConstraints, ValidationError

from config.logging import get_logger
from config.settings import SettingsError
from config.settlement import Settlement as Settings
from game.errors import DependencyUnavailable
from game.withdrawals import Says, Verdict, Withdrawal
from handlers.ports import Settlement

AWAY = (aiohttp.ClientError, TimeoutError, OSError)
ANSWER_BYTES = 65_536  # more is no answer
WORD = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, 422})

log = get_logger(__name__)


class _Said(BaseModel):
    status: Says
    reference: Annotated[str, StringConstraints(max_length=128)] | None = None
    reason: Annotated[str, StringConstraints(max_length=256)] | None = None


def outside(settings: Settings) -> Settlement | None:
    """The ledger of the settings, if there is one.

    Raises:
        SettingsError: its key is missing, or its address is none of HTTP.
    """
    if settings.url is None:
        return None
    if not settings.url.startswith(("http://", "https://")):
        raise SettingsError("SHOWDOWN_SETTLEMENT__URL does not begin with http:// or https://")
    if settings.key is None:
        raise SettingsError("SHOWDOWN_SETTLEMENT__KEY is not set")
    return HttpLedger(settings.url, settings.key.get_secret_value(), settings.timeout_seconds)


class HttpLedger:
    """Speaks as above."""

    def __init__(self, url: str, key: str, seconds: float) -> None:
        self._url = f"{url.rstrip('/')}/transfers"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._limit = aiohttp.ClientTimeout(total=seconds)

    async def submit(self, one: Withdrawal) -> Verdict:
        """Give it a withdrawal, under its id."""
        body = {"id": one.id, "address": one.address, "amount": one.amount}
        headers = {"Idempotency-Key": one.id}
        return await self._call("POST", self._url, json=body, headers=headers)

    async def ask(self, one: Withdrawal) -> Verdict:
        """What became of one."""
        return await self._call("GET", f"{self._url}/{one.id}")

    async def _call(self, method: str, url: str, **given: Any) -> Verdict:
        try:
            # Withdrawals are rare: a connection kept open would be closed by the next one.
            async with (
                aiohttp.ClientSession(timeout=self._limit, headers=self._headers) as http,
                http.request(method, url, allow_redirects=False, **given) as answer,
            ):
                status, text = answer.status, await _body(answer)
        except AWAY as error:
            raise DependencyUnavailable("The outside ledger does not answer.") from error
        if status not in WORD:
            log.warning("settlement_refused", status=status)
            raise DependencyUnavailable(f"The outside ledger answered {status}.")
        try:
            said = _Said.model_validate_json(text)
        except ValidationError:
            raise DependencyUnavailable("The outside ledger's answer is not one.") from None
        return Verdict(said.status, said.reference, said.reason)


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """All of it, or what is more than it may be."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES:
            return b""
    return bytes(body)
