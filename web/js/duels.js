/**
 * What this page knows of duels: the one on the table, open challenges, and what it has seen
 * of their deals. Says `table` when the duel on the table changed, `challenges`, `round`.
 */

import { Refused } from "./errors.js";
import { attempt, toast } from "./notices.js";

/** @typedef {import("./types.js").DuelView} DuelView */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./verify.js").Witness} Witness */

const WITNESSED = 8; // duels of which the deals are remembered

export class Duels extends EventTarget {
  /** @type {DuelView | null} the one on the table */
  duel = null;
  /** @type {Map<string, DuelView>} open ones, to the player and by him */
  challenges = new Map();
  /** @type {number | null} by when the absent one must be back */
  awayUntil = null;
  me = "";
  #connection;
  #deeds;
  /** @type {Map<string, Witness>} */
  #witnesses = new Map();

  /**
   * @param {Connection} connection
   * @param {import("./deeds.js").Deeds} deeds
   */
  constructor(connection, deeds) {
    super();
    this.#connection = connection;
    this.#deeds = deeds;
    connection.on("duel:challenged", (view) => this.take(view));
    connection.on("duel:state", (view) => this.take(view));
    connection.on("duel:ended", (view) => this.take(view));
    connection.on("duel:round", (round) => {
      if (round.duel_id === this.duel?.id) this.#tell("round", round);
    });
    connection.on("duel:opponent", (news) => {
      if (news.duel_id !== this.duel?.id) return;
      this.awayUntil = news.connected ? null : news.deadline;
      this.#tell("table");
    });
  }

  /** Whether the player fights in a duel.
   * @param {DuelView} duel
   */
  mine(duel) {
    return duel.players.some(({ id }) => id === this.me);
  }

  /** The player of a duel that is not me.
   * @param {DuelView} duel
   */
  other(duel) {
    return duel.players.find(({ id }) => id !== this.me) ?? duel.players[1];
  }

  /** What the page saw of a duel's deal.
   * @param {string} id
   */
  witness(id) {
    return this.#witnesses.get(id);
  }

  /**
   * Show what the server says of a duel, unless it is old news.
   *
   * @param {DuelView} view
   */
  take(view) {
    this.#watchDeal(view);
    if (view.status === "challenged") {
      this.challenges.set(view.id, view);
      return this.#tell("challenges");
    }
    if (this.challenges.delete(view.id)) {
      this.#sayWhatBecame(view);
      this.#tell("challenges");
    }
    const shown = this.duel;
    if (view.status === "active" && this.mine(view) && shown?.id !== view.id) this.#sit(view);
    else if (shown?.id === view.id && view.version >= shown.version) this.#sit(view);
  }

  /** @param {DuelView} view */
  #sit(view) {
    const before = this.duel;
    if (before?.id !== view.id || view.players.every(({ connected }) => connected)) this.awayUntil = null;
    this.duel = view;
    if (before && before.id !== view.id && !this.mine(before) && before.status === "active") {
      attempt(this.#connection.ask("duel:unspectate", { duel_id: before.id }));
    }
    this.#tell("table");
  }

  /** @param {DuelView} view */
  #sayWhatBecame(view) {
    const other = this.other(view).name;
    const byMe = view.players[0].id === this.me;
    if (view.status === "declined" && byMe) toast(`\u2068${other}\u2069 declined your challenge.`);
    if (view.status === "cancelled" && !byMe) toast(`\u2068${other}\u2069 took the challenge back.`);
    if (view.status === "expired") toast(byMe ? `\u2068${other}\u2069 did not answer your challenge.` : "The challenge ran out.");
  }

  /** Remember what can be compared when the seed is shown.
   * @param {DuelView} view
   */
  #watchDeal(view) {
    let witness = this.#witnesses.get(view.id);
    if (!witness) {
      if (view.status === "finished") return;
      const early = view.status === "challenged" || (view.round <= 1 && view.rounds.length === 0);
      witness = { commitment: view.commitment, early, dealt: new Map() };
      this.#witnesses.set(view.id, witness);
      const [oldest] = this.#witnesses.keys();
      if (this.#witnesses.size > WITNESSED) this.#witnesses.delete(oldest);
    }
    if (view.you && !view.you.played && !witness.dealt.has(view.round)) witness.dealt.set(view.round, view.you.hand);
  }

  /**
   * The session was taken up anew: ask about everything that is shown.
   *
   * @param {DuelView | null} current what the server says the player has to do with
   */
  async resume(current) {
    if (current) this.take(current);
    for (const id of [...this.challenges.keys()]) if (id !== current?.id) await this.#look(id, () => this.challenges.delete(id));
    const shown = this.duel;
    if (shown?.status !== "active" || shown.id === current?.id) return;
    if (this.mine(shown)) await this.#look(shown.id, () => this.leave());
    else await this.watch(shown.id);
    this.#tell("challenges");
  }

  /**
   * @param {string} id
   * @param {() => void} gone
   */
  async #look(id, gone) {
    try {
      this.take((await this.#connection.ask("duel:get", { duel_id: id })).duel);
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure;
      if (failure.code === "not_found") gone();
    }
  }

  /**
   * @param {string} playerId
   * @param {number} [stake] coins of each
   * @returns {Promise<boolean>} whether the challenge was made
   */
  async challenge(playerId, stake = 0) {
    const answer = await attempt(this.#deeds.ask("duel:challenge", { opponent_id: playerId, stake }));
    if (answer) this.take(answer.duel);
    return Boolean(answer);
  }

  /**
   * @param {"accept" | "decline" | "cancel" | "forfeit"} what
   * @param {string} id
   */
  async answer(what, id) {
    const answer = await attempt(this.#connection.ask(`duel:${what}`, { duel_id: id }));
    if (answer) this.take(answer.duel);
    else if (this.#connection.online && this.challenges.has(id)) {
      await this.#look(id, () => this.challenges.delete(id)); // it is not as we show it
      this.#tell("challenges");
    }
  }

  /** @param {number[]} hold */
  async play(hold) {
    const duel = this.duel;
    if (!duel) return;
    const answer = await attempt(this.#connection.ask("duel:play", { duel_id: duel.id, round: duel.round, hold }));
    if (answer) this.take(answer.duel);
    else if (this.#connection.online) await this.#look(duel.id, () => this.leave());
  }

  /**
   * Look on, or read a duel that is over.
   *
   * @param {string} id
   */
  async watch(id) {
    try {
      this.#sit((await this.#connection.ask("duel:spectate", { duel_id: id })).duel);
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure;
      if (failure.code !== "duel_over" && failure.code !== "conflict") return void (await attempt(Promise.reject(failure)));
      const answer = await attempt(this.#connection.ask("duel:get", { duel_id: id }));
      if (answer) this.#sit(answer.duel);
    }
  }

  /** Leave the table; a duel that one fights in goes on. */
  leave() {
    const left = this.duel;
    this.duel = null;
    if (left?.status === "active" && !this.mine(left)) {
      attempt(this.#connection.ask("duel:unspectate", { duel_id: left.id }));
    }
    this.#tell("table");
  }

  /**
   * @param {string} type
   * @param {any} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
