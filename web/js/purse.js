/** What the player has: live, in the bar at the top. Says `changed`, with what changed it if known. */

import { byId } from "./dom.js";
import { coins } from "./errors.js";
import { attempt, toast } from "./notices.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./types.js").WalletChanged} WalletChanged */

const CLOSE_MS = 1_000; // two changes so close may have come in another order
const FLASH_MS = 900;

/** @type {Record<string, (amount: string, ref: string) => string>} of what others cause */
const TOLD = {
  transfer: (amount, note) => `You were given ${amount}${note ? `: \u2068${note}\u2069` : "."}`,
  stake_paid: (amount) => `The pot is yours: ${amount}.`,
  stake_returned: (amount) => `Your stake of ${amount} is back.`,
  blackjack_refund: (amount) => `A game of blackjack was left alone: ${amount} are back.`,
  purchase: (amount) => `${amount} were added to your wallet.`,
};

export class Purse extends EventTarget {
  /** @type {number | null} null until the server has said it */
  balance = null;
  #connection;
  #last = { id: "", at: 0 };
  #timer = 0;

  /** @param {Connection} connection */
  constructor(connection) {
    super();
    this.#connection = connection;
    connection.on("wallet:changed", (change) => this.#changed(change));
  }

  /** Ask how much there is: after a new connection, and when changes came too close. */
  async look() {
    const answer = await attempt(this.#connection.ask("wallet:get"));
    if (answer) this.#set(answer.balance);
  }

  /** @param {WalletChanged} change */
  #changed(change) {
    if (change.id === this.#last.id) return; // told twice after a crash
    clearTimeout(this.#timer);
    if (change.at - this.#last.at < CLOSE_MS) this.#timer = setTimeout(() => this.look(), CLOSE_MS);
    if (change.at >= this.#last.at) {
      this.#last = change;
      this.#set(change.balance, change);
    }
    const told = change.amount > 0 && TOLD[change.reason];
    if (told) toast(told(coins(change.amount), change.ref), { kind: "good" });
  }

  /**
   * @param {number} balance
   * @param {WalletChanged} [change]
   */
  #set(balance, change) {
    const before = this.balance;
    this.balance = balance;
    for (const id of ["balance", "sum"]) byId(id).textContent = balance.toLocaleString("en");
    if (before !== null && before !== balance) flash(balance > before ? "up" : "down");
    this.dispatchEvent(new CustomEvent("changed", { detail: change }));
  }
}

/** @param {"up" | "down"} way */
function flash(way) {
  const purse = byId("purse");
  purse.dataset.flash = way;
  setTimeout(() => delete purse.dataset.flash, FLASH_MS);
}
