/** In the account's view: by which ways the player is told of what while he is away. */

import { byId, el } from "./dom.js";
import { attempt, toast } from "./notices.js";
import { inSight, views } from "./views.js";

/** @typedef {import("../../clients/typescript/showdown.js").SettingsReply} Settings */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {"email" | "push"} Way */

/** @type {Record<string, string>} */
const KINDS = {
  robbed: "Somebody robbed me",
  robbery_failed: "Somebody tried to rob me",
  coins_received: "Somebody gave me coins",
  duel_challenged: "A challenge to a duel",
  duel_won: "I won a stake",
  purchase_granted: "Bought coins have come",
  friend_requested: "Somebody wants to be my friend",
  friend_accepted: "Somebody is my friend now",
  report_resolved: "My report was looked at",
};
/** @type {Record<Way, string>} */
const WAYS = { email: "E-mail", push: "Push" };

export class Reach {
  #connection;
  /** @type {Settings | null} */
  #settings = null;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    views.addEventListener("shown", () => this.look());
    byId("email-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#write(byId("email").value.trim() || null);
    });
    byId("no-email").addEventListener("click", () => this.#write(null));
  }

  /** Ask how it is, if it can be seen. */
  async look() {
    if (!inSight("account") || !this.#connection.online) return;
    const settings = await attempt(this.#connection.ask("notifications:settings"));
    if (settings) this.#show(settings);
  }

  /** @param {string | null} email */
  async #write(email) {
    const done = await attempt(this.#connection.ask("account:email", { email }));
    if (!done) return;
    if (email && !done.verified) toast("An e-mail is on its way to you. Follow the link in it, so that we know the address is yours.", { kind: "good" });
    await this.look();
    byId("email").focus();
  }

  /**
   * @param {string} kind
   * @param {Way} channel
   * @param {boolean} on
   */
  async #choose(kind, channel, on) {
    const settings = await attempt(this.#connection.ask("notifications:settings", { choices: [{ kind: /** @type {any} */ (kind), channel, on }] }));
    if (settings) this.#settings = settings;
    else await this.look(); // the box shows what is true
  }

  /** @param {Settings} settings */
  #show(settings) {
    this.#settings = settings;
    const { email, verified } = settings;
    const ways = this.#ways();
    byId("reach").hidden = !ways.length;
    byId("email-form").hidden = !settings.offers_email;
    byId("email").value = email ?? "";
    byId("no-email").hidden = !email;
    byId("email-state").textContent = !email ? "Without an address nothing is sent." : verified ? "This address is yours." : "Not confirmed yet: follow the link in the e-mail that we sent there.";
    byId("reach-kinds").replaceChildren(
      el("tr", {}, el("th", { scope: "col", text: "When I am away" }), ...ways.map((way) => el("th", { scope: "col", text: WAYS[way] }))),
      ...Object.keys(settings.kinds).map((kind) => this.#row(kind, ways)),
    );
  }

  /** @returns {Way[]} those that lead anywhere: a device is signed up by another client */
  #ways() {
    const { offers_email: email, devices } = /** @type {Settings} */ (this.#settings);
    return [...(email ? [/** @type {Way} */ ("email")] : []), ...(devices ? [/** @type {Way} */ ("push")] : [])];
  }

  /**
   * @param {string} kind
   * @param {Way[]} ways
   */
  #row(kind, ways) {
    const name = KINDS[kind] ?? kind.replaceAll("_", " ");
    const on = this.#settings?.kinds[kind];
    const boxes = ways.map((way) => {
      const box = el("input", { type: "checkbox", checked: on?.[way] ?? false, "aria-label": `${name}: ${WAYS[way]}`, on: { change: () => this.#choose(kind, way, box.checked) } });
      return el("td", {}, box);
    });
    return el("tr", {}, el("th", { scope: "row", text: name }), ...boxes);
  }
}
