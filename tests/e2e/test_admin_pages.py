"""The staff's pages: who gets in, what a forged request can do, and a day's work at them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser import NARROW, Guest, Room
from tests.e2e.test_access import violations
from tests.harness import ADMIN, ADMIN_PASSWORD, Player, Server, Table
from tests.integration.chat_kit import new_room
from tests.integration.hosting import Host
from tests.integration.office_kit import OfficeServer, Operator

pytestmark = pytest.mark.e2e

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"
QUEUE = "test.slow"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def office(host: Host) -> Server:
    """A server whose tasks are the errands."""
    return host.start(OfficeServer, LIMITS__REQUESTS_BURST=500)


@pytest.fixture
async def op(office: Server, table: Table) -> Operator:
    return await Operator.sign_in(table, office.url)


class Session:
    """A session at the pages without a browser, and whatever one may forge."""

    def __init__(self, table: Table, url: str) -> None:
        self.table, self.url = table, url
        self.cookie = ""
        self.csrf = ""

    async def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """(status, JSON body or None, headers) of a request with the session's cookie."""
        sent = {"Cookie": self.cookie, **{k.replace("_", "-"): v for k, v in headers.items()}}
        async with self.table.http.request(
            method, f"{self.url}/admin{path}", json=body, headers=sent, allow_redirects=False
        ) as answer:
            json = answer.content_type.endswith("json")
            return answer.status, await answer.json(content_type=None) if json else None, answer

    async def sign_in(
        self, username: str = ADMIN, password: str = ADMIN_PASSWORD, origin: str = ""
    ) -> int:
        self.cookie = ""
        status, told, answer = await self.ask(
            "POST",
            "/session",
            {"username": username, "password": password},
            Origin=origin or self.url,
        )
        if status == 200:
            self.csrf = told["csrf_token"]
            self.set_cookie = answer.headers["Set-Cookie"]
            self.cookie = self.set_cookie.partition(";")[0]
        return status


async def registered(table: Table, url: str) -> dict[str, str]:
    mine = {"username": f"p-{uuid4().hex[:12]}", "password": PASSWORD}
    assert (await table.post(url, "/auth/register", mine))[0] == 201
    return mine


async def test_only_the_staff_get_in_and_only_by_the_cookie(office: Server, table: Table) -> None:
    visitor = Session(table, office.url)
    mine = await registered(table, office.url)
    assert await visitor.sign_in(**mine) == 403
    assert await visitor.sign_in(password="a wrong one") == 401
    assert await visitor.sign_in(origin="https://evil.example") == 403
    _, tokens = await table.post(office.url, "/auth/login", mine)
    for cookie in ("", "showdown-admin=nonsense", f"showdown-admin={tokens['access_token']}"):
        visitor.cookie = cookie
        for page in ("", "/queues", "/moderation"):
            status, _, answer = await visitor.ask("GET", page)
            assert (status, answer.headers["Location"]) == (303, "/admin/sign-in")
        assert (await visitor.ask("GET", "/api/queues"))[0] == (403 if "." in cookie else 401)
    op = await Operator.sign_in(table, office.url)
    visitor.cookie = ""
    assert (await visitor.ask("GET", "/api/queues", Authorization=f"Bearer {op.token}"))[0] == 401
    async with table.http.get(f"{office.url}/static/admin/queues.html") as answer:
        assert answer.status == 404
    async with table.http.get(f"{office.url}/api/v1/queues", cookies={"x": "y"}) as answer:
        assert answer.status == 401


async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    office: Server, table: Table
) -> None:
    session = Session(table, office.url)
    assert await session.sign_in() == 200
    flags = session.set_cookie.split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/admin", "Max-Age=900"} <= set(flags)
    plain = session.cookie
    tls = office.url.replace("http:", "https:")  # as behind a proxy that speaks TLS
    assert await session.sign_in(origin=tls) == 200
    assert session.cookie.startswith("__Host-showdown-admin=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Secure"} <= set(
        session.set_cookie.split("; ")
    )
    status, told, answer = await session.ask("GET", "/session")
    assert (status, told["csrf_token"], told["role"]) == (200, session.csrf, "admin")
    assert answer.headers["Set-Cookie"].startswith("__Host-showdown-admin=")
    forged = {"Origin": office.url, "X_CSRF_Token": session.csrf}
    assert (await session.ask("DELETE", "/session", Origin=office.url))[0] == 403
    assert (await session.ask("DELETE", "/session", None, **forged))[0] == 204
    assert (await session.ask("GET", "/session"))[1]["code"] == "token_revoked"
    session.cookie = plain  # of another sign-in, which goes on
    assert (await session.ask("GET", "/session"))[0] == 200


