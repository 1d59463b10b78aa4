"""What the queues cannot say: which jobs were taken back, and whether Redis is still the same.

| key | type | TTL | owner |
| --- | --- | --- | --- |
| `{jobs}:cancelled:<job>` | string, the job as it was (JSON) | `JOBS__KEEP_SECONDS` | its expiry |
| `{jobs}:epoch` | string | never | stays with its store: a new one is another store |
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from state.connect import RedisStore
from state.ids import new_id

EPOCH = "{jobs}:epoch"


class JobMarks:
    """Marks beside the queues."""

    def __init__(self, redis: RedisStore, keep_seconds: int) -> None:
        self._redis = redis
        self._keep_seconds = keep_seconds

    async def cancel(self, job_id: str, view: dict[str, Any]) -> None:
        """Tell whoever runs it, or would, to let it be."""
        text = orjson.dumps(view).decode()
        await self._redis.call("SET", _key(job_id), text, "EX", self._keep_seconds)

    async def uncancel(self, job_id: str) -> None:
        """It was too late."""
        await self._redis.call("DEL", _key(job_id))

    async def cancelled(self, job_id: str) -> dict[str, Any] | None:
        """A job that was taken back, as it was then."""
        text = await self._redis.call("GET", _key(job_id))
        return orjson.loads(text) if text else None

    async def among(self, job_ids: Collection[str]) -> list[str]:
        """Those of these jobs that were taken back."""
        marks = await self._redis.batch([("EXISTS", _key(job_id)) for job_id in job_ids])
        return [job_id for job_id, there in zip(job_ids, marks, strict=True) if there]

    async def epoch(self) -> str:
        """A name that Redis forgets when it loses its data."""
        known = await self._redis.call("GET", EPOCH)
        if known is None:
            await self._redis.call("SET", EPOCH, new_id(), "NX")
            known = await self._redis.call("GET", EPOCH)
        return str(known)


def _key(job_id: str) -> str:
    return f"{{jobs}}:cancelled:{job_id}"
