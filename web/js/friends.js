/**
 * Friends, requests and blocks, as the server has them. Says `changed`; `blocks` when others
 * are blocked than before; `parted` with the id of who is not watched any more.
 */

import { Refused } from "./errors.js";
import { attempt, say, toast } from "./notices.js";

/** @typedef {import("../../clients/typescript/showdown.js").Friend} Friend */
/** @typedef {import("./types.js").Presence} Presence */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {"add" | "accept" | "remove" | "block" | "unblock"} Change */

export class Friends extends EventTarget {
  /** @type {Map<string, Friend>} in the server's order */
  all = new Map();
  #connection;
  #blocked = "";

  /** @param {Connection} connection */
  constructor(connection) {
    super();
    this.#connection = connection;
    connection.on("friends:changed", ({ player_id: id, friend }) => this.#heard(id, friend));
    connection.on("presence:changed", ({ presence }) => this.#seen(presence));
  }

  /** @param {string} id
   * @returns {Friend["state"] | ""} what the player is to us
   */
  state(id) {
    return this.all.get(id)?.state ?? "";
  }

  /** @param {Friend["state"]} state */
  those(state) {
    return [...this.all.values()].filter((one) => one.state === state);
  }

  /** The connection is new: ask for all, and watch those who are friends. */
  async resume() {
    try {
      this.#take((await this.#connection.ask("friends:list")).friends);
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure; // the next connection may succeed
    }
  }

  /**
   * @param {Change} what
   * @param {string} id
   * @returns {Promise<boolean>} whether it was done
   */
  async change(what, id) {
    const answer = await attempt(this.#connection.ask(`friends:${what}`, { player_id: id }));
    if (!answer) return false;
    this.#take(answer.friends);
    if (what === "remove" || what === "block") this.dispatchEvent(new CustomEvent("parted", { detail: id }));
    return true;
  }

  /** @param {Friend[]} friends */
  #take(friends) {
    this.all = new Map(friends.map((one) => [one.id, one]));
    this.#tell();
  }

  /**
   * @param {string} id
   * @param {Friend | null} friend
   */
  #heard(id, friend) {
    const before = this.state(id);
    if (friend) this.all.set(id, friend);
    else this.all.delete(id);
    this.#tell();
    if (!friend || friend.state === before) return;
    const name = `\u2068${friend.name}\u2069`;
    if (friend.state === "incoming") toast(`${name} wants to be your friend.`);
    if (friend.state === "friend" && before === "outgoing") toast(`${name} is your friend now.`, { kind: "good" });
    if (friend.state === "friend") this.#watch(id);
  }

  /** @param {string} id */
  async #watch(id) {
    try {
      this.#seen((await this.#connection.ask("presence:watch", { player_ids: [id] })).presence);
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure; // so many are watched: he is shown as he was
    }
  }

  /** @param {Record<string, Presence>} presence */
  #seen(presence) {
    let changed = false;
    for (const [id, one] of Object.entries(presence)) {
      const friend = this.all.get(id);
      if (friend?.state !== "friend") continue;
      if (friend.presence?.status === "offline" && one.status !== "offline") say(`${friend.name} is here.`);
      this.all.set(id, { ...friend, presence: /** @type {Friend["presence"]} */ (one) });
      changed = true;
    }
    if (changed) this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("changed"));
    const blocked = this.those("blocked").map(({ id }) => id).join();
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    this.dispatchEvent(new Event("blocks"));
  }
}
