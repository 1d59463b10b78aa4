"""TypeScript's side of the events: the two maps that socket.io-client takes as type arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

HEAD = """
/** What an event is acknowledged with. */
export type Answer<Data, Code extends string> =
  | { ok: true; data: Data }
  | { ok: false; error: ErrorObject & { code: Code } };

type Acknowledge<Data, Code extends string> = (answer: Answer<Data, Code>) => void;

/** The `auth` option of socket.io-client. */
export type Auth = Pick<ConnectAuth, "token" | "character_id">;
"""


def merged(rest: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """One OpenAPI document with the schemas of both: those of the same name are the same."""
    schemas = live["components"]["schemas"] | rest["components"]["schemas"]
    return {**rest, "components": {**rest["components"], "schemas": schemas}}


def socket_types(live: dict[str, Any]) -> str:
    """`Socket<ServerToClientEvents, ClientToServerEvents>`."""
    asked = "".join(_asked(live))
    told = "".join(_told(live))
    return (
        f"{HEAD}\n/** Events that a client may send. */\n"
        f"export interface ClientToServerEvents {{\n{asked}}}\n"
        "\n/** Events that the server sends; `offset` is the client's business. */\n"
        f"export interface ServerToClientEvents {{\n{told}}}\n"
    )


def _asked(live: dict[str, Any]) -> Iterator[str]:
    for key, operation in live["operations"].items():
        if operation["action"] != "receive" or key == "connect":
            continue
        message = live["components"]["messages"][key]
        answer = live["components"]["messages"][f"{key}.answer"]
        success, failure = answer["payload"]["oneOf"]
        codes = failure["properties"]["error"]["allOf"][1]["properties"]["code"]["enum"]
        listed = " | ".join(f'"{code}"' for code in codes)
        data = _name(success["properties"]["data"])
        yield (
            f"  /** {operation['summary']} */\n"
            f'  "{message["name"]}": (\n'
            f"    data: {_name(message['payload'])},\n"
            f"    acknowledge: Acknowledge<{data}, {listed}>,\n"
            f"  ) => void;\n"
        )


def _told(live: dict[str, Any]) -> Iterator[str]:
    for key, operation in live["operations"].items():
        if operation["action"] != "send":
            continue
        message = live["components"]["messages"][key]
        offset = ", offset?: string" if operation["x-recovered"] else ""
        yield (
            f"  /** {operation['summary']} */\n"
            f'  "{message["name"]}": (data: {_name(message["payload"])}{offset}) => void;\n'
        )


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"].rpartition("/")[2])
