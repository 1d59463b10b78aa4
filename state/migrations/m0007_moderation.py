"""Reports become a queue; mutes, bans and what moderators do get their collections."""

from __future__ import annotations

from state.documents import Document, DocumentStore

INDEXES: tuple[tuple[str, list[tuple[str, int]], Document], ...] = (
    ("reports", [("status", 1), ("_id", 1)], {}),
    ("reports", [("once", 1)], {"unique": True, "sparse": True}),
    ("reports", [("message.from.id", 1), ("_id", -1)], {}),
    ("sanctions", [("active", 1), ("_id", -1)], {}),
    ("sanctions", [("active", 1), ("until", 1)], {}),
    ("sanctions", [("whom.account_id", 1), ("_id", -1)], {}),
    ("moderation_log", [("action", 1), ("_id", -1)], {}),
    ("moderation_log", [("by.account_id", 1), ("_id", -1)], {}),
    ("moderation_log", [("whom.account_id", 1), ("_id", -1)], {}),
    ("accounts", [("enforce.at", 1)], {"sparse": True}),
    ("characters", [("name_lower", 1)], {"sparse": True}),
)


async def run(documents: DocumentStore) -> None:
    """Make the indexes, and give what is there already its new fields."""
    for collection, keys, options in INDEXES:
        await documents.call(collection, "create_index", keys, **options)
    old = {"status": {"$exists": False}}
    await documents.update_all("reports", old, {"$set": {"status": "open"}})
    nameless = {"name_lower": {"$exists": False}}
    async for one in documents.each("characters", nameless, sort=[("_id", 1)]):
        fields = {"$set": {"name_lower": one["name"].lower()}}
        await documents.call("characters", "update_one", {"_id": one["_id"]}, fields, hint="_id_")
