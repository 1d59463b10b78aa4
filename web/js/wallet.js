/** The wallet's view: what happened to it, page by page, and giving to others. */

import { timeOf } from "./clock.js";
import { byId, el, icon } from "./dom.js";
import { coins } from "./errors.js";
import { attempt, toast } from "./notices.js";
import { iconOf, words } from "./reasons.js";
import { inSight, views } from "./views.js";

/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./deeds.js").Deeds} Deeds */
/** @typedef {import("./names.js").Names} Names */
/** @typedef {import("./purse.js").Purse} Purse */
/** @typedef {import("./rooms.js").Rooms} Rooms */

const PAGE = 40;
const KEPT = 400; // rows at once; whoever reads on loses the newest ones, and can go back
const SETTLE_MS = 150; // changes that come together are read together

export class Wallet {
  #connection;
  #deeds;
  #names;
  #rooms;
  /** @type {Entry[]} the newest first */
  #entries = [];
  /** @type {string | null} */
  #next = null;
  #loading = false;
  #known = false;
  #atTop = true;
  #timer = 0;

  /**
   * @param {{connection: Connection, deeds: Deeds, names: Names, rooms: Rooms, purse: Purse}} parts
   */
  constructor({ connection, deeds, names, rooms, purse }) {
    this.#connection = connection;
    this.#deeds = deeds;
    this.#names = names;
    this.#rooms = rooms;
    purse.addEventListener("changed", () => this.#later());
    views.addEventListener("shown", () => this.#shown());
    const end = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.#older());
    end.observe(byId("ledger-end"));
    byId("newest").addEventListener("click", () => this.#newest());
    byId("give").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#give();
    });
  }

  #shown() {
    if (!inSight("wallet")) return;
    this.#people();
    if (!this.#known) this.#newest();
  }

  #later() {
    this.#known = false;
    clearTimeout(this.#timer);
    if (inSight("wallet") && this.#atTop) this.#timer = setTimeout(() => this.#newest(), SETTLE_MS);
  }

  async #newest() {
    const page = await attempt(this.#connection.ask("wallet:ledger", { limit: PAGE }));
    if (!page) return;
    this.#known = this.#atTop = true;
    this.#meet(page.names);
    this.#entries = page.entries;
    this.#next = page.next_before;
    this.#render();
  }

  async #older() {
    if (this.#loading || !this.#next || !inSight("wallet")) return;
    this.#loading = true;
    const page = await attempt(this.#connection.ask("wallet:ledger", { before: this.#next, limit: PAGE }));
    this.#loading = false;
    if (!page) return;
    this.#meet(page.names);
    this.#entries.push(...page.entries);
    this.#next = page.next_before;
    this.#atTop &&= this.#entries.length <= KEPT;
    this.#entries.splice(0, Math.max(0, this.#entries.length - KEPT));
    this.#render();
  }

  /** @param {Record<string, string>} names */
  #meet(names) {
    this.#names.meet(Object.entries(names).map(([id, name]) => ({ id, name })));
    this.#people();
  }

  #render() {
    byId("ledger").replaceChildren(...this.#entries.map((entry) => this.#row(entry)));
    byId("newest").hidden = this.#atTop;
    byId("ledger-end").textContent = this.#next ? "Reading on …" : "This is the beginning.";
  }

  /** @param {Entry} entry */
  #row(entry) {
    const sign = entry.amount < 0 ? "−" : "+";
    const amount = Math.abs(entry.amount).toLocaleString("en");
    return el("li", { class: entry.amount < 0 ? "entry out" : "entry in" },
      el("span", { class: "bubble", "aria-hidden": "true" }, icon(iconOf(entry.reason))),
      el("p", { class: "what" }, ...words(entry, this.#names, this.#rooms.me.id)),
      el("time", { datetime: new Date(entry.at).toISOString(), text: timeOf(entry.at) }),
      el("span", { class: "amount", text: `${sign}${amount}` }),
      el("span", { class: "then" }, el("span", { class: "spoken", text: "balance " }), entry.balance.toLocaleString("en")),
    );
  }

  /** Whom coins can be given to: everybody who was met. */
  #people() {
    const list = byId("give-to");
    const chosen = list.value;
    const others = this.#names.others();
    const first = others.length ? "Choose a player" : "Nobody was met yet";
    list.replaceChildren(el("option", { value: "", text: first }), ...others.map(({ id, name }) => el("option", { value: id, text: name })));
    list.value = others.some(({ id }) => id === chosen) ? chosen : "";
  }

  async #give() {
    const form = byId("give");
    const button = form.querySelector("button");
    const to = byId("give-to").value;
    button.disabled = true;
    const done = await give(this.#deeds, { id: to, name: this.#names.of(to) }, byId("give-amount").value, byId("give-note").value);
    button.disabled = false;
    if (done) byId("give-amount").value = byId("give-note").value = "";
  }
}

/**
 * Give coins to somebody, and say so.
 *
 * @param {Deeds} deeds
 * @param {import("./types.js").Named} who
 * @param {string} amount as it was entered
 * @param {string} note
 */
export async function give(deeds, who, amount, note) {
  const done = await attempt(deeds.ask("wallet:transfer", { to: who.id, amount: Number(amount), note: note.trim() }));
  if (!done) return false;
  const fee = done.fee ? `, and paid a fee of ${coins(done.fee)}` : "";
  toast(`You gave ${coins(done.amount)} to \u2068${who.name}\u2069${fee}.`, { kind: "good" });
  return true;
}
