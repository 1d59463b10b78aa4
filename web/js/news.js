/** The bell: what the player should see and what he has seen, the newest first, as the server keeps it. */

import { timeOf } from "./clock.js";
import { byId, el, icon, nameOf } from "./dom.js";
import { Refused } from "./errors.js";
import { attempt, toast } from "./notices.js";

/** @typedef {import("../../clients/typescript/showdown.js").Notification} Notification */
/** @typedef {import("./connection.js").Connection} Connection */

const PAGE = 20;
const KEPT = 100; // the server's own bound, unless it is told otherwise
const MOST = 99; // shown by the badge
/** @type {Record<string, string>} the icon of what it is about */
const ICONS = {
  robbed: "mask", robbery_failed: "mask", coins_received: "gift", duel_challenged: "duel", duel_won: "trophy",
  purchase_granted: "coin", friend_requested: "people", friend_accepted: "people", report_resolved: "shield",
};
/** @type {Record<string, "bad" | "good" | "info">} what no other part of the page tells by itself */
const TOLD = { robbed: "bad", robbery_failed: "good", report_resolved: "info" };

export class News {
  #connection;
  /** @type {Notification[]} the newest first */
  #news = [];
  #unread = 0;
  /** @type {string | null} */
  #next = null;
  #open = false;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    connection.on("notification", (one) => this.#add(one));
    byId("news").addEventListener("toggle", (/** @type {any} */ { newState: state }) => this.#toggled(state === "open"));
    byId("older-news").addEventListener("click", () => this.#older());
    this.#render();
  }

  /** The connection is new: what is there? */
  async resume() {
    try {
      const page = await this.#connection.ask("notifications:list", { limit: PAGE });
      this.#news = page.notifications;
      this.#unread = page.unread;
      this.#next = page.next_before;
      this.#render();
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure; // the next connection may succeed
    }
  }

  /** @param {Notification} one */
  #add(one) {
    if (this.#news.some(({ id }) => id === one.id)) return; // told twice
    this.#news = [one, ...this.#news].slice(0, KEPT);
    this.#unread += 1;
    const kind = TOLD[one.kind];
    if (kind) toast(parts(one).map((part) => (typeof part === "string" ? part : `\u2068${part.textContent}\u2069`)).join(""), { kind });
    if (this.#open) this.#seen();
    this.#render();
  }

  /** @param {boolean} open */
  #toggled(open) {
    this.#open = open;
    if (open) this.#seen();
    else if (!this.#unread) this.#news = this.#news.map((one) => ({ ...one, read: true }));
    this.#render();
  }

  /** What is on view is seen, on all devices. */
  async #seen() {
    if (!this.#unread) return;
    const done = await attempt(this.#connection.ask("notifications:read"));
    if (!done) return;
    this.#unread = done.unread;
    this.#render();
  }

  async #older() {
    if (!this.#next) return;
    const page = await attempt(this.#connection.ask("notifications:list", { before: this.#next, limit: PAGE }));
    if (!page) return;
    this.#news = [...this.#news, ...page.notifications];
    this.#next = page.next_before;
    this.#render();
    byId("news").focus(); // the button may be gone
  }

  #render() {
    byId("news-badge").textContent = this.#unread ? String(Math.min(this.#unread, MOST)) : "";
    byId("bell").setAttribute("aria-label", this.#unread ? `Notifications, ${this.#unread} new` : "Notifications");
    byId("older-news").hidden = !this.#next;
    const rows = this.#news.map(row);
    byId("news-list").replaceChildren(...(rows.length ? rows : [el("li", { class: "muted-text", text: "Nothing yet. Gifts, challenges, robberies and friends are told here." })]));
  }
}

/** @param {Notification} one */
function row(one) {
  return el("li", { class: one.read ? "" : "unread" },
    icon(ICONS[one.kind] ?? "bell"),
    el("p", {}, !one.read && el("span", { class: "spoken", text: "New: " }), ...parts(one)),
    el("time", { datetime: new Date(one.at).toISOString(), text: timeOf(one.at) }),
  );
}

/** Its sentence, the name in it kept from turning the rest.
 * @param {Notification} one
 */
function parts({ by, text }) {
  return by?.name && text.startsWith(by.name) ? [nameOf(by.name), text.slice(by.name.length)] : [text];
}
