/** Who won, and why, in sentences. */

import { coins } from "./errors.js";

/** @typedef {import("./types.js").DuelView} DuelView */
/** @typedef {import("./types.js").Round} Round */

/**
 * @param {DuelView} duel
 * @param {Round} round
 * @param {string} me the player's id
 */
export function roundTitle(duel, round, me) {
  if (!round.winner_id) return "Equal hands";
  if (round.winner_id === me) return "You take the round";
  return `${isolated(duel, round.winner_id)} takes the round`;
}

/**
 * @param {DuelView} duel
 * @param {string} me
 */
export function resultTitle(duel, me) {
  if (!duel.winner_id) return duel.end_reason === "draw" ? "A draw" : "Nobody wins";
  return duel.winner_id === me ? "You win the duel" : `${isolated(duel, duel.winner_id)} wins the duel`;
}

/**
 * @param {DuelView} duel
 * @param {string} me
 */
export function reason(duel, me) {
  const loser = duel.players.find(({ id }) => id !== duel.winner_id);
  const who = loser?.id === me ? "You" : isolated(duel, loser?.id ?? "");
  const [first, second] = duel.players;
  const [left, right] = second.id === me ? [second, first] : [first, second];
  switch (duel.end_reason) {
    case "forfeit":
      return `${who} resigned, or stayed away for too long.`;
    case "timeout":
      return duel.winner_id ? `${who} left two rounds unanswered.` : "Both left two rounds unanswered.";
    case "abandoned":
      return "Both were away for too long.";
    default:
      return `${left.score} to ${right.score} after ${duel.rounds.length} rounds.`;
  }
}

/** What became of the stakes; "" without any.
 * @param {DuelView} duel
 * @param {string} me
 */
export function payout(duel, me) {
  if (!duel.stake) return "";
  if (!duel.winner_id) return ` Both stakes of ${coins(duel.stake)} go back.`;
  if (duel.winner_id === me) return ` The pot of ${coins(2 * duel.stake)} is yours.`;
  return ` The pot of ${coins(2 * duel.stake)} goes to ${isolated(duel, duel.winner_id)}.`;
}

/** A name inside a text, kept from turning it.
 * @param {DuelView} duel
 * @param {string} id
 */
const isolated = (duel, id) => `\u2068${duel.players.find((one) => one.id === id)?.name ?? "?"}\u2069`;
