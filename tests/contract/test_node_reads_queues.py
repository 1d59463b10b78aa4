"""The queues are BullMQ's own: its Node side, and so Bull Board, can read them."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from jobs.base import GiveUpError, JobContext
from state.connect import RedisStore
from state.documents import DocumentStore
from tests.contract.jobs_kit import Note, Witness, noting, working
from tests.fixtures import Stores
from tests.integration.node import node


@pytest.mark.js
@pytest.mark.slow
async def test_node_sees_what_ran_and_what_died(redis: RedisStore, stores: Stores) -> None:
    witness = Witness()
    no_documents: DocumentStore = None  # type: ignore[assignment]

    async def work(job: Note, ctx: JobContext) -> str:
        if job.text == "bad":
            raise GiveUpError("never")
        return await witness.note(job, ctx)

    async with working((redis, no_documents), noting(work), witness=witness) as bench:
        done, dead = [await bench.order("good"), await bench.order("bad")]
        await bench.ended(done)
        await bench.ended(dead)
        later = await bench.order("later", delay=600)
        path = urlsplit(stores.redis_url).path
        async with node("queues.mjs", path, "test.note", done, dead, later) as script:
            seen = await script.step("seen")
            assert await script.ended() == 0
    counts = seen["counts"]
    assert (counts["completed"], counts["failed"], counts["delayed"]) == (1, 1, 1)
    good, bad, waits = seen["jobs"]
    assert (good["id"], good["data"], good["result"]) == (done, {"text": "good"}, "good")
    assert (bad["id"], bad["attempts"]) == (dead, 1)
    assert bad["reason"].startswith("never")
    assert (waits["name"], waits["data"]) == ("test.note", {"text": "later"})
