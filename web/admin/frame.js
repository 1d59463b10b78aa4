/**
 * What all pages of the staff share: who is signed in, the views by the address's fragment, and
 * looking again every few seconds while somebody looks.
 */

import { byId, el } from "../js/dom.js";
import { Refused, sentence } from "../js/errors.js";
import { say, toast } from "../js/notices.js";
import { signOut, whoAmI } from "./calls.js";

const LOOK_MS = 3_000;
const SLOWEST_MS = 30_000; // when the server does not answer

/**
 * @typedef {object} View
 * @property {string} title
 * @property {(...place: string[]) => Promise<any>} load what the view shows
 * @property {(data: any, ...place: string[]) => Node[]} show
 * @property {boolean} [still] whether it is made once, not again and again
 */

/** @type {Record<string, View>} */
let views = {};
let first = "";
let timer = 0;
let wait = LOOK_MS;
let shown = "";
let turn = 0; // of two looks that overlap the older one is forgotten

/**
 * Run the page.
 *
 * @param {Record<string, View>} all by the first part of the fragment; the first is where one begins
 */
export async function run(all) {
  views = all;
  first = Object.keys(all)[0];
  byId("sign-out").addEventListener("click", () => leave());
  try {
    await introduce();
  } catch (failure) {
    return trouble(failure);
  }
  window.addEventListener("hashchange", () => open());
  document.addEventListener("visibilitychange", () => document.hidden || again());
  await look();
  document.documentElement.dataset.ready = "yes";
}

/** Look at once. */
export async function again() {
  shown = "";
  await look();
}

/**
 * Do something, say what became of it, and look at once.
 *
 * @param {string} done what is said when it went well
 * @param {Promise<unknown>} action a false one was not done
 */
export async function doing(done, action) {
  try {
    if ((await action) === false) return;
    toast(done, { kind: "good" });
  } catch (failure) {
    toast(sentence(failure), { kind: "bad" });
  }
  await again();
}

async function introduce() {
  const session = await whoAmI();
  byId("me").textContent = `${session.username} (${session.role})`;
  const here = location.pathname.split("/").at(-1);
  const links = session.pages.map((name) =>
    el("a", { href: `/admin/${name}`, text: name.charAt(0).toUpperCase() + name.slice(1), "aria-current": name === here && "page" }),
  );
  byId("pages").replaceChildren(...links);
  for (const one of document.querySelectorAll("[data-role]")) {
    /** @type {HTMLElement} */ (one).hidden = /** @type {HTMLElement} */ (one).dataset.role !== session.role;
  }
  // Whoever looks is renewed in time; a page that nobody sees runs out.
  setTimeout(() => keepUp(), (session.expires_in * 1000) / 3);
}

async function keepUp() {
  if (document.hidden) return void document.addEventListener("visibilitychange", () => keepUp(), { once: true });
  try {
    await introduce();
  } catch (failure) {
    trouble(failure);
    setTimeout(() => keepUp(), SLOWEST_MS);
  }
}

async function leave() {
  try {
    await signOut();
    location.replace("/admin/sign-in");
  } catch (failure) {
    trouble(failure);
  }
}

async function open() {
  shown = "";
  await look();
  byId("title").focus();
  say(byId("title").textContent);
}

function where() {
  const [name, ...place] = location.hash.slice(1).split("/").map(decodeURIComponent);
  return Object.hasOwn(views, name) ? { name, place } : { name: first, place: [] };
}

async function look() {
  clearTimeout(timer);
  const mine = ++turn;
  const { name, place } = where();
  const view = views[name];
  const idle = shown && (document.hidden || document.querySelector("dialog"));
  try {
    const data = idle ? undefined : await view.load(...place);
    if (mine !== turn) return;
    if (!idle) render(view, name, place, data);
    wait = LOOK_MS;
    byId("trouble").hidden = true;
  } catch (failure) {
    if (mine !== turn) return;
    trouble(failure);
    wait = Math.min(SLOWEST_MS, wait * 2);
  }
  if (!view.still) timer = setTimeout(() => look(), wait);
}

/** @param {unknown} failure */
function trouble(failure) {
  byId("trouble").textContent = sentence(failure);
  byId("trouble").hidden = false;
  if (!(failure instanceof Refused)) throw failure;
}

/**
 * @param {View} view
 * @param {string} name
 * @param {string[]} place
 * @param {any} data
 */
function render(view, name, place, data) {
  const state = JSON.stringify([name, place, data]);
  if (state === shown) return;
  shown = state;
  const area = byId("view");
  const focused = sameAs(document.activeElement);
  const left = new Map([...area.querySelectorAll(".scroll")].map((one) => [one.getAttribute("aria-label"), one.scrollLeft]));
  byId("title").textContent = view.title;
  area.replaceChildren(...view.show(data, ...place));
  for (const one of area.querySelectorAll(".scroll")) one.scrollLeft = left.get(one.getAttribute("aria-label")) ?? 0;
  if (focused) /** @type {HTMLElement | null} */ (area.querySelector(focused))?.focus();
  for (const one of document.querySelectorAll(".views a")) {
    const here = one.getAttribute("href") === `#${name}`;
    if (here) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
}

/**
 * How an element is found again after the view was made anew, "" if it is not.
 *
 * @param {Element | null} one
 */
function sameAs(one) {
  for (const name of ["data-key", "href"]) {
    const value = one?.getAttribute(name);
    if (value) return `[${name}="${CSS.escape(value)}"]`;
  }
  return "";
}
