/** Queues, the jobs of one, and one job. */

import { el } from "../js/dom.js";
import { call, query } from "./calls.js";
import { doing } from "./frame.js";
import { act, ask, data, facts, filters, link, number, place, shortened, span, table, tag, time } from "./parts.js";

const PAGE = 25;
const STATES = ["waiting", "delayed", "running", "completed", "failed"];

/**
 * @typedef {{name: string, profile: string, paused: boolean, waiting: number, delayed: number,
 *   running: number, completed: number, failed: number, oldest_ms: number,
 *   completed_per_minute: number, failed_per_minute: number, wait_ms: number | null,
 *   run_ms: number | null}} Queue
 * @typedef {{id: string, task: string, status: string, payload: object, priority: number,
 *   attempts: number, created_at: number, progress?: {done: number, total: number},
 *   started_at?: number, finished_at?: number, result?: unknown, reason?: string,
 *   trace_id?: string}} Job
 */

/** @type {Record<string, "" | "good" | "bad" | "warn">} */
const KINDS = { completed: "good", failed: "bad", running: "warn" };

/** @param {string} state */
export const stateTag = (state) => tag(state, KINDS[state] ?? "");

/** @param {Queue} queue */
const pausing = (queue) =>
  queue.paused
    ? act("Resume", queue.name, () => doing(`${queue.name} goes on.`, call("POST", `/queues/${queue.name}/resume`)))
    : act("Pause", queue.name, () => doing(`${queue.name} is paused.`, call("POST", `/queues/${queue.name}/pause`)));

/** @type {import("./frame.js").View} */
export const queues = {
  title: "Queues",
  load: () => call("GET", "/queues"),
  show: ({ queues: all }) => [
    table(
      "Queues",
      ["queue", ...STATES.map((state) => `#${state}`), "#oldest waits", "#a minute", "#wait + run", "state", "actions"],
      all.map((/** @type {Queue} */ one) => [
        [link(one.name, "jobs", one.name, "waiting"), el("div", {}, tag(one.profile))],
        ...STATES.map((state) => counted(one, state)),
        el("span", { text: one.oldest_ms ? span(one.oldest_ms) : "–" }),
        ...pace(one),
        one.paused ? tag("paused", "warn") : tag("at work", "good"),
        el("div", { class: "row" }, pausing(one), act("Clean", one.name, () => clean(one.name))),
      ]),
    ),
  ],
};

/**
 * How fast it is: jobs a minute in the last five, and what the newest took.
 *
 * @param {Queue} queue
 */
const pace = ({ completed_per_minute: completed, failed_per_minute: failed, wait_ms: wait, run_ms: ran }) => [
  [el("span", { text: `${number(completed)} ` }), failed > 0 && tag(`${number(failed)} failed`, "bad")],
  el("span", { text: wait === null || ran === null ? "–" : `${short(wait)} + ${short(ran)}` }),
];

/** @param {number} ms */
const short = (ms) => (ms < 1_000 ? `${number(ms)} ms` : span(ms));

/**
 * @param {Queue} queue
 * @param {string} state
 */
function counted(queue, state) {
  const count = /** @type {any} */ (queue)[state];
  const there = state === "failed" ? ["dead-letters", queue.name] : ["jobs", queue.name, state];
  return count ? link(number(count), ...there) : el("span", { class: "muted-text", text: "0" });
}

/** @param {string} queue */
function clean(queue) {
  const question = ask({
    title: `Clean ${queue}`,
    text: "Jobs are taken away for good. What waits or has failed is lost by that.",
    fields: [
      { name: "state", label: "In the state", type: "select", options: ["completed", "failed", "waiting", "delayed"] },
      { name: "older", label: "Older than seconds", type: "number", value: "3600", required: true },
    ],
    ok: "Clean",
    danger: true,
    run: ({ state, older }) => call("DELETE", `/queues/${queue}/clean?${query({ state, older, limit: 10_000 })}`),
  });
  return doing(`${queue} was cleaned.`, question);
}

