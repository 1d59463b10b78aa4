"""The audit of the books."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import TypedDict

from config.logging import get_logger
from game import rooms
from handlers.base import OPERATORS
from handlers.payloads import TaskPayload
from handlers.session import ServerNotice
from jobs.base import BACKGROUND, JobContext, task

log = get_logger(__name__)


class AuditBooks(TaskPayload):
    """Check everything."""

    task: ClassVar[str] = "books.audit"


class Audited(TypedDict):
    """What it saw; the findings are in the log and in the collection `audits`."""

    ok: bool
    findings: int
    postings: int
    seconds: float


@task(AuditBooks, profile=BACKGROUND, timeout=3_600, concurrency=1, at_once=1, roles=OPERATORS)
async def audit(_: AuditBooks, ctx: JobContext) -> Audited:
    """Check the books, and tell administrators of what is wrong. Nothing is repaired."""
    world = ctx.world
    report = await world.upkeep.audit(world.now())
    log.info("audited", ok=report.ok, postings=report.postings, seconds=report.seconds)
    for finding in report.findings:
        log.error("audit_finding", kind=finding.kind, subject=finding.subject)
    if not report.ok:
        news = ServerNotice(kind="audit", findings=report.total)
        await world.publisher.emit("server:notice", news, rooms.admins())
    return Audited(
        ok=report.ok, findings=report.total, postings=report.postings, seconds=report.seconds
    )
