"""The audit of the books as a command. By schedule it is a job: jobs/tasks/books.py."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from config.settings import Settings, SettingsError
from state.audit import Audit, Report
from state.documents import DocumentStore
from state.embedded import EmbeddedDocuments
from state.ownership import DataDirBusy


def run(settings: Settings) -> int:
    """Audit once, and print the report as JSON; 0 when all is well, 1 when something is wrong.

    Raises:
        SettingsError: the embedded store is in use by a server.
    """
    report = asyncio.run(_run(settings))
    sys.stdout.buffer.write(orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2) + b"\n")
    return 0 if report.ok else 1


async def _run(settings: Settings) -> Report:
    async with _documents(settings) as documents:
        return await Audit(documents).run()


@asynccontextmanager
async def _documents(settings: Settings) -> AsyncIterator[DocumentStore]:
    """The store of the settings; the bundled one only when no server runs it."""
    if settings.mongo_url is not None:
        async with DocumentStore(settings.mongo_url, settings.mongo) as documents:
            yield documents
        return
    try:
        async with (
            EmbeddedDocuments(settings.data_dir) as embedded,
            DocumentStore(embedded.url, settings.mongo) as documents,
        ):
            yield documents
    except DataDirBusy as error:
        raise SettingsError(str(error)) from None
