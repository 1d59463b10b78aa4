"""Guests for the players: made over REST, as politely as the server asks."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from loadtest.loop import Target

AT_ONCE = 4  # requests
PATIENCE = 30.0  # seconds for one of them
TOO_MANY = 429


class RefusedError(Exception):
    """The server does not let us in."""


@dataclass(frozen=True)
class Account:
    """Who a player signs in as."""

    token: str
    player_id: str
    seconds: int  # that the token lives


def guests(target: Target, count: int, told: Callable[[int], None]) -> list[Account]:
    """Sign guests in, some at a time.

    Args:
        told: called with how many there are.

    Raises:
        RefusedError: the server answers something else, or not.
    """
    made: list[Account] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for account in pool.map(_guest, repeat(target, count)):
            made.append(account)
            told(len(made))
    return made


def _guest(target: Target) -> Account:
    while True:
        status, headers, body = _post(target, "/api/v1/auth/guest", '{"name": "load"}')
        if status == TOO_MANY:
            time.sleep(float(headers.get("Retry-After") or 1))
            continue
        if status != http.client.CREATED:
            raise RefusedError(f"POST /auth/guest: {status} {body[:200]}")
        answer = json.loads(body)
        return Account(answer["access_token"], answer["character"]["id"], answer["expires_in"])


def _post(target: Target, path: str, body: str) -> tuple[int, http.client.HTTPMessage, str]:
    if target.tls:
        line: http.client.HTTPConnection = http.client.HTTPSConnection(
            target.host, target.port, timeout=PATIENCE, context=target.tls
        )
    else:
        line = http.client.HTTPConnection(target.host, target.port, timeout=PATIENCE)
    try:
        line.request("POST", path, body, {"Content-Type": "application/json"})
        answer = line.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise RefusedError(f"{target.host}:{target.port}: {error!r}") from None
    finally:
        line.close()
