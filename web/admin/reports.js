/** The queue of reports, and one in its context. */

import { el, nameOf } from "../js/dom.js";
import { call, query } from "./calls.js";
import { doing } from "./frame.js";
import { act, ask, facts, filters, link, place, shortened, table, tag, time } from "./parts.js";
import { playerLink } from "./sanctions.js";

/**
 * @typedef {import("../js/types.js").ChatMessage} Message
 * @typedef {{id: string, status: string, message: Message, reporter: {id: string, name: string},
 *   reason: string, reported_at: number,
 *   resolution: {action: string, note: string, by: {name: string}, at: number} | null}} Report
 */

/** @type {import("./frame.js").View} */
export const reports = {
  title: "Reports",
  load: (status = "open", cursor = "") => call("GET", `/moderation/reports?${query({ status, cursor })}`),
  show: ({ reports: page, next_cursor: next }, status = "open") => [
    filters("Status", status === "open" ? "Open" : "Resolved", [["Open", place("reports", "open")], ["Resolved", place("reports", "resolved")]]),
    reportTable("Reports", page),
    el("p", {}, next && link("Next page", "reports", status, next)),
  ],
};

/**
 * @param {string} caption
 * @param {Report[]} page
 */
export const reportTable = (caption, page) =>
  table(
    caption,
    ["reported", "message", "by whom", "in", "reason", "state"],
    page.map((one) => [
      opening(one),
      shortened(one.message.text),
      playerLink(one.message.from.name, one.message.from.id),
      tag(one.message.room.startsWith("whisper") ? "whisper" : one.message.room),
      one.reason,
      one.resolution ? tag(one.resolution.action, "good") : tag("open", "warn"),
    ]),
    "No reports.",
  );

/** @param {Report} one */
function opening(one) {
  const there = link("", "report", one.id);
  there.append(time(one.reported_at));
  return there;
}

/** @type {import("./frame.js").View} */
export const report = {
  title: "One report",
  load: (id) => call("GET", `/moderation/reports/${encodeURIComponent(id)}`),
  show: ({ report: one, message_now: now, said_before: before, said_after: after }) => [
    el("div", { class: "row" }, one.status === "open" && act("Resolve", "this report", () => resolve(one), "primary")),
    facts([
      ["Author", playerLink(one.message.from.name, one.message.from.id)],
      ["Reported by", playerLink(one.reporter.name, one.reporter.id)],
      ["Reason", one.reason],
      ["Reported", time(one.reported_at)],
      ["Said", time(one.message.sent_at)],
      ["Room", tag(one.message.room)],
      ["The message now", changed(one.message, now)],
      ["Resolved", one.resolution && [tag(one.resolution.action, "good"), ` ${one.resolution.note} (`, nameOf(one.resolution.by.name), ")"]],
    ]),
    el(
      "section",
      {},
      el("h2", { text: "What was said" }),
      el("ol", { class: "said" }, ...before.map(said), said(one.message, "reported"), ...after.map(said)),
    ),
  ],
};

/**
 * @param {Message} then
 * @param {Message | null} now
 */
function changed(then, now) {
  if (!now) return "is not stored any more";
  if (now.deleted) return "is deleted";
  return now.text === then.text ? "is the same" : now.text;
}

/**
 * @param {Message} message
 * @param {unknown} [kind]
 */
const said = (message, kind) =>
  el(
    "li",
    { class: kind === "reported" && "reported" },
    playerLink(message.from.name, message.from.id),
    " ",
    el("bdi", { text: message.deleted ? "(deleted)" : message.text }),
  );

/** @param {Report} one */
const resolve = (one) =>
  doing(
    "The report is resolved.",
    ask({
      title: "Resolve this report",
      fields: [
        {
          name: "action",
          label: "What comes of it",
          type: "select",
          options: ["dismiss", "other", "mute", "ban"],
          hint: "dismiss: nothing is wrong; other: it was dealt with elsewhere; mute and ban: the author",
        },
        { name: "seconds", label: "For so many seconds", type: "number", hint: "Of a mute or a ban. Empty: five minutes, or for good" },
        { name: "note", label: "Note", required: true },
      ],
      ok: "Resolve",
      run: ({ action, seconds, note }) =>
        call("POST", `/moderation/reports/${one.id}/resolve`, { action, note, ...(seconds && { seconds: Number(seconds) }) }),
    }),
  );
