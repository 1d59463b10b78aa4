/** What the page has to say: toasts, a spoken line for screen readers, and questions. */

import { button, byId, el, iconButton } from "./dom.js";
import { sentence } from "./errors.js";

const TOASTS = 4; // at once
const SHOWN_MS = 7_000;

/**
 * Show a sentence for a while.
 *
 * @param {string} text
 * @param {{kind?: "info" | "good" | "bad", stay?: boolean}} [options]
 */
export function toast(text, { kind = "info", stay = false } = {}) {
  const list = byId(kind === "bad" ? "alerts" : "toasts");
  const remove = () => one.remove();
  const one = el("div", { class: `toast ${kind}` }, el("span", { text }), iconButton("close", "Dismiss", remove));
  list.append(one);
  while (list.children.length > TOASTS) list.firstElementChild?.remove();
  if (!stay) setTimeout(remove, SHOWN_MS);
}

/** @param {unknown} failure whatever `ask` or `call` threw; what is a bug is thrown on */
export const complain = (failure) => toast(sentence(failure), { kind: "bad" });

/**
 * Do something, and say so if it was refused.
 *
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T | undefined>}
 */
export async function attempt(promise) {
  try {
    return await promise;
  } catch (failure) {
    complain(failure);
    return undefined;
  }
}

/** @param {string} text for screen readers only */
export function say(text) {
  const line = byId("spoken");
  line.textContent = "";
  setTimeout(() => (line.textContent = text), 60); // the same text twice is said twice
}

/**
 * Ask something in a dialog.
 *
 * @param {{title: string, text?: string, label?: string, value?: string, max?: number,
 *   pattern?: string, type?: string, ok: string, danger?: boolean}} question label: of the text to be
 *   entered
 * @returns {Promise<string | null>} the text, "" where none is asked for; null: not done
 */
export function question({ title, text, label, value = "", max = 500, pattern, type = "text", ok, danger = false }) {
  const input = label && el("input", { id: "answer", type, value, maxlength: max, pattern, required: true, autocomplete: "off" });
  const dialog = el(
    "dialog",
    { "aria-labelledby": "asked" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "asked", text: title }),
      text && el("p", { text }),
      input && el("label", { for: "answer", text: label }),
      input,
      el(
        "div",
        { class: "row end" },
        button("Cancel", () => dialog.close()),
        el("button", { class: danger ? "danger" : "primary", value: "ok", text: ok }),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "ok" ? (input ? input.value.trim() : "") : null);
    });
  });
}
