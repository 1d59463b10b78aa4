"""The audit of the books: on demand, and by schedule on one node at a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson

from config.logging import get_logger
from config.settings import Settings, SettingsError
from game import rooms
from handlers.base import Publisher
from handlers.session import ServerNotice
from server.metrics import Metrics
from state.audit import Audit, AuditLog, Report
from state.documents import DocumentStore
from state.embedded import EmbeddedDocuments
from state.ownership import DataDirBusy

LOOK_SECONDS = 5.0  # how often a node looks whether an audit is due

log = get_logger(__name__)


class Auditor:
    """A node's part in the schedule: whoever comes first does the audit of a period."""

    def __init__(
        self,
        documents: DocumentStore,
        settings: Settings,
        now: Callable[[], int],
        publisher: Publisher,
        metrics: Metrics,
    ) -> None:
        self._documents = documents
        self._every_ms = settings.audit.every_seconds * 1000
        self._log = AuditLog(documents)
        self._now = now
        self._publisher = publisher
        self._metrics = metrics

    async def look(self) -> None:
        """Do the audit if it is due and nobody does it; show what the last one found."""
        period = self._now() // self._every_ms
        if await self._log.begin(period, self._now()):
            report = await Audit(self._documents).run()
            await self._log.end(period, report)
            await self._tell(report)
        self._metrics.audit_findings.set(await self._log.findings())

    async def _tell(self, report: Report) -> None:
        log.info("audited", ok=report.ok, postings=report.postings, seconds=report.seconds)
        for finding in report.findings:
            log.error("audit_finding", kind=finding.kind, subject=finding.subject)
        if not report.ok:
            news = ServerNotice(kind="audit", findings=report.total)
            await self._publisher.emit("server:notice", news, rooms.admins())


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
