/** Jobs that failed for good: let them run again, one or many, or give them up. */

import { el } from "../js/dom.js";
import { call, query } from "./calls.js";
import { again, doing } from "./frame.js";
import { discarding, replaying } from "./jobs.js";
import { act, link, table, time } from "./parts.js";

const PAGE = 50;

/** @typedef {import("./jobs.js").Job} Job */

/** Those that were chosen, by id: they stay so while the page looks again. */
const chosen = new Set();

/** @type {import("./frame.js").View} */
export const deadLetters = {
  title: "Dead letters",
  load: (queue = "", before = "") => call("GET", `/dead-letters?${query({ queue, before, limit: PAGE })}`),
  show: ({ dead_letters: page, next_before: next }, queue = "") => {
    const there = new Set(page.map((/** @type {Job} */ one) => one.id));
    for (const id of chosen) if (!there.has(id)) chosen.delete(id);
    return [
      ...(queue ? [el("div", { class: "row" }, el("h2", { text: queue }), link("All queues", "dead-letters"))] : []),
      ...choice(page),
      table(
        "Dead letters",
        ["job", "chosen", "#attempts", "failed", "reason", "actions"],
        page.map(row),
        "No job has failed for good.",
      ),
      el("p", {}, next && link("Older", "dead-letters", queue, next)),
    ];
  },
};

/** @param {Job} one */
const row = (one) => [
  link(one.id, "job", one.id),
  el("input", {
    type: "checkbox",
    checked: chosen.has(one.id),
    "aria-label": `Choose ${one.id}`,
    "data-key": `choose ${one.id}`,
    on: { change: () => choose(one.id) },
  }),
  el("span", { text: String(one.attempts) }),
  time(one.finished_at),
  one.reason ?? "",
  el("div", { class: "row" }, replaying(one.id), discarding([one.id])),
];

/** @param {string} id */
function choose(id) {
  if (!chosen.delete(id)) chosen.add(id);
  again();
}

/** @param {Job[]} page */
function choice(page) {
  if (!page.length) return [];
  const all = act("Choose all", "dead letters", () => {
    const none = chosen.size === page.length;
    for (const { id } of page) none ? chosen.delete(id) : chosen.add(id);
    again();
  });
  if (!chosen.size) return [el("div", { class: "row" }, all)];
  const ids = [...chosen];
  const many = act("Replay", "those chosen", () => doing("They run again.", replay(ids)), "primary");
  return [el("div", { class: "row" }, all, el("span", { text: `${ids.length} chosen` }), many, discarding(ids))];
}

/** @param {string[]} ids */
async function replay(ids) {
  await call("POST", "/dead-letters/replay", { ids });
  chosen.clear();
}
