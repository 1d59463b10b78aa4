"""Friends in MongoDB: races between the two, bounds, and what others ask of blocks."""

from __future__ import annotations

import asyncio

import pytest

from config.sections import Social
from game import friends as rules
from game.errors import Conflict, Forbidden, NotFound
from state.documents import DocumentStore
from state.friends import STATES, Friends, Rule
from state.migrations import migrate
from tests.contract.accounts_kit import Clock, second_documents
from tests.fixtures import Stores


@pytest.fixture
async def friends(documents: DocumentStore) -> Friends:
    clock = Clock()
    await migrate(documents, clock)
    return Friends(documents, Social(friends=3, requests=3, blocks=3), clock)


async def consistent(documents: DocumentStore) -> None:
    """The counts are those of the ties, and both sides agree."""
    ties = {
        (one["owner"], one["other"]): one["state"]
        async for one in documents.each("ties", {}, sort=[("_id", 1)])
    }
    async for circle in documents.each("circles", {}, sort=[("_id", 1)]):
        mine = [state for (owner, _), state in ties.items() if owner == circle["_id"]]
        assert {state: circle[state] for state in STATES} == {s: mine.count(s) for s in STATES}
    mirror = {"friend": "friend", "incoming": "outgoing", "outgoing": "incoming"}
    for (owner, other), state in ties.items():
        if state != "blocked":
            assert ties[other, owner] == mirror[state]


async def test_both_asking_at_once_makes_them_friends(
    friends: Friends, documents: DocumentStore
) -> None:
    await asyncio.gather(
        *(friends.change(a, b, rules.add) for a, b in [("ann", "bob"), ("bob", "ann")] * 5)
    )
    assert [(one.player_id, one.tie.state) for one in await friends.of("ann")] == [
        ("bob", "friend")
    ]
    await consistent(documents)


async def test_asking_accepting_and_blocking_at_once_from_two_nodes_settles(
    friends: Friends, documents: DocumentStore, stores: Stores, request: pytest.FixtureRequest
) -> None:
    async with second_documents(stores, request) as others:
        nodes = friends, Friends(others, Social(), Clock())
        steps: list[tuple[Rule, str, str]] = [
            (rules.add, "ann", "bob"),
            (rules.accept, "bob", "ann"),
            (rules.add, "bob", "ann"),
        ]
        steps += [(rules.remove, "ann", "bob"), (rules.block, "bob", "ann")]
        outcomes = await asyncio.gather(
            *(nodes[n % 2].change(a, b, rule) for n, (rule, a, b) in enumerate(steps * 10)),
            return_exceptions=True,
        )
    refusals = {type(one) for one in outcomes if isinstance(one, BaseException)}
    assert refusals <= {Conflict, Forbidden, NotFound}
    assert await friends.is_blocked("ann", "bob")
    assert await friends.of("ann") == []
    await consistent(documents)


async def test_parallel_requests_do_not_pass_the_bounds(
    friends: Friends, documents: DocumentStore
) -> None:
    outcomes = await asyncio.gather(
        *(friends.change("ann", f"p{i}", rules.add) for i in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in outcomes) == 5
    assert len(await friends.of("ann")) == 3
    outcomes = await asyncio.gather(
        *(friends.change(f"q{i}", "bob", rules.add) for i in range(8)), return_exceptions=True
    )
    assert await friends.requests("bob", None) == 3
    await consistent(documents)


async def test_blocks_are_known_for_pairs_and_for_many(friends: Friends) -> None:
    await friends.change("ann", "bob", rules.add)
    await friends.change("bob", "ann", rules.block)
    await friends.change("eve", "ann", rules.block)
    await friends.change("ann", "zoe", rules.add)
    assert await friends.is_blocked("ann", "bob")
    assert await friends.is_blocked("bob", "ann")
    assert not await friends.is_blocked("bob", "eve")
    assert not await friends.is_blocked("ann", "zoe")
    with pytest.raises(Forbidden):
        await friends.refuse_blocked("ann", "eve")
    assert await friends.blocked_pairs(["ann", "bob", "zoe", "dan"]) == {frozenset(("ann", "bob"))}
    assert await friends.blocked_pairs([]) == set()


async def test_a_forgotten_player_is_in_nobodys_list(
    friends: Friends, documents: DocumentStore
) -> None:
    await friends.change("ann", "bob", rules.add)
    await friends.change("ann", "eve", rules.block)
    await friends.change("zoe", "ann", rules.block)
    assert await friends.forget("ann") == ["bob"]
    assert await friends.forget("ann") == []
    assert [one async for one in documents.each("ties", {}, sort=[("_id", 1)])] == []
    assert await documents.call("circles", "find_one", {"_id": "ann"}) is None
    await consistent(documents)
