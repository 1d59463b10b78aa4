/**
 * Requests that must happen once: each has a key of its own, and is sent again with it when its
 * answer was lost, also after the connection was. The server gives the first answer again.
 */

import { randomKey } from "./dom.js";
import { Refused } from "./errors.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./types.js").Asked} Asked */
/**
 * @template {keyof Asked} E
 * @typedef {import("./types.js").Body<E>} Body
 */
/**
 * @template {keyof Asked} E
 * @typedef {import("./types.js").Answer<E>} Answer
 */

const PATIENCE_MS = 90_000; // within which a crashed server is back, or a person gives up
const PAUSE_MS = 700;
/** After these nobody knows whether it was done. */
const UNSURE = new Set(["offline", "timeout", "internal", "dependency_unavailable", "stale_version", "draining"]);

export class Deeds {
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /**
   * Ask for something that must happen once.
   *
   * @template {keyof Asked} E
   * @param {E} event
   * @param {Omit<Body<E>, "key">} body without its key
   * @returns {Promise<Answer<E>>}
   */
  async ask(event, body) {
    if (!this.#connection.online) throw new Refused({ code: "offline" }); // nothing was sent
    const keyed = /** @type {Body<E>} */ (/** @type {unknown} */ ({ ...body, key: randomKey() }));
    for (const until = Date.now() + PATIENCE_MS; ; ) {
      try {
        return await this.#connection.ask(event, keyed);
      } catch (failure) {
        const unsure = failure instanceof Refused && UNSURE.has(failure.code);
        if (!unsure || Date.now() > until) throw failure;
      }
      await this.#ready(until);
    }
  }

  /** Wait a little, and until there is a connection.
   * @param {number} until
   */
  async #ready(until) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (this.#connection.online) return;
    await new Promise((resolve) => {
      this.#connection.addEventListener("ready", resolve, { once: true });
      setTimeout(resolve, Math.max(0, until - Date.now()));
    });
  }
}
