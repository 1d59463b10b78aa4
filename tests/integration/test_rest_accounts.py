"""Accounts and sign-ins over REST."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from tests.harness import Server, Table

PASSWORD = "correct horse"


def credentials(password: str = PASSWORD) -> dict[str, str]:
    return {"username": f"ann-{uuid4().hex[:12]}", "password": password}


def check_token_answer(tokens: dict[str, Any], username: str | None = None) -> None:
    """protocol.md: the token answer, nothing missing and nothing more."""
    assert tokens.keys() == {
        *("account", "character", "access_token", "refresh_token", "token_type", "expires_in")
    }
    assert tokens["account"].keys() == {"id", "username", "role"}
    assert tokens["account"]["username"] == username
    assert tokens["account"]["role"] == "player"
    assert tokens["character"].keys() == {"id", "name"}
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900


async def test_a_guest_is_signed_in_with_the_name_that_he_asked_for(
    lone: Server, table: Table
) -> None:
    status, tokens = await table.post(lone.url, "/auth/guest", {"name": "  Zoe\u0308 "})
    assert status == 201
    check_token_answer(tokens)
    assert tokens["character"]["name"] == "Zoë"


async def test_a_guest_without_a_name_gets_one(lone: Server, table: Table) -> None:
    for body in ({}, None, {"name": None}):
        status, tokens = await table.post(lone.url, "/auth/guest", body)
        assert status == 201
        assert tokens["character"]["name"].startswith("Guest-")


async def test_who_registered_signs_in_again_whatever_the_case_of_his_name(
    lone: Server, table: Table
) -> None:
    body = credentials()
    status, registered = await table.post(lone.url, "/auth/register", body)
    assert status == 201
    check_token_answer(registered, body["username"])
    body["username"] = body["username"].upper()
    status, tokens = await table.post(lone.url, "/auth/login", body)
    assert status == 200
    assert tokens["account"] == registered["account"]
    assert tokens["character"] == registered["character"]
    assert tokens["access_token"] != registered["access_token"]


async def test_a_taken_user_name_is_a_conflict(lone: Server, table: Table) -> None:
    body = credentials()
    await table.post(lone.url, "/auth/register", body)
    body["username"] = body["username"].title()
    status, problem = await table.post(lone.url, "/auth/register", body)
    assert (status, problem["code"]) == (409, "conflict")


async def test_of_many_registrations_of_one_name_at_once_one_wins(
    pair: tuple[Server, Server], table: Table
) -> None:
    body = credentials()
    answers = await asyncio.gather(
        *(table.post(pair[i % 2].url, "/auth/register", body) for i in range(8))
    )
    assert sorted(status for status, _ in answers) == [201] + [409] * 7


async def test_a_wrong_password_and_an_unknown_name_look_the_same(
    lone: Server, table: Table
) -> None:
    body = credentials()
    await table.post(lone.url, "/auth/register", body)
    wrong = await table.post(lone.url, "/auth/login", {**body, "password": "wrong horse"})
    unknown = await table.post(lone.url, "/auth/login", credentials())
    for _, problem in (wrong, unknown):
        problem.pop("request_id")
    assert wrong == unknown
    assert (wrong[0], wrong[1]["code"]) == (401, "unauthenticated")


async def test_the_fifth_failure_locks_the_name_for_that_address(
    lone: Server, table: Table
) -> None:
    body = credentials()
    await table.post(lone.url, "/auth/register", body)
    for _ in range(5):
        status, _ = await table.post(lone.url, "/auth/login", {**body, "password": "wrong horse"})
        assert status == 401
    status, problem = await table.post(lone.url, "/auth/login", body)
    assert (status, problem["code"]) == (429, "rate_limited")
    assert 50 < problem["retry_after"] <= 60
    status, _ = await table.post(lone.url, "/auth/guest", {})
    assert status == 201


async def test_a_refresh_token_is_good_once(lone: Server, table: Table) -> None:
    _, first = await table.post(lone.url, "/auth/guest", {})
    status, second = await table.post(
        lone.url, "/auth/refresh", {"refresh_token": first["refresh_token"]}
    )
    assert status == 200
    check_token_answer(second)
    assert second["refresh_token"] != first["refresh_token"]
    status, me = await table.call("GET", lone.url, "/me", token=second["access_token"])
    assert (status, me["account"]) == (200, first["account"])


async def test_a_spent_refresh_token_ends_its_whole_family(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann = await (await table.guest(one.url)).connect()
    spent = {"refresh_token": ann.tokens["refresh_token"]}
    _, renewed = await table.post(one.url, "/auth/refresh", spent)
    socket = await table.player(other.url, renewed).connect()
    status, problem = await table.post(other.url, "/auth/refresh", spent)
    assert (status, problem["code"]) == (401, "token_revoked")
    for player in (ann, socket):
        farewell = await player.next("server:disconnect")
        assert (farewell["code"], farewell["reconnect"]) == ("token_revoked", False)
    for token in (ann.tokens["access_token"], renewed["access_token"]):
        status, problem = await table.call("GET", one.url, "/me", token=token)
        assert (status, problem["code"]) == (401, "token_revoked")
    newest = {"refresh_token": renewed["refresh_token"]}
    status, problem = await table.post(one.url, "/auth/refresh", newest)
    assert (status, problem["code"]) == (401, "token_revoked")


async def test_of_parallel_uses_of_a_refresh_token_at_most_one_succeeds(
    pair: tuple[Server, Server], table: Table
) -> None:
    _, tokens = await table.post(pair[0].url, "/auth/guest", {})
    body = {"refresh_token": tokens["refresh_token"]}
    answers = await asyncio.gather(
        *(table.post(pair[i % 2].url, "/auth/refresh", body) for i in range(6))
    )
    assert sum(status == 200 for status, _ in answers) <= 1
    assert {problem["code"] for status, problem in answers if status != 200} == {"token_revoked"}


async def test_an_unknown_refresh_token_is_unauthenticated(lone: Server, table: Table) -> None:
    for token in ("nonsense", "a.b", "", "é", "0" * 128):
        status, problem = await table.post(lone.url, "/auth/refresh", {"refresh_token": token})
        assert (status, problem["code"]) == (401, "unauthenticated"), token


async def test_signing_out_closes_the_sockets_of_the_sign_in_on_every_server(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    here = await table.seat(one.url)
    there = await table.player(other.url, here.tokens).connect()
    stranger = await table.seat(one.url)
    token = here.tokens["access_token"]
    assert await table.post(other.url, "/auth/logout", token=token) == (204, None)
    for player in (here, there):
        farewell = await player.next("server:disconnect")
        assert farewell["code"] == "token_revoked"
        await player.socket.wait()
        assert not player.socket.connected
    await stranger.do("presence:set", status="online")
    for path in ("/me", "/characters"):
        status, problem = await table.call("GET", one.url, path, token=token)
        assert (status, problem["code"]) == (401, "token_revoked")
    body = {"refresh_token": here.tokens["refresh_token"]}
    status, problem = await table.post(one.url, "/auth/refresh", body)
    assert (status, problem["code"]) == (401, "token_revoked")


async def test_signing_out_leaves_other_sign_ins_of_the_account_alone(
    lone: Server, table: Table
) -> None:
    body = credentials()
    _, phone = await table.post(lone.url, "/auth/register", body)
    _, tablet = await table.post(lone.url, "/auth/login", body)
    player = await table.player(lone.url, tablet).connect()
    await table.post(lone.url, "/auth/logout", token=phone["access_token"])
    await player.do("presence:set", status="online")
    status, _ = await table.call("GET", lone.url, "/me", token=tablet["access_token"])
    assert status == 200


async def test_an_account_has_up_to_five_characters(lone: Server, table: Table) -> None:
    _, tokens = await table.post(lone.url, "/auth/guest", {"name": "one"})
    token = tokens["access_token"]
    for name in ("two", "three", "four", "five"):
        status, made = await table.post(lone.url, "/characters", {"name": name}, token)
        assert (status, made["character"]["name"]) == (201, name)
    status, problem = await table.post(lone.url, "/characters", {"name": "six"}, token)
    assert (status, problem["code"]) == (409, "conflict")
    _, listed = await table.call("GET", lone.url, "/characters", token=token)
    names = [character["name"] for character in listed["characters"]]
    assert names == ["one", "two", "three", "four", "five"]
    _, me = await table.call("GET", lone.url, "/me", token=token)
    assert me == {**tokens["account"], "account": tokens["account"], **listed}


async def test_20_sign_ins_of_one_address_pass_in_a_minute(strict: Server, table: Table) -> None:
    answers = await asyncio.gather(*(table.post(strict.url, "/auth/guest", {}) for _ in range(25)))
    assert sorted(status for status, _ in answers) == [201] * 20 + [429] * 5
    for path, body in (("/auth/register", credentials()), ("/auth/login", credentials())):
        status, problem = await table.post(strict.url, path, body)
        assert (status, problem["code"]) == (429, "rate_limited")
        assert 0 < problem["retry_after"] <= 60
    table.http.headers["X-Forwarded-For"] += ", 198.51.100.2"
    assert (await table.post(strict.url, "/auth/guest", {}))[0] == 201
