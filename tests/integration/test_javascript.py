"""The stock JavaScript client, run by Node."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fixtures import Stores, on
from tests.harness import Server, Table, serving
from tests.integration.duel_kit import check_deal, check_view
from tests.integration.node import check_upgrades, node

pytestmark = pytest.mark.js


async def test_the_journey_from_sign_in_to_the_end_of_a_duel(lone: Server) -> None:
    async with node("journey.mjs", lone.url) as script:
        ready = await script.step("ready")
        assert ready["ann"]["player"]["name"] == "Ann"
        assert ready["ann"]["session_id"] == ready["id"]
        chat = await script.step("chat")
        assert chat["heard"] == chat["sent"]
        assert (chat["joined"]["member_count"], chat["sent"]["text"]) == (2, "hello")
        assert (await script.step("presence"))["status"] == "busy"
        await check_duel(await script.step("duel"))
        for step, code in (("unknown", "unknown_event"), ("binary", "validation_failed")):
            assert (await script.step(step))["error"]["code"] == code
        for step, code, status in (
            ("nobody", "unauthenticated", 401),
            ("nonsense", "unauthenticated", 401),
            ("foreign", "forbidden", 403),
        ):
            refused = await script.step(step)
            assert refused["message"] == refused["data"]["code"] == code
            assert refused["data"]["status"] == status
            assert refused["active"] is False
        logout = await script.step("logout")
        assert (logout["farewell"]["code"], logout["farewell"]["reconnect"]) == (
            *("token_revoked", False),
        )
        assert (logout["reason"], logout["active"]) == ("io server disconnect", False)
        assert await script.ended() == 0


async def check_duel(said: dict[str, Any]) -> None:
    view = said["view"]
    check_view(view)
    assert said["ended"] == view
    assert said["rounds"] == [result["round"] for result in view["rounds"]]
    everything = [[0, 1, 2, 3, 4]] * 2
    check_deal(view, dict.fromkeys(said["rounds"], everything))


async def test_clients_change_their_transport_while_others_talk(lone: Server) -> None:
    await check_upgrades(lone.url, clients=8, messages=20)


@pytest.mark.slow
async def test_clients_come_back_by_themselves_after_a_restart(
    shared_stores: Stores, table: Table
) -> None:
    settings = on(shared_stores)
    async with serving(**settings) as first:
        port = urlsplit(first.url).port
        ann = await table.guest(first.url, "Ann")
        table.options = {
            "http_session": table.http,
            "reconnection": True,
            "reconnection_delay": 0.1,
        }
        python = await table.seat(first.url, "Bob")
        async with node("faithful.mjs", first.url, ann.tokens["refresh_token"]) as script:
            before = await script.step("ready")
            await first.stop()
            assert await script.step("farewell") == {
                "code": "draining",
                "reason": "The server is shutting down.",
                "reconnect": True,
            }
            gone = await script.step("disconnect")
            assert gone == {"reason": "transport close", "active": True}
            async with serving(**{**settings, "PORT": port}) as second:
                assert (await script.step("ready"))["player"] == before["player"]
                assert (await python.next("session:ready"))["player"]["id"] == python.id
                # python-socketio's `shutdown` hangs if it comes before the first step of the task
                # that reconnects, which forgets that it was told to stop.
                python.socket.reconnection = False
                await second.kill()
                assert (await script.step("disconnect"))["active"] is True
