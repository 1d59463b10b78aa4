/** Which view is on the stage, and on a narrow screen whether it, the chat or the people are in front. */

import { byId } from "./dom.js";

const VIEWS = ["table", "blackjack", "shop", "wallet", "ranks", "account"];
const SIDES = ["chat", "people"];
const EXTRA = VIEWS.slice(1, -1); // behind "More" on a narrow screen
const KEY = "showdown.view";

const narrow = matchMedia("(max-width: 760px)");
const app = byId("app");
/** Says `shown` with the name as detail. */
export const views = new EventTarget();

/** The view on the stage. */
export const current = () => app.dataset.view ?? "table";

/**
 * Whether a view can be seen now.
 *
 * @param {string} name
 */
export const inSight = (name) => current() === name && (!narrow.matches || app.dataset.panel === "view");

/**
 * Bring a view, the chat or the people to the front.
 *
 * @param {string} name
 */
export function show(name) {
  const side = SIDES.includes(name);
  app.dataset.panel = side ? name : "view";
  if (!side) {
    app.dataset.view = name;
    sessionStorage.setItem(KEY, name);
    for (const view of VIEWS) byId(view).hidden = view !== name;
  }
  fold();
  mark();
  if (name === "chat") byId("messages").dispatchEvent(new Event("scroll"));
  views.dispatchEvent(new CustomEvent("shown", { detail: name }));
}

function mark() {
  const panel = app.dataset.panel;
  const stage = !narrow.matches || panel === "view";
  for (const name of VIEWS) setCurrent(`go-${name}`, stage && current() === name);
  for (const name of SIDES) setCurrent(`go-${name}`, panel === name);
  setCurrent("more", stage && EXTRA.includes(current()));
}

/**
 * @param {string} id
 * @param {boolean} yes
 */
function setCurrent(id, yes) {
  if (yes) byId(id).setAttribute("aria-current", "page");
  else byId(id).removeAttribute("aria-current");
}

/** @param {boolean} [open] the sheet of more views, closed if nothing is said */
function fold(open = false) {
  byId("more").setAttribute("aria-expanded", String(open));
}

/** The buttons of the page; the view of before a reload. */
export function wireViews() {
  for (const name of [...VIEWS, ...SIDES]) byId(`go-${name}`).addEventListener("click", () => show(name));
  byId("purse").addEventListener("click", () => show("wallet"));
  const more = byId("more");
  more.addEventListener("click", () => fold(more.getAttribute("aria-expanded") !== "true"));
  document.addEventListener("click", ({ target }) => {
    if (!(/** @type {Element} */ (target).closest("#more, #extra"))) fold();
  });
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || more.getAttribute("aria-expanded") !== "true") return;
    fold();
    more.focus();
  });
  narrow.addEventListener("change", mark);
  const kept = sessionStorage.getItem(KEY) ?? "";
  show(VIEWS.includes(kept) ? kept : "table");
}

/**
 * A dot beside a view's name while it is not the one in front: something is going on there.
 *
 * @param {"table" | "blackjack"} name
 * @param {() => boolean} going
 * @returns {() => void} look again
 */
export function dotOf(name, going) {
  const look = () => (byId(`${name}-dot`).hidden = inSight(name) || !going());
  views.addEventListener("shown", look);
  return look;
}
