/** Who did what to jobs, queues, schedules and whatever else operators look after. */

import { nameOf, el } from "../js/dom.js";
import { call, query } from "./calls.js";
import { link, table, tag, time } from "./parts.js";

/**
 * @typedef {{id: string, action: string, by: {account_id: string, name: string},
 *   details: object, at: number, outcome: string | null}} Entry
 */

/** @type {import("./frame.js").View} */
export const operations = {
  title: "What operators did",
  load: (cursor = "") => call("GET", `/operations/log?${query({ cursor })}`),
  show: ({ entries, next_cursor: next }) => [
    table(
      "What operators did",
      ["when", "who", "action", "given", "outcome"],
      entries.map((/** @type {Entry} */ one) => [
        time(one.at),
        nameOf(one.by.name),
        el("code", { text: one.action }),
        JSON.stringify(one.details),
        one.outcome === "ok" ? tag("ok", "good") : tag(one.outcome ?? "not known", "warn"),
      ]),
    ),
    el("p", {}, next && link("Older", "log", next)),
  ],
};
