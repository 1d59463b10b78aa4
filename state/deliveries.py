"""Deliveries: what is told to which endpoint, in lanes, one after another.

| collection | document | indexes |
| --- | --- | --- |
| `events` | `{_id, type, aggregate, at, order, body, expires_at}` | `expires_at`, which deletes |
| `deliveries` | `{_id, webhook, event, type, at, status, tries, log, queued?, expires_at}` | a |
| `lanes` | `{_id: "<webhook>/<aggregate>", webhook, count, due_at?, by?}` | b |

a: `queued` (sparse): its lane and its place there, while it waits; `expires_at`, which
deletes. b: `due_at` (sparse); `webhook`.

An event, its deliveries and their lanes are written in one transaction, and the event's id is
made of what happened: whoever tells of it again changes nothing. A delivery's id is
`<webhook>/<order>/<event>`, so that an endpoint's log is a range of ids. A lane is what
happens to one aggregate, for one endpoint; it is there as long as something waits in it.
Whoever works on it has put its `due_at` off, and `by` says who: should he die it is due
again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

import orjson

from config.outbound import Webhooks as Settings
from game.errors import Conflict, NotFound
from game.events import Event, event_id
from state.documents import Document, DocumentStore, Transaction
from state.webhooks import Webhook

Status: TypeAlias = Literal["pending", "delivered", "failed"]
ATTEMPTS_KEPT = 20
BY_BYTES = 8
BATCH = 100
LAST = "~"  # sorts behind everything that an id is made of


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: when (ms), its answer's status or what went wrong, and how long it took."""

    at: int
    status: int | None
    error: str
    answer: str
    ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint; `log` has its newest attempts."""

    id: str
    webhook: str
    event: str
    type: str
    at: int
    status: Status
    tries: int
    log: tuple[Attempt, ...]

    @property
    def cursor(self) -> str:
        """Its place in its endpoint's log."""
        return self.id.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Hold:
    """A lane that somebody works on."""

    lane: str
    webhook: str
    by: str


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """An endpoint's deliveries, the newest first."""

    deliveries: list[Delivery]
    next_before: str | None


