/** Jobs that the clock orders. */

import { el } from "../js/dom.js";
import { call } from "./calls.js";
import { doing } from "./frame.js";
import { act, ask, link, table, tag, time } from "./parts.js";

/**
 * @typedef {{name: string, task: string, payload: object, cron: string | null,
 *   every: number | null, tz: string, missed: string, paused: boolean, own: boolean,
 *   next_at: number, last_at: number | null}} Schedule
 */

const POLICIES = ["once", "each", "skip"];

/** @type {import("./frame.js").View} */
export const schedules = {
  title: "Schedules",
  load: () => call("GET", "/schedules"),
  show: ({ schedules: all }) => [
    el("div", { class: "row" }, act("Add", "a schedule", () => add())),
    table("Schedules", ["schedule", "task", "when", "missed runs", "last run", "next run", "state", "actions"], all.map(row)),
  ],
};

/** @param {Schedule} one */
const row = (one) => [
  one.name,
  link(one.task, "jobs", one.task, "waiting"),
  el("span", {}, el("code", { text: one.cron ?? `every ${one.every} s` }), one.cron && ` ${one.tz}`),
  tag(one.missed),
  time(one.last_at) ?? el("span", { class: "muted-text", text: "never" }),
  one.paused ? el("span", { class: "muted-text", text: "–" }) : time(one.next_at),
  one.paused ? tag("paused", "warn") : tag("at work", "good"),
  el("div", { class: "row" }, pausing(one), ...(one.own ? [] : [act("Edit", one.name, () => edit(one)), removing(one)])),
];

/** @param {Schedule} one */
function pausing({ name, paused }) {
  const change = (/** @type {string} */ done) => doing(done, call("PATCH", `/schedules/${name}`, { paused: !paused }));
  return paused
    ? act("Resume", name, () => change(`${name} goes on.`))
    : act("Pause", name, () => change(`${name} is paused.`));
}

/** @param {Schedule} one */
const removing = ({ name }) =>
  act(
    "Remove",
    name,
    () =>
      doing(
        `${name} is removed.`,
        ask({
          title: `Remove ${name}?`,
          text: "What it has ordered stays ordered.",
          ok: "Remove",
          danger: true,
          run: () => call("DELETE", `/schedules/${name}`),
        }),
      ),
    "danger",
  );

/**
 * When it runs: either of two, and the zone only belongs to a pattern.
 *
 * @param {Record<string, string>} given
 */
const timing = ({ cron, every, tz, missed }) => ({
  ...(cron && { cron }),
  ...(every && { every: Number(every) }),
  ...(tz && { tz }),
  missed,
});

/**
 * @param {Partial<Schedule>} one
 * @returns {import("./parts.js").Field[]}
 */
const timingFields = ({ cron, every, tz = "UTC", missed = "once" }) => [
  { name: "cron", label: "Cron pattern", value: cron ?? "", max: 120, hint: "Five fields, or six with seconds first; or else:" },
  { name: "every", label: "Every so many seconds", type: "number", value: every ? String(every) : "" },
  { name: "tz", label: "Time zone of the pattern", value: tz, max: 64 },
  { name: "missed", label: "Missed runs", type: "select", options: POLICIES, value: missed, hint: "once: one makes up for all; each: all of them; skip: none" },
];

const add = () =>
  doing(
    "The schedule is added.",
    ask({
      title: "Add a schedule",
      fields: [
        { name: "name", label: "Name", required: true, max: 48, hint: "Lower-case letters, digits and hyphens" },
        { name: "task", label: "Task", required: true, max: 64, hint: "One that may be ordered by name" },
        { name: "payload", label: "Payload, as JSON", type: "area", value: "{}", required: true },
        ...timingFields({}),
      ],
      ok: "Add",
      run: async (given) => {
        const { name, task } = given;
        await call("POST", "/schedules", { name, task, payload: JSON.parse(given.payload), ...timing(given) });
      },
    }),
  );

/** @param {Schedule} one */
const edit = (one) =>
  doing(
    `${one.name} is changed.`,
    ask({
      title: `Edit ${one.name}`,
      fields: timingFields(one),
      ok: "Change",
      run: (given) => call("PATCH", `/schedules/${one.name}`, timing(given)),
    }),
  );
