/** The bell: what others did to the player, the newest first. */

import { timeOf } from "./clock.js";
import { byId, el, icon, nameOf } from "./dom.js";
import { coins } from "./errors.js";
import { toast } from "./notices.js";

/** @typedef {import("../../clients/typescript/showdown.js").Notification} Notification */
/** @typedef {import("./connection.js").Connection} Connection */

const KEPT = 50;

export class News {
  /** @type {Notification[]} the newest first */
  #news = [];
  #unread = 0;

  /** @param {Connection} connection */
  constructor(connection) {
    connection.on("notification", (one) => this.#add(one));
    byId("news").addEventListener("toggle", (/** @type {any} */ { newState: state }) => {
      if (state !== "open") return;
      this.#unread = 0;
      this.#render();
    });
    this.#render();
  }

  /** @param {Notification} one */
  #add(one) {
    this.#news = [one, ...this.#news].slice(0, KEPT);
    this.#unread += 1;
    toast(said(one), { kind: one.success ? "bad" : "good" });
    this.#render();
  }

  #render() {
    byId("news-badge").textContent = this.#unread ? String(this.#unread) : "";
    byId("bell").setAttribute("aria-label", this.#unread ? `Notifications, ${this.#unread} new` : "Notifications");
    const rows = this.#news.map((one) => el("li", {}, icon("mask"), el("p", {}, ...parts(one)), el("time", { datetime: new Date(one.at).toISOString(), text: timeOf(one.at) })));
    byId("news-list").replaceChildren(...(rows.length ? rows : [el("li", { class: "muted-text", text: "Nothing yet. Robberies and the like are told here." })]));
  }
}

/** @param {Notification} one */
const parts = ({ by, success, amount }) =>
  success ? [nameOf(by.name), ` robbed you of ${coins(amount)}.`] : [nameOf(by.name), ` tried to rob you, was caught, and paid you ${coins(amount)}.`];

/** @param {Notification} one */
const said = (one) => parts(one).map((part) => (typeof part === "string" ? part : `\u2068${part.textContent}\u2069`)).join("");