async def test_a_forged_request_changes_nothing(office: Server, table: Table, op: Operator) -> None:
    session, other = Session(table, office.url), Session(table, office.url)
    assert await session.sign_in() == await other.sign_in() == 200
    own, path = office.url, f"/api/queues/{QUEUE}/pause"
    forged: tuple[dict[str, str], ...] = (
        {},
        {"Origin": own},
        {"X_CSRF_Token": session.csrf},
        {"Origin": "null", "X_CSRF_Token": session.csrf},
        {"Origin": "https://evil.example", "X_CSRF_Token": session.csrf},
        {"Origin": own, "X_CSRF_Token": other.csrf},
        {"Origin": own, "X_CSRF_Token": "\u00e9"},
    )
    for headers in forged:
        assert (await session.ask("POST", path, None, **headers))[0] == 403, headers
    assert not (await op.does("GET", f"/queues/{QUEUE}/stats"))["queue"]["paused"]
    status, told, _ = await session.ask("POST", path, None, Origin=own, X_CSRF_Token=session.csrf)
    assert (status, told["queue"]["paused"]) == (200, True)
    await op.does("POST", f"/queues/{QUEUE}/resume")
    log = (await op.does("GET", "/operations/log?limit=2"))["entries"]
    assert [(one["action"], one["outcome"]) for one in log] == [
        ("POST /queues/{queue}/resume", "ok"),
        ("POST /queues/{queue}/pause", "ok"),
    ]
    assert log[0]["details"] == {"queue": QUEUE}
    assert log[0]["by"]["name"] == ADMIN


async def test_who_loses_his_role_loses_his_session(
    office: Server, table: Table, op: Operator
) -> None:
    mine = await registered(table, office.url)
    _, tokens = await table.post(office.url, "/auth/login", mine)
    path = f"/accounts/{tokens['account']['id']}/role"
    await op.does("PUT", path, role="operator", reason="trusted")
    session = Session(table, office.url)
    assert await session.sign_in(**mine) == 200
    assert (await session.ask("GET", "/queues"))[0] == 200
    status, _, answer = await session.ask("GET", "/moderation")
    assert (status, answer.headers["Location"]) == (303, "/admin/queues")
    assert (await session.ask("GET", "/api/moderation/reports"))[0] == 403
    assert (await session.ask("GET", "/api/operations/log"))[0] == 403
    await op.does("PUT", path, role="player", reason="no more")
    assert (await session.ask("GET", "/api/queues"))[0] == 401
    assert (await session.ask("GET", "/queues"))[0] == 303


@pytest.fixture
async def desk(office: Server, room: Room) -> Guest:
    """The administrator, signed in at the pages."""
    return await room.admin(office.url)


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def test_a_days_work_at_the_queues(office: Server, desk: Guest, op: Operator) -> None:
    page = desk.page
    assert await violations(desk) == []
    await pausing(page, op)
    await replaying(desk, op)
    await scheduling(page, op)
    await page.click("a[href='#log']")
    rows = page.get_by_role("row")
    await expect(rows.filter(has_text="DELETE /schedules/{name}").first).to_contain_text("ok")
    await expect(rows.filter(has_text="discard").first).to_contain_text("not worth it")
    assert await violations(desk) == []
    await press(page, "Sign out")
    await expect(page).to_have_url(f"{office.url}/admin/sign-in")
    await page.goto(f"{office.url}/admin/queues")
    await expect(page).to_have_url(f"{office.url}/admin/sign-in")
    assert await violations(desk) == []
    # The browser tells of refusals: of the nonsense at night, and that nobody is signed in.
    assert {problem.partition(":")[0] for problem in desk.problems} == {"Failed to load resource"}
    desk.problems.clear()


async def pausing(page: Page, op: Operator) -> None:
    row = page.get_by_role("row").filter(has_text=QUEUE)
    await expect(row).to_contain_text("at work")
    await page.get_by_role("button", name=f"Pause: {QUEUE}").focus()
    await page.keyboard.press("Enter")
    await expect(row).to_contain_text("paused")
    waits = await op.order(QUEUE, payload={"number": 300})
    await row.get_by_role("link", name=QUEUE).click()
    await page.get_by_role("link", name=waits).click()  # found by looking again
    await press(page, f"Cancel: {waits}")
    await press(page, "Cancel the job")
    await expect(page.locator(".facts")).to_contain_text("cancelled")
    await page.click("a[href='#queues']")
    await press(page, f"Resume: {QUEUE}")
    await expect(row).to_contain_text("at work")


