"""Where Redis or Valkey is: one address, one that sentinels name, or a cluster.

| form | what it means |
| --- | --- |
| `redis://`, `rediss://`, `unix://` | one address, as redis-py reads it |
| `redis+sentinel://[user:password@]host[:port],…/<service>[/<db>]` | the primary of a service |
| `redis+cluster://[user:password@]host[:port],…` | a cluster, found by any of its nodes |

`rediss+…` for TLS to the stores, with `ssl_ca_certs` and `ssl_cert_reqs` as in redis-py. These
are the forms of the Python package `limits`. What is in front of the hosts opens the stores;
sentinels have `?sentinel_username=` and `?sentinel_password=` of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

SENTINEL_PORT = 26_379
PORT = 6_379
SENTINEL_OWN = ("sentinel_username", "sentinel_password")

Kind = Literal["single", "sentinel", "cluster"]
Node = tuple[str, int]  # host and port


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A URL, taken apart; `single` is only its text."""

    text: str
    kind: Kind = "single"
    scheme: str = "redis"
    login: str = ""  # "user:password@", as it stood there
    nodes: tuple[Node, ...] = ()
    service: str = ""
    database: int = 0
    options: tuple[tuple[str, str], ...] = ()

    def of(self, node: Node) -> str:
        """The URL of one store."""
        return self._with_options(f"{self.scheme}://{self.login}{_shown(node)}/{self.database}")

    def of_sentinel(self, node: Node) -> str:
        """The URL of one sentinel."""
        own = dict(self.options)
        user, password = (quote(own.get(name, ""), safe="") for name in SENTINEL_OWN)
        login = f"{user}:{password}@" if password else ""
        return self._with_options(f"{self.scheme}://{login}{_shown(node)}")

    def _with_options(self, address: str) -> str:
        query = urlencode([pair for pair in self.options if pair[0] not in SENTINEL_OWN])
        return f"{address}?{query}" if query else address


def parse(text: str) -> RedisUrl:
    """Take a URL apart.

    Raises:
        ValueError: it is none of the forms; the text says what is wrong.
    """
    url = urlsplit(text)
    scheme, plus, kind = url.scheme.partition("+")
    if not plus:
        return RedisUrl(text)
    if scheme not in {"redis", "rediss"} or kind not in {"sentinel", "cluster"}:
        raise ValueError("the URL begins with redis+sentinel:// or redis+cluster://")
    login, at, hosts = url.netloc.rpartition("@")
    nodes = tuple(_nodes(hosts, SENTINEL_PORT if kind == "sentinel" else PORT))
    if not nodes:
        raise ValueError("the URL names no host")
    service, database = _service(url) if kind == "sentinel" else ("", _no_database(url))
    return RedisUrl(
        text=text,
        kind="sentinel" if kind == "sentinel" else "cluster",
        scheme=scheme,
        login=login + at,
        nodes=nodes,
        service=service,
        database=database,
        options=tuple(parse_qsl(url.query)),
    )


def _nodes(hosts: str, port: int) -> Iterator[Node]:
    for host in filter(None, hosts.split(",")):
        one = urlsplit(f"//{host}")
        if not one.hostname:
            raise ValueError(f"{host!r} is no host")
        yield one.hostname, one.port or port


def _service(url: SplitResult) -> tuple[str, int]:
    service, _, database = url.path.strip("/").partition("/")
    if not service or not (database or "0").isdigit():
        raise ValueError("after the sentinels comes the service: redis+sentinel://host/mymaster/0")
    return service, int(database or 0)


def _no_database(url: SplitResult) -> int:
    if url.path.strip("/") not in {"", "0"}:
        raise ValueError("a cluster has only the database 0")
    return 0


def _shown(node: Node) -> str:
    host, port = node
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
