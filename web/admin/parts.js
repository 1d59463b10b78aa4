/** What the staff's pages are made of: tables, facts, times, links, forms. */

import { button, el } from "../js/dom.js";
import { sentence } from "../js/errors.js";

const SHORT = 160; // characters of a text in a table

/** @typedef {import("../js/dom.js").Child} Child */

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {"text" | "number" | "area" | "select"} [type]
 * @property {string} [value]
 * @property {string[]} [options] of a select
 * @property {boolean} [required]
 * @property {number} [max] characters
 * @property {string} [hint]
 */

/**
 * A table that scrolls by itself where it is too wide.
 *
 * @param {string} caption what it is, for screen readers
 * @param {string[]} columns a name that begins with # is of numbers
 * @param {(Child | Child[])[][]} rows the first cell names its row
 * @param {string} empty what is said instead of no rows
 */
export function table(caption, columns, rows, empty = "Nothing here.") {
  if (!rows.length) return el("p", { class: "nothing", text: empty });
  const numeric = columns.map((name) => (name.startsWith("#") ? "number" : undefined));
  const head = columns.map((name, n) => el("th", { scope: "col", class: numeric[n], text: name.replace("#", "") }));
  const body = rows.map(([first, ...rest]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, ...listed(first)),
      ...rest.map((cell, n) => el("td", { class: numeric[n + 1] ?? (typeof cell === "string" ? "long" : undefined) }, ...listed(cell))),
    ),
  );
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", { class: "spoken", text: caption }), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body)),
  );
}

/**
 * What is known of one thing; what is null or undefined is left out.
 *
 * @param {[string, Child | Child[]][]} known
 */
export function facts(known) {
  const there = known.filter(([, value]) => value != null && value !== false);
  return el("dl", { class: "facts" }, ...there.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", {}, ...listed(value))]));
}

/** @param {Child | Child[]} value */
const listed = (value) => (Array.isArray(value) ? value : [value]);

/**
 * A moment, by this device's clock.
 *
 * @param {number | null | undefined} ms
 */
export function time(ms) {
  if (ms == null) return null;
  const at = new Date(ms);
  return el("time", { datetime: at.toISOString(), text: at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) });
}

/**
 * A length of time: "0.4 s", "12 min", "3 h", "5 d".
 *
 * @param {number} ms
 */
export function span(ms) {
  /** @type {[number, string][]} */
  const units = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1_000, "s"]];
  const [size, unit] = units.find(([least]) => ms >= least * 2) ?? [1_000, "s"];
  return `${(ms / size).toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;
}

/** @param {string} text */
export const shortened = (text) => (text.length > SHORT ? `${text.slice(0, SHORT)} …` : text);

/** @param {number} count */
export const number = (count) => count.toLocaleString("en");

/**
 * A link to another view of this page.
 *
 * @param {string} text
 * @param {...(string | number)} parts of its place
 */
export const link = (text, ...parts) => el("a", { href: place(...parts), text });

/** @param {...(string | number)} parts */
export const place = (...parts) => `#${parts.map((part) => encodeURIComponent(part)).join("/")}`;

/**
 * Links of which one is where we are.
 *
 * @param {string} label
 * @param {string} here
 * @param {[string, string][]} all text and place
 */
export const filters = (label, here, all) =>
  el(
    "nav",
    { class: "row filters", "aria-label": label },
    ...all.map(([text, href]) => el("a", { href, text, "aria-current": text === here && "true" })),
  );

/**
 * A word that stands out.
 *
 * @param {string} text
 * @param {"" | "good" | "bad" | "warn"} [kind]
 */
export const tag = (text, kind = "") => el("span", { class: `tag ${kind}`, text });

/**
 * Data, as it is.
 *
 * @param {string} label
 * @param {unknown} value
 */
export const data = (label, value) =>
  el("pre", { tabindex: "0", role: "region", "aria-label": label, text: JSON.stringify(value, null, 2) });

/**
 * A button that is found again when the view is made anew.
 *
 * @param {string} label
 * @param {string} of what it is about, for screen readers
 * @param {() => void} click
 * @param {string} [kind]
 */
export const act = (label, of, click, kind) =>
  button(label, click, { class: kind, "aria-label": `${label}: ${of}`, "data-key": `${label} ${of}` });

/**
 * Ask for what an action needs, and do it: the dialog stays until that went well.
 *
 * @param {{title: string, text?: string, fields?: Field[], ok: string, danger?: boolean,
 *   run: (values: Record<string, string>) => Promise<unknown>}} question
 * @returns {Promise<boolean>} whether it was done
 */
export function ask({ title, text, fields = [], ok, danger = false, run }) {
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const go = el("button", { class: danger ? "danger" : "primary", text: ok });
  const form = el(
    "form",
    {},
    el("h2", { id: "asked", text: title }),
    text && el("p", { text }),
    ...fields.map(field),
    problem,
    el("div", { class: "row end" }, button("Cancel", () => dialog.close()), go),
  );
  const dialog = el("dialog", { "aria-labelledby": "asked" }, form);
  let done = false;
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      await run(Object.fromEntries(fields.map(({ name }) => [name, form.elements[name].value.trim()])));
      done = true;
      dialog.close();
    } catch (failure) {
      problem.textContent = failure instanceof SyntaxError ? "This is no JSON." : sentence(failure);
      problem.hidden = false;
    } finally {
      go.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    }),
  );
}

/** @param {Field} one */
function field({ name, label, type = "text", value = "", options = [], required = false, max = 500, hint }) {
  const id = `field-${name}`;
  const common = { id, name, required, autocomplete: "off", "aria-describedby": hint && `${id}-hint` };
  const input = {
    text: () => el("input", { ...common, value, maxlength: max }),
    number: () => el("input", { ...common, value, type: "number", min: "0", step: "1" }),
    area: () => el("textarea", { ...common, text: value, spellcheck: "false" }),
    select: () => el("select", common, ...options.map((option) => el("option", { text: option, selected: option === value }))),
  }[type]();
  return el("div", { class: "field" }, el("label", { for: id, text: label }), input, hint && el("small", { id: `${id}-hint`, text: hint }));
}