async def replaying(desk: Guest, op: Operator) -> None:
    page = desk.page
    orders = [{"number": number, "text": HOSTILE} for number in (301, 302, 303)]
    ids = [await op.order("test.mended", payload=payload) for payload in orders]
    for job_id in ids:
        assert (await op.ended(job_id))["status"] == "failed"
    await page.click("a[href='#dead-letters']")
    row = page.get_by_role("row").filter(has_text=ids[0])
    await expect(row).to_contain_text(f"made to fail: {HOSTILE}")
    assert await violations(desk) == []
    await row.get_by_role("link").click()
    await expect(page.get_by_role("region", name="Payload")).to_contain_text("onerror")
    assert await page.locator("img").count() == 0
    await press(page, f"Replay: {ids[0]}")
    facts = page.locator(".facts")
    await expect(facts).to_contain_text("completed")
    await expect(page.get_by_role("region", name="Result")).to_have_text("301")
    assert (await op.job(ids[0]))["status"] == "completed"
    await page.click("a[href='#dead-letters']")
    await page.get_by_label(f"Choose {ids[1]}").check()
    await press(page, "Replay: those chosen")
    await expect(page.get_by_role("row").filter(has_text=ids[1])).to_have_count(0)
    assert (await op.ended(ids[1]))["result"] == 302
    await press(page, f"Discard: {ids[2]}")
    await page.get_by_label("Reason").fill("not worth it")
    await press(page, "Discard")
    await expect(page.get_by_role("row").filter(has_text=ids[2])).to_have_count(0)
    assert "taken" not in await page.title()


async def scheduling(page: Page, op: Operator) -> None:
    await page.click("a[href='#schedules']")
    own = page.get_by_role("row").filter(has_text="clean-up")
    await expect(own).to_contain_text("40 3 * * *")
    await expect(own.get_by_role("button")).to_have_count(1)  # the code's own is paused only
    await press(page, "Pause: clean-up")
    await expect(own).to_contain_text("paused")
    all_ = {one["name"]: one for one in (await op.does("GET", "/schedules"))["schedules"]}
    assert all_["clean-up"]["paused"]
    await press(page, "Resume: clean-up")
    await expect(own).to_contain_text("at work")
    await press(page, "Add: a schedule")
    await page.get_by_label("Name").fill("nightly")
    await page.get_by_label("Task").fill("test.errand")
    await page.get_by_label("Cron pattern").fill("nonsense at night")
    await press(page, "Add")
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("not allowed")
    await page.get_by_label("Cron pattern").fill("0 8 * * *")
    await page.get_by_label("Time zone").fill("Europe/Berlin")
    await press(page, "Add")
    new = page.get_by_role("row").filter(has_text="nightly")
    await expect(new).to_contain_text("0 8 * * * Europe/Berlin")
    await press(page, "Remove: nightly")
    await press(page, "Remove")
    await expect(new).to_have_count(0)


async def test_a_days_work_at_moderation(office: Server, desk: Guest, table: Table) -> None:
    page, name = desk.page, f"z{uuid4().hex[:8]}"
    ann, bob = await table.seat(office.url, name), await table.seat(office.url, "bob")
    await report(ann, bob)
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    await page.get_by_role("link", name="Moderation").click()
    row = page.get_by_role("row").filter(has_text=name)
    await expect(row).to_contain_text(HOSTILE)
    assert await violations(desk) == []
    await row.locator("a").first.click()
    await expect(page.locator(".reported")).to_contain_text(HOSTILE)
    await press(page, "Resolve: this report")
    await page.get_by_label("What comes of it").select_option("mute")
    await page.get_by_label("Note").fill("no more of that")
    assert await violations(desk) == []
    await press(page, "Resolve")
    assert (await ann.next("chat:muted"))["reason"] == "no more of that"
    await expect(page.locator(".facts")).to_contain_text("no more of that")
    await page.click("a[href='#players']")
    await page.get_by_label("Name").fill(name)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("muted")
    await page.get_by_role("link", name=name).click()
    await press(page, f"Ban: {name}")
    await page.get_by_label("Reason").fill("cheating")
    await press(page, "Ban")
    assert (await ann.next("server:disconnect"))["code"] == "banned"
    await expect(page.locator(".facts")).to_contain_text("for good")
    assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    await press(page, f"Unban: {name}")
    await page.get_by_label("Reason").fill("a mistake")
    await press(page, "Unban")
    await expect(page.locator(".facts")).not_to_contain_text("for good")
    await page.click("a[href='#log']")
    for action in ("unban", "ban", "resolve report"):
        await expect(page.get_by_role("row").filter(has_text=action).first).to_contain_text(name)
    assert await page.locator("img").count() == 0
    assert await violations(desk) == []


async def report(ann: Player, bob: Player) -> None:
    """Ann says something that bob reports."""
    room = new_room()
    for player in (ann, bob):
        await player.do("chat:join", room=room)
    message = (await ann.do("chat:send", room=room, text=HOSTILE))["message"]
    await bob.do("chat:report", message_id=message["id"], reason="rude")