/** @type {import("./frame.js").View} */
export const jobs = {
  title: "Jobs of a queue",
  load: async (queue, state = "waiting", skip = "0") => {
    const [stats, page] = await Promise.all([
      call("GET", `/queues/${encodeURIComponent(queue)}/stats`),
      call("GET", `/queues/${encodeURIComponent(queue)}/jobs?${query({ state, skip, limit: PAGE })}`),
    ]);
    return { ...stats, ...page };
  },
  show: ({ queue, jobs: page }, _, state = "waiting", skip = "0") => [
    el("div", { class: "row" }, el("h2", { text: queue.name }), queue.paused && tag("paused", "warn"), pausing(queue)),
    filters(
      "States",
      `${state} ${number(queue[state])}`,
      STATES.map((one) => [`${one} ${number(queue[one])}`, place("jobs", queue.name, one)]),
    ),
    jobTable(`Jobs that are ${state}`, page),
    pager(queue.name, state, Number(skip), page.length),
  ],
};

/**
 * @param {string} caption
 * @param {Job[]} page
 */
const jobTable = (caption, page) =>
  table(
    caption,
    ["job", "state", "#attempts", "ordered", "payload or reason"],
    page.map((one) => [
      link(one.id, "job", one.id),
      stateTag(one.status),
      el("span", { text: String(one.attempts) }),
      time(one.created_at),
      shortened(one.reason ?? JSON.stringify(one.payload)),
    ]),
    "No job is in this state.",
  );

/**
 * @param {string} queue
 * @param {string} state
 * @param {number} skip
 * @param {number} count
 */
const pager = (queue, state, skip, count) =>
  el(
    "p",
    { class: "row" },
    skip > 0 && link("Before", "jobs", queue, state, Math.max(0, skip - PAGE)),
    count === PAGE && link("After", "jobs", queue, state, skip + PAGE),
  );

/** @type {import("./frame.js").View} */
export const job = {
  title: "One job",
  load: (id) => call("GET", `/jobs/${encodeURIComponent(id)}`),
  show: (one) => [
    el("div", { class: "row" }, ...actions(one)),
    facts([
      ["Job", el("code", { text: one.id })],
      ["Queue", link(one.task, "jobs", one.task, "waiting")],
      ["State", stateTag(one.status)],
      ["Progress", one.progress && [progress(one.progress)]],
      ["Attempts", String(one.attempts)],
      ["Priority", String(one.priority)],
      ["Ordered", time(one.created_at)],
      ["Begun", time(one.started_at)],
      ["Ended", time(one.finished_at)],
      ["Took", one.started_at && one.finished_at && span(one.finished_at - one.started_at)],
      ["Reason", one.reason],
      ["Trace in the log", one.trace_id && el("code", { text: one.trace_id })],
    ]),
    el("section", {}, el("h2", { text: "Payload" }), data("Payload", one.payload)),
    ...("result" in one ? [el("section", {}, el("h2", { text: "Result" }), data("Result", one.result))] : []),
  ],
};

/** @param {{done: number, total: number}} progress */
const progress = ({ done, total }) =>
  el("span", { class: "row" }, el("progress", { max: total, value: done, "aria-label": "Progress" }), `${number(done)} of ${number(total)}`);

/** @param {Job} one */
function actions(one) {
  if (one.status === "failed") return [replaying(one.id), discarding([one.id])];
  if (["waiting", "delayed", "running"].includes(one.status)) return [act("Cancel", one.id, () => cancel(one.id), "danger")];
  return [];
}

/** @param {string} id */
function cancel(id) {
  const question = ask({
    title: "Cancel this job?",
    text: "What it has done until now stays done.",
    ok: "Cancel the job",
    danger: true,
    run: () => call("DELETE", `/jobs/${id}`),
  });
  return doing("The job is cancelled.", question);
}

/** @param {string} id */
export const replaying = (id) =>
  act("Replay", id, () => doing("It runs again.", call("POST", `/dead-letters/${id}/replay`)));

/** @param {string[]} ids */
export const discarding = (ids) =>
  act("Discard", ids.length === 1 ? ids[0] : "those chosen", () => discard(ids), "danger");

/** @param {string[]} ids */
function discard(ids) {
  const question = ask({
    title: ids.length === 1 ? "Discard this dead letter?" : `Discard ${ids.length} dead letters?`,
    text: "Nobody can run it again after that. The reason is logged.",
    fields: [{ name: "reason", label: "Reason", required: true, max: 200 }],
    ok: "Discard",
    danger: true,
    run: async ({ reason }) => {
      for (const id of ids) await call("POST", `/dead-letters/${id}/discard`, { reason });
    },
  });
  return doing("Discarded.", question);
}
