/** Why a wallet changed, in sentences. */

import { el, nameOf } from "./dom.js";

/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./names.js").Names} Names */
/** @typedef {(string | Node)[]} Words */

/** @type {Record<string, string>} the icon of what it was about */
const ICONS = {
  start: "star", transfer: "gift", shop_buy: "bag", shop_sell: "bag", rob: "mask",
  stake: "duel", stake_paid: "duel", stake_returned: "duel",
  blackjack_bet: "cards", blackjack_end: "cards", blackjack_refund: "cards",
};

/** @type {Record<string, (entry: Entry, who: Node, me: string) => Words>} */
const SENTENCES = {
  start: () => ["Your first coins"],
  transfer: ({ amount, ref }, who) => [...(amount < 0 ? ["You gave coins to ", who] : [who, " gave you coins"]), ...note(ref)],
  shop_buy: ({ ref }) => [`You bought ${goods(ref)}`],
  shop_sell: ({ ref }) => [`You sold ${goods(ref)}`],
  rob: robbery,
  stake: (_, who) => ["Your stake of a duel with ", who],
  stake_paid: () => ["You won the pot of a duel"],
  stake_returned: () => ["Your stake of a duel, given back"],
  blackjack_bet: () => ["A bet at blackjack"],
  blackjack_end: ({ amount }) => [amount ? "Blackjack paid" : "Blackjack kept your bet"],
  blackjack_refund: () => ["A game of blackjack that was left alone, given back"],
  purchase: () => ["Coins for money"],
  refund: () => ["Coins taken back: your money went back to you"],
};

/** @param {string} reason */
export const iconOf = (reason) => ICONS[reason] ?? "coin";

/**
 * @param {Entry} entry
 * @param {Names} names
 * @param {string} me
 * @returns {Words}
 */
export function words(entry, names, me) {
  const who = nameOf(names.of(entry.players[0] ?? ""));
  const say = SENTENCES[entry.reason];
  return say ? say(entry, who, me) : [readable(entry.reason)];
}

/**
 * @param {Entry} entry
 * @param {Node} who
 * @param {string} me
 * @returns {Words}
 */
function robbery({ amount, ref }, who, me) {
  if (ref === me) return amount < 0 ? [who, " robbed you"] : [who, " tried to rob you, was caught, and paid"];
  return amount < 0 ? ["You tried to rob ", who, ", were caught, and paid"] : ["You robbed ", who];
}

/** @param {string} text */
const note = (text) => (text ? [el("q", { class: "note", dir: "auto", text })] : []);

/** @param {string} ref "golden-deck*2" */
function goods(ref) {
  const [id, count] = ref.split("*");
  return Number(count) > 1 ? `${count} × ${readable(id)}` : readable(id);
}

/** "golden-deck" as a person reads it.
 * @param {string} id
 */
export const readable = (id) => `${id.slice(0, 1).toUpperCase()}${id.slice(1).replaceAll(/[-_]/g, " ")}`;
