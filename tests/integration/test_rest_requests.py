"""REST: what a call may be given in its path, query, body and headers, and by whom how often."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from config.settings import Settings
from handlers.catalogue import CATALOGUE
from server.documents.openapi import openapi
from tests.harness import Server, Table
from tests.integration.hosting import Host
from tests.integration.things import extended

URL = "/api/v1/things/a-1"


class ThingsServer(Server):
    module = "tests.integration.things"


@pytest.fixture(scope="module")
def things(host: Host) -> Server:
    return host.start(
        ThingsServer,
        LIMITS__BATCH_BODY_BYTES=100_000,
        LIMITS__REQUESTS_BURST=5,
        LIMITS__REQUESTS_PER_SECOND=0.01,
    )


async def call(
    server: Server, table: Table, method: str, path: str, **given: Any
) -> tuple[int, Any]:
    async with table.http.request(method, server.url + path, **given) as answer:
        return answer.status, await answer.json(content_type=None)


def fields(problem: dict[str, Any]) -> dict[str, str]:
    assert problem["code"] == "validation_failed"
    return {one["field"]: one["type"] for one in problem["errors"]}


async def test_path_and_query_are_read_by_the_schema(things: Server, table: Table) -> None:
    status, answer = await call(things, table, "GET", f"{URL}?limit=7&all=true&state=new")
    assert (status, answer["read"]) == (
        200,
        {"id": "a-1", "state": "new", "limit": 7, "all": True},
    )
    assert (await call(things, table, "GET", URL))[1]["read"]["limit"] == 50


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (f"{URL}?limit=x", {"limit": "int_parsing"}),
        (f"{URL}?limit=101", {"limit": "less_than_equal"}),
        (f"{URL}?limit=1&limit=2", {"limit": "multiple_values"}),
        (f"{URL}?id=b", {"id": "multiple_values"}),
        (f"{URL}?other=1", {"other": "extra_forbidden"}),
        ("/api/v1/things/A%20B", {"id": "string_pattern_mismatch"}),
    ],
)
async def test_what_does_not_fit_is_named(
    things: Server, table: Table, path: str, wrong: dict[str, str]
) -> None:
    status, problem = await call(things, table, "GET", path)
    assert (status, fields(problem)) == (422, wrong)


async def test_a_body_goes_with_its_path_and_key(things: Server, table: Table) -> None:
    key = {"Idempotency-Key": "k1"}
    status, answer = await call(things, table, "PUT", URL, json={"amount": 1}, headers=key)
    assert (status, answer["read"]) == (200, {"id": "a-1", "amount": 1, "key": "k1"})
    both = {"amount": 1, "key": "k2"}
    _, problem = await call(things, table, "PUT", URL, json=both, headers=key)
    assert fields(problem) == {"key": "multiple_values"}
    _, problem = await call(things, table, "PUT", URL, json={"amount": 1, "id": "b"})
    assert fields(problem) == {"id": "multiple_values"}


async def test_a_large_body_is_for_routes_that_say_so(things: Server, table: Table) -> None:
    body = b'{"amount": 1}'
    assert (await call(things, table, "PUT", URL, data=body.ljust(100_000)))[0] == 200
    assert (await call(things, table, "PUT", URL, data=body.ljust(100_001)))[0] == 413
    guest = await call(things, table, "POST", "/api/v1/auth/guest", data=b"{}".ljust(65_537))
    assert guest[0] == 413


async def test_a_file_is_saved_under_its_name(things: Server, table: Table) -> None:
    async with table.http.get(f"{things.url}{URL}/file") as answer:
        assert await answer.text() == "id\na-1\n"
        assert answer.headers["Content-Type"] == "text/csv"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="thing.csv"'


async def test_roles_are_asked_for(things: Server, table: Table) -> None:
    ann, admin = await table.guest(things.url), await table.admin(things.url)
    assert (await table.call("DELETE", things.url, "/things/a-1"))[0] == 401
    for player, status in ((ann, 403), (admin, 204)):
        token = player.tokens["access_token"]
        assert (await table.call("DELETE", things.url, "/things/a-1", token=token))[0] == status


async def test_an_account_that_calls_too_often_waits_and_others_do_not(
    things: Server, table: Table
) -> None:
    ann, bob = await table.guest(things.url), await table.guest(things.url)
    ann_token, bob_token = ann.tokens["access_token"], bob.tokens["access_token"]
    path = "/things/a-1/touch"
    answers = [await table.post(things.url, path, token=ann_token) for _ in range(7)]
    assert [status for status, _ in answers] == [200] * 5 + [429] * 2
    assert 0 < answers[-1][1]["retry_after"] <= 100
    assert (await table.post(things.url, path, token=bob_token))[0] == 200


def test_the_documents_say_where_everything_goes() -> None:
    document = openapi(extended(CATALOGUE), Settings.model_construct())
    OpenAPIV31SpecValidator(document).validate()
    schemas, paths = document["components"]["schemas"], document["paths"]
    got = paths["/api/v1/things/{id}"]["get"]["parameters"]
    assert {one["name"]: one["in"] for one in got} == {
        **dict.fromkeys(("state", "limit", "all"), "query"),
        "id": "path",
    }
    put = paths["/api/v1/things/{id}"]["put"]
    assert [one["name"] for one in put["parameters"]] == ["id", "Idempotency-Key"]
    assert set(schemas["Change"]["properties"]) == {"amount", "key"}
    assert schemas["Change"]["required"] == ["amount"]
    assert "One" not in schemas
    assert "requestBody" not in paths["/api/v1/things/{id}/touch"]["post"]
    assert paths["/api/v1/things/{id}"]["delete"]["x-roles"] == ["admin"]