class Deliveries:
    """What waits, and what became of it.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(
        self, documents: DocumentStore, settings: Settings, now: Callable[[], int]
    ) -> None:
        self._documents = documents
        self._keep = timedelta(seconds=settings.keep_seconds)
        self._pending = settings.pending
        # Two requests long: one is under way, and its outcome is to be written down.
        self._lease_ms = int(settings.timeout_seconds * 2000)
        self._now = now

    # Telling

    async def record(self, event: Event, webhooks: Iterable[Webhook]) -> list[str]:
        """Note an event for these endpoints, once; returns the lanes that it has opened."""
        wanting = list(webhooks)

        async def work(tx: Transaction) -> list[str]:
            if await tx.call("events", "find_one", {"_id": event.id}):
                return []
            await tx.call("events", "insert_one", self._event(event))
            queued = [await self._queue(tx, event, one.id) for one in wanting]
            return [lane for lane in queued if lane]

        return await self._documents.transaction(work)

    async def known(self, type: str, ref: str) -> bool:
        """Whether an event was noted."""
        which = {"_id": event_id(type, ref)}
        return await self._documents.call("events", "find_one", which) is not None

    async def replay(self, webhook_id: str, event: str) -> tuple[str, Delivery]:
        """Deliver an event once more; returns its lane too.

        Raises:
            NotFound: the endpoint was not told of it, or too long ago.
            Conflict: it waits already.
        """

        async def work(tx: Transaction) -> tuple[str, Delivery]:
            told = await tx.call("events", "find_one", {"_id": event})
            which = {"_id": _id(webhook_id, told["order"], event)} if told else {"_id": ""}
            found = await tx.call("deliveries", "find_one", which)
            if told is None or found is None:
                raise NotFound("There is no such delivery.")
            if "queued" in found:
                raise Conflict("It is waiting to be delivered.")
            lane = _lane(webhook_id, told["aggregate"])
            fields = {"status": "pending", "tries": 0, "queued": _queued(lane, told)}
            await tx.call("deliveries", "update_one", which, {"$set": fields}, hint="_id_")
            await self._touch(tx, lane, webhook_id)
            return lane, _delivery({**found, **fields})

        return await self._documents.transaction(work)

    # Working

    async def due(self, late_ms: int) -> list[tuple[str, int]]:
        """Lanes that somebody should work on, for so long already, and since when (ms)."""
        query = {"due_at": {"$lte": self._now() - late_ms}}
        found = await self._documents.find("lanes", query, sort=[("due_at", 1)], limit=BATCH)
        return [(one["_id"], one["due_at"]) for one in found]

    async def claim(self, lane: str) -> Hold | None:
        """Work on a lane, unless another does or it is to rest."""
        at, by = self._now(), secrets.token_hex(BY_BYTES)

        async def work(tx: Transaction) -> Hold | None:
            found = await tx.call("lanes", "find_one", {"_id": lane})
            if found is None or found.get("due_at", at + 1) > at:
                return None
            fields = {"by": by, "due_at": at + self._lease_ms}
            await tx.call("lanes", "update_one", {"_id": lane}, {"$set": fields}, hint="_id_")
            return Hold(lane, found["webhook"], by)

        return await self._documents.transaction(work)

    async def first(self, hold: Hold) -> tuple[Delivery, bytes] | None:
        """What is to be delivered now, and its body."""
        found = await self._documents.find(
            "deliveries", _waiting(hold.lane), sort=[("queued", 1)], limit=1
        )
        if not found:
            return None
        told = await self._documents.call("events", "find_one", {"_id": found[0]["event"]})
        return _delivery(found[0]), bytes(told["body"])

    async def note(self, hold: Hold, delivery: Delivery, attempt: Attempt, status: Status) -> bool:
        """Write down what an attempt came to; False if the lane is another's by now."""
        update: Document = {
            "$set": {"status": status, "tries": delivery.tries + 1},
            "$push": {"log": {"$each": [asdict(attempt)], "$slice": -ATTEMPTS_KEPT}},
        }
        if status != "pending":
            update["$unset"] = {"queued": 1}

        async def work(tx: Transaction) -> bool:
            if not await self._hold_on(tx, hold, {"due_at": self._now() + self._lease_ms}):
                return False
            which = {"_id": delivery.id}
            await tx.call("deliveries", "update_one", which, update, hint="_id_")
            return True

        return await self._documents.transaction(work)

    async def release(self, hold: Hold, due_at: int | None = None) -> bool:
        """Leave a lane until then (ms); without a time, because nothing waits in it.

        Returns:
            False if something waits in it all the same, and the work goes on.
        """

        async def work(tx: Transaction) -> bool:
            if due_at is not None:
                await self._hold_on(tx, hold, {"due_at": due_at, "by": ""})
                return True
            if not await self._hold_on(tx, hold, {}):
                return True
            waits = [one async for one in tx.each("deliveries", _waiting(hold.lane))]
            if not waits:
                await tx.call("lanes", "delete_one", {"_id": hold.lane}, hint="_id_")
            return not waits

        return await self._documents.transaction(work)

    async def drop(self, hold: Hold) -> None:
        """Forget what waits in a lane whose endpoint is gone."""
        update = {"$set": {"status": "failed"}, "$unset": {"queued": 1}}
        await self._documents.update_all("deliveries", _waiting(hold.lane), update)
        await self._documents.call("lanes", "delete_one", {"_id": hold.lane})

    async def pause(self, webhook_id: str) -> None:
        """Work on no lane of an endpoint."""
        stop = {"$unset": {"due_at": 1}}
        await self._documents.update_all("lanes", {"webhook": webhook_id}, stop)

    async def go_on(self, webhook_id: str) -> None:
        """Work on all lanes of an endpoint."""
        go = {"$set": {"due_at": self._now()}}
        await self._documents.update_all("lanes", {"webhook": webhook_id}, go)

    # Looking

    async def page(self, webhook_id: str, before: str | None, limit: int) -> DeliveryPage:
        """An endpoint's newest deliveries, or the newest before one."""
        newest = before if before is not None else LAST
        query = {"_id": {"$gt": f"{webhook_id}/", "$lt": f"{webhook_id}/{newest}"}}
        found = await self._documents.find("deliveries", query, sort=[("_id", -1)], limit=limit + 1)
        page = [_delivery(one) for one in found[:limit]]
        return DeliveryPage(page, page[-1].cursor if len(found) > limit else None)

    async def overflows(self, webhook_id: str) -> bool:
        """Whether more waits for an endpoint than may."""
        query = {"queued": {"$gt": f"{webhook_id}/", "$lt": f"{webhook_id}/{LAST}"}}
        bound = self._pending + 1
        waiting = await self._documents.call("deliveries", "count_documents", query, limit=bound)
        return bool(waiting > self._pending)

    # Inside

    async def _queue(self, tx: Transaction, event: Event, webhook_id: str) -> str | None:
        lane = _lane(webhook_id, event.aggregate)
        document = {
            "_id": _id(webhook_id, event.order, event.id),
            "webhook": webhook_id,
            "event": event.id,
            "type": event.type,
            "at": event.at,
            "status": "pending",
            "tries": 0,
            "log": [],
            "queued": _queued(lane, {"order": event.order, "_id": event.id}),
            "expires_at": self._expiry(),
        }
        await tx.call("deliveries", "insert_one", document)
        return lane if await self._touch(tx, lane, webhook_id) else None

    async def _touch(self, tx: Transaction, lane: str, webhook_id: str) -> bool:
        """Make the lane, or show to whoever works on it that it has more; whether it is new."""
        found = await tx.call("lanes", "find_one", {"_id": lane})
        if found is None:
            document = {"_id": lane, "webhook": webhook_id, "count": 1, "due_at": self._now()}
            await tx.call("lanes", "insert_one", document)
        else:
            # Without a time it is paused, of an endpoint that was disabled before this event.
            more = {"count": found["count"] + 1, "due_at": found.get("due_at", self._now())}
            await tx.call("lanes", "update_one", {"_id": lane}, {"$set": more}, hint="_id_")
        return found is None

    async def _hold_on(self, tx: Transaction, hold: Hold, fields: Document) -> bool:
        found = await tx.call("lanes", "find_one", {"_id": hold.lane})
        if found is None or found.get("by") != hold.by:
            return False
        # The count is written so that whoever adds a delivery at this moment is met.
        update = {"$set": {"count": found["count"] + 1, **fields}}
        await tx.call("lanes", "update_one", {"_id": hold.lane}, update, hint="_id_")
        return True

    def _event(self, event: Event) -> Document:
        return {
            "_id": event.id,
            "type": event.type,
            "aggregate": event.aggregate,
            "at": event.at,
            "order": event.order,
            "body": orjson.dumps(event.envelope()),
            "expires_at": self._expiry(),
        }

    def _expiry(self) -> datetime:
        return datetime.fromtimestamp(self._now() / 1000, UTC) + self._keep


def _id(webhook_id: str, order: str, event: str) -> str:
    return f"{webhook_id}/{order}/{event}"


def _lane(webhook_id: str, aggregate: str) -> str:
    return f"{webhook_id}/{aggregate}"


def _queued(lane: str, told: Document) -> str:
    return f"{lane} {told['order']} {told['_id']}"


def _waiting(lane: str) -> Document:
    return {"queued": {"$gt": f"{lane} ", "$lt": f"{lane} {LAST}"}}


def _delivery(found: Document) -> Delivery:
    fields: dict[str, Any] = {name: found[name] for name in Delivery.__slots__ if name in found}
    return Delivery(**{**fields, "id": found["_id"], "log": tuple(_attempts(found["log"]))})


def _attempts(log: Iterable[Document]) -> Iterable[Attempt]:
    return (Attempt(**one) for one in log)
