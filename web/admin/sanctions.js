/** Mutes and bans, and the log of what moderators did. */

import { el, nameOf } from "../js/dom.js";
import { call, query } from "./calls.js";
import { doing } from "./frame.js";
import { act, ask, filters, link, place, shortened, table, tag, time } from "./parts.js";

/**
 * @typedef {{account_id: string, name: string}} Person
 * @typedef {{id: string, kind: string, whom: Person, player_id: string, by: Person, reason: string,
 *   at: number, until: number | null, in_force: boolean,
 *   ended: {how: string, at: number, by: Person | null, reason: string} | null}} Sanction
 * @typedef {{id: string, action: string, by: Person, whom: Person, player_id: string | null,
 *   reason: string, at: number, details: object}} Entry
 */

const WORDS = { mute: ["muted", "unmute"], ban: ["banned", "unban"] };

/**
 * Buttons that mute and ban a player.
 *
 * @param {string} id of the player
 * @param {string} name
 */
export const imposing = (id, name) => [
  act("Mute", name, () => impose("mute", id, name), "danger"),
  act("Ban", name, () => impose("ban", id, name), "danger"),
];

/**
 * @param {"mute" | "ban"} kind
 * @param {string} id
 * @param {string} name
 */
function impose(kind, id, name) {
  const longest = kind === "mute" ? "Empty: five minutes. At most 30 days." : "Empty: for good.";
  const question = ask({
    title: `${kind === "mute" ? "Mute" : "Ban"} ${name}?`,
    text: "It is of the account, with all its players, and replaces one that is in force.",
    fields: [
      { name: "seconds", label: "For so many seconds", type: "number", hint: longest },
      { name: "reason", label: "Reason", required: true },
    ],
    ok: kind === "mute" ? "Mute" : "Ban",
    danger: true,
    run: ({ seconds, reason }) =>
      call("POST", `/moderation/players/${id}/${kind}`, { reason, ...(seconds && { seconds: Number(seconds) }) }),
  });
  return doing(`${name} is ${WORDS[kind][0]}.`, question);
}

/**
 * A button that ends a mute or a ban.
 *
 * @param {"mute" | "ban"} kind
 * @param {string} id
 * @param {string} name
 */
export function lifting(kind, id, name) {
  const [, verb] = WORDS[kind];
  const label = kind === "mute" ? "Unmute" : "Unban";
  const question = () =>
    ask({
      title: `${label} ${name}?`,
      fields: [{ name: "reason", label: "Reason", required: true }],
      ok: label,
      run: (body) => call("POST", `/moderation/players/${id}/${verb}`, body),
    });
  return act(label, name, () => doing(`${name} is ${WORDS[kind][0]} no longer.`, question()));
}

/** @param {Sanction} one */
export const state = (one) =>
  one.in_force ? tag("in force", "bad") : tag(one.ended ? one.ended.how : "over");

/** @type {import("./frame.js").View} */
export const sanctions = {
  title: "In force",
  load: (kind = "ban", cursor = "") => call("GET", `/moderation/sanctions?${query({ kind, cursor })}`),
  show: ({ sanctions: all, next_cursor: next }, kind = "ban") => [
    filters("Kinds", kind === "ban" ? "Bans" : "Mutes", [["Bans", place("sanctions", "ban")], ["Mutes", place("sanctions", "mute")]]),
    table(
      kind === "ban" ? "Bans" : "Mutes",
      ["player", "since", "until", "by", "reason", "actions"],
      all.map((/** @type {Sanction} */ one) => [
        playerLink(one.whom.name, one.player_id),
        time(one.at),
        time(one.until) ?? "for good",
        nameOf(one.by.name),
        one.reason,
        lifting(/** @type {"mute" | "ban"} */ (one.kind), one.player_id, one.whom.name),
      ]),
    ),
    el("p", {}, next && link("Older", "sanctions", kind, next)),
  ],
};

/**
 * @param {string} name
 * @param {string} id
 */
export function playerLink(name, id) {
  const there = link("", "player", id);
  there.append(nameOf(name));
  return there;
}

/** @type {import("./frame.js").View} */
export const moderationLog = {
  title: "What moderators did",
  load: (cursor = "") => call("GET", `/moderation/log?${query({ cursor })}`),
  show: ({ entries, next_cursor: next }) => [
    table(
      "What moderators did",
      ["when", "who", "action", "whom", "reason", "details"],
      entries.map((/** @type {Entry} */ one) => [
        time(one.at),
        nameOf(one.by.name),
        tag(one.action.replaceAll("_", " ")),
        one.player_id ? playerLink(one.whom.name, one.player_id) : nameOf(one.whom.name),
        one.reason,
        shortened(JSON.stringify(one.details)),
      ]),
    ),
    el("p", {}, next && link("Older", "log", next)),
  ],
};
