/** Players: found by name, and the record of one. */

import { el, nameOf } from "../js/dom.js";
import { call, query } from "./calls.js";
import { facts, place, table, tag, time } from "./parts.js";
import { reportTable } from "./reports.js";
import { imposing, lifting, playerLink, state } from "./sanctions.js";

/**
 * @typedef {{id: string, name: string, former_names: string[], account_id: string,
 *   username: string | null, role: string, banned_until: number | null,
 *   muted_until: number | null}} Known
 */

/** @type {import("./frame.js").View} */
export const players = {
  title: "Players",
  still: true,
  load: async (name = "") => (name ? call("GET", `/moderation/players?${query({ name })}`) : { found: [] }),
  show: ({ found }, name = "") => [
    search(name),
    name
      ? table(
          "Players found",
          ["player", "former names", "user name", "role", "state"],
          found.map((/** @type {Known} */ one) => [
            playerLink(one.name, one.id),
            one.former_names.join(", "),
            one.username ?? el("span", { class: "muted-text", text: "guest" }),
            tag(one.role),
            standing(one),
          ]),
          "Nobody's name begins so.",
        )
      : el("p", { class: "muted-text", text: "Type how a name or a user name begins." }),
  ],
};

/** @param {string} name */
function search(name) {
  const input = el("input", { type: "search", value: name, required: true, maxlength: 40, "aria-label": "Name", "data-key": "search" });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    location.hash = place("players", input.value.trim());
  };
  return el("form", { class: "search", role: "search", on: { submit } }, input, el("button", { class: "primary", text: "Search" }));
}

/** @param {Known} one */
function standing(one) {
  const now = Date.now();
  const marks = [
    counts(one.banned_until, now) && tag("banned", "bad"),
    counts(one.muted_until, now) && tag("muted", "warn"),
  ].filter(Boolean);
  return marks.length ? marks : tag("free", "good");
}

/**
 * @param {number | null} until null for good, 0 for never
 * @param {number} now
 */
const counts = (until, now) => until === null || until > now;

/** @type {import("./frame.js").View} */
export const player = {
  title: "One player",
  load: (id) => call("GET", `/moderation/players/${encodeURIComponent(id)}`),
  show: ({ characters, reports, sanctions }, id) => {
    /** @type {Known} */
    const one = characters.find((/** @type {Known} */ each) => each.id === id);
    const others = characters.filter((/** @type {Known} */ each) => each.id !== id);
    const now = Date.now();
    return [
      el(
        "div",
        { class: "row" },
        ...imposing(one.id, one.name),
        lifting("mute", one.id, one.name),
        counts(one.banned_until, now) && lifting("ban", one.id, one.name),
      ),
      facts([
        ["Player", [nameOf(one.name), " ", el("code", { text: one.id })]],
        ["Former names", one.former_names.join(", ") || null],
        ["Account", [one.username ?? "guest", " ", el("code", { text: one.account_id })]],
        ["Role", tag(one.role)],
        ["State", standing(one)],
        ["Banned until", counts(one.banned_until, now) ? (time(one.banned_until) ?? "for good") : null],
        ["Muted until", counts(one.muted_until, now) ? (time(one.muted_until) ?? "for good") : null],
        ["Other players", others.length ? others.flatMap((/** @type {Known} */ each) => [playerLink(each.name, each.id), " "]) : null],
      ]),
      el("section", {}, el("h2", { text: "Mutes and bans" }), sanctionTable(sanctions)),
      el("section", {}, el("h2", { text: "Reports" }), reportTable("Reports of this player", reports)),
    ];
  },
};

/** @param {import("./sanctions.js").Sanction[]} all */
const sanctionTable = (all) =>
  table(
    "Mutes and bans",
    ["kind", "state", "since", "until", "by", "reason"],
    all.map((one) => [tag(one.kind), state(one), time(one.at), time(one.until) ?? "for good", nameOf(one.by.name), one.reason]),
    "There were none.",
  );
