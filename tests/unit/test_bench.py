from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator

import pytest

from bench import report
from bench.base import NODE, OURS, Scenario
from bench.client import Client, Group, Load
from server.websocket import websocket_frame

BROADCAST = b'42["chat:typing",{"room":"a"}]'


@pytest.fixture
def reading() -> Iterator[tuple[Load, Client, socket.socket]]:
    """A load with one signed-in client, and the server's end of its connection."""
    load, client = Load(0), Client("token")
    client.sock.close()
    client.sock, server = socket.socketpair()
    client.sock.setblocking(False)
    client.stage = 3
    load._by_fd[client.sock.fileno()] = client
    load._epoll.register(client.sock.fileno())
    load.clients.append(client)
    yield load, client, server
    load.close()
    server.close()


@pytest.mark.parametrize("cuts", [(), (1,), (3, 40), (31, 32, 33)])
def test_broadcasts_are_counted_however_they_are_cut(reading, cuts: tuple[int, ...]):
    load, client, server = reading
    group = Group("a", [client], 1)
    data = websocket_frame(BROADCAST) * 3
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        server.send(data[start:end])
        load.pump(1)
    assert client.received == group.delivered == 3


def test_a_delivery_is_timed_by_its_arrival_and_not_by_its_reading(reading):
    load, client, _ = reading
    with socket.create_server(("127.0.0.1", 0)) as door:
        there = socket.create_connection(door.getsockname())
        old, client.sock = client.sock, door.accept()[0]
    load._epoll.unregister(old.fileno())
    old.close()
    load._by_fd[client.sock.fileno()] = client
    load._epoll.register(client.sock.fileno())
    group = Group("a", [client], 1)
    group.measure()
    with there:
        group.sent_at = [time.time()]
        there.send(websocket_frame(BROADCAST))
        time.sleep(0.2)
        load.pump(1)
    assert len(load.latencies) == 1
    assert load.unstamped == (sys.platform != "linux")
    assert load.unstamped or -0.001 < load.latencies[0] < 0.15


def test_what_a_server_refuses_is_an_error(reading):
    load, _, server = reading
    server.send(websocket_frame(b'430[{"ok":false}]') + websocket_frame(b'431[{"ok":true}]'))
    load.pump(1)
    assert (load.acks, load.errors) == (2, 1)


def test_a_ping_is_answered(reading):
    load, _, server = reading
    server.send(websocket_frame(b"2"))
    load.pump(1)
    assert server.recv(100) == b"\x81\x81\0\0\0\x003"


def test_a_ratio_is_that_of_one_round():
    scenario = Scenario("x", "some work", (OURS, NODE), {"us": "µs"}, lambda *_: dict)
    rounds = {OURS: [{"us": 1.0}, {"us": 4.0}], NODE: [{"us": 2.0}, {"us": 2.0}]}
    ((title, unit, _, ratios),) = report.rows([report.Result(scenario, rounds)])
    assert (title, unit, ratios) == ("some work", "µs", "**1.25** (0.50 to 2.00) of Node")
