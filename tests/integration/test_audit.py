"""The audit as a command, and by schedule."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from config.sections import Mongo
from state.documents import DocumentStore
from tests.fixtures import Stores, on
from tests.harness import ROOT, Server, Table, serving


async def command(stores: Stores) -> tuple[int, dict[str, Any]]:
    environment = {f"SHOWDOWN_{name}": str(value) for name, value in on(stores).items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "audit"),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, json.loads(output)


async def metrics(table: Table, server: Server) -> str:
    async with table.http.get(f"{server.url}/metrics") as answer:
        return await answer.text()


async def test_a_fault_is_reported_by_the_command_the_metric_and_to_administrators(
    emptied: Stores, table: Table
) -> None:
    async with serving(**on(emptied, AUDIT__EVERY_SECONDS=1)) as server:
        ann = await table.seat(server.url)
        admin = await table.admin(server.url)
        code, report = await command(emptied)
        assert (code, report["ok"], report["findings"]) == (0, True, [])
        async with DocumentStore(emptied.mongo_url, Mongo(database="test_server")) as documents:
            which, change = {"_id": f"player:{ann.id}"}, {"$inc": {"balance": 5}}
            await documents.call("wallets", "update_one", which, change, hint="_id_")
        notice = await admin.next("server:notice", seconds=30)
        assert notice == {"kind": "audit", "findings": 1}
        assert ann.seen("server:notice") == []
        code, report = await command(emptied)
        assert (code, report["ok"]) == (1, False)
        (finding,) = report["findings"]
        assert finding["subject"] == f"player:{ann.id}"
        async with asyncio.timeout(30):
            while "showdown_audit_findings 1.0" not in await metrics(table, server):  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # every node reads it now and then
