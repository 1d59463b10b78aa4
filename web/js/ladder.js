/** Matchmaking in the lobby: wait for an opponent of about one's strength; and one's rating. */

import { every, minutes, now } from "./clock.js";
import { byId } from "./dom.js";
import { coins, Refused, spell } from "./errors.js";
import { attempt, say, toast } from "./notices.js";
import { show } from "./views.js";

/** @typedef {import("../../clients/typescript/showdown.js").MatchView} MatchView */
/** @typedef {import("../../clients/typescript/showdown.js").RatingReply} Rating */
/** @typedef {import("../../clients/typescript/showdown.js").RatingChanged} RatingChanged */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./duels.js").Duels} Duels */

/** @type {Record<string, string>} */
const WHY = {
  left: "You do not wait for an opponent any more.",
  in_duel: "You are in a duel now, and do not wait for another opponent.",
  insufficient_funds: "You do not wait any more: there are not enough coins for that stake.",
};

export class Ladder {
  #connection;
  #duels;
  /** @type {MatchView | null} null: not waiting */
  #waiting = null;
  /** @type {Rating | null} */
  #rating = null;
  /** @type {RatingChanged | null} of the last duel */
  #change = null;
  #asking = false;

  /**
   * @param {Connection} connection
   * @param {Duels} duels
   */
  constructor(connection, duels) {
    this.#connection = connection;
    this.#duels = duels;
    connection.on("match:found", ({ duel }) => this.#found(duel));
    connection.on("match:left", ({ reason }) => this.#left(reason));
    connection.on("rating:changed", (change) => this.#rated(change));
    duels.addEventListener("table", () => this.#showChange());
    byId("find").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#join();
    });
    byId("stop-waiting").addEventListener("click", () => this.#leave());
    byId("waiting-strip").addEventListener("click", () => show("table"));
    every(() => this.#tick());
  }

  /**
   * The connection is new: whether the player waits is told by it.
   *
   * @param {MatchView | null} waiting
   */
  async resume(waiting) {
    this.#wait(waiting);
    await this.#look();
  }

  async #look() {
    try {
      this.#rating = await this.#connection.ask("rating:get");
      this.#showRating();
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure; // it is shown when it is known
    }
  }

  async #join() {
    if (this.#asking) return;
    this.#asking = true;
    const waiting = await attempt(this.#connection.ask("match:join", { stake: Number(byId("find-stake").value) }));
    this.#asking = false;
    if (!waiting || this.#duels.duel?.status === "active") return;
    this.#wait(waiting);
    say("Looking for an opponent.");
    byId("stop-waiting").focus();
  }

  async #leave() {
    if (!(await attempt(this.#connection.ask("match:leave")))) return;
    this.#wait(null);
    byId("find-button").focus();
  }

  /** @param {import("./types.js").DuelView} duel */
  #found(duel) {
    this.#wait(null);
    this.#duels.take(duel);
    const other = this.#duels.other(duel).name;
    toast(`Your opponent is \u2068${other}\u2069.`, { kind: "good" });
    say(`An opponent was found: ${other}.`);
  }

  /** @param {string} reason */
  #left(reason) {
    if (this.#waiting && !this.#asking) toast(WHY[reason] ?? WHY.left);
    this.#wait(null);
  }

  /** @param {MatchView | null} waiting */
  #wait(waiting) {
    this.#waiting = waiting;
    byId("find").hidden = Boolean(waiting);
    byId("waiting").hidden = !waiting;
    byId("waiting-strip").hidden = !waiting;
    if (waiting) byId("waiting-for").textContent = waiting.stake ? `A duel for ${coins(waiting.stake)} each` : "A rated duel";
    this.#tick();
  }

  #tick() {
    if (!this.#waiting) return;
    const { waiting_since: since, estimated_wait: estimate } = this.#waiting;
    const waited = minutes(Math.max(0, Math.floor((now() - since) / 1000)));
    byId("waited").textContent = byId("strip-waited").textContent = waited;
    const usual = estimate === null ? "The longer you wait, the wider the search." : `Others waited about ${spell(estimate / 1000)}.`;
    if (byId("usual").textContent !== usual) byId("usual").textContent = usual;
  }

  // The rating

  /** @param {RatingChanged} change */
  #rated(change) {
    this.#change = change;
    this.#showChange();
    this.#look();
  }

  #showRating() {
    const rating = this.#rating;
    if (!rating) return;
    const games = rating.wins + rating.losses + rating.draws;
    byId("rating").textContent = rating.rating.toLocaleString("en");
    byId("rating-words").textContent = games ? `${rating.wins} won, ${rating.losses} lost${rating.draws ? `, ${rating.draws} drawn` : ""} this season` : "Your first rated duel of this season is ahead";
  }

  #showChange() {
    const change = this.#change;
    const line = byId("rated");
    const duel = this.#duels.duel;
    line.hidden = !change || change.duel_id !== duel?.id;
    if (line.hidden || !change) return;
    const by = change.change > 0 ? `up ${change.change}` : change.change < 0 ? `down ${-change.change}` : "unchanged";
    line.textContent = `Rating ${change.rating.toLocaleString("en")}, ${by}`;
    line.className = change.change < 0 ? "rated down" : "rated";
  }
}
