"""Who is connected, as operators are shown it: over all nodes, or as many as answered."""

from __future__ import annotations

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict


class ConnectionView(TypedDict):
    """A signed-in connection: its id, its node, who plays, from where, in which chat rooms."""

    id: str
    node: str
    player_id: str
    name: str
    address: str
    rooms: list[str]


class NodeView(TypedDict):
    """A node that is believed to live: whether it answered in time, and what it counted."""

    node: str
    answered: bool
    connections: int


class Connections(TypedDict):
    """The connections that were asked for: how many, by node, and some of them.

    `complete`: every node answered; else there may be more.
    """

    total: int
    complete: bool
    nodes: list[NodeView]
    connections: list[ConnectionView]
