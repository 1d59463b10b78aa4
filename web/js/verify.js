/**
 * Deal a finished duel again from its seed, as docs/duels.md describes it, and compare.
 */

import { RANKS, SUITS } from "./cards.js";

/** @typedef {import("./types.js").DuelView} DuelView */
/** @typedef {{commitment: string, early: boolean, dealt: Map<number, string[]>}} Witness
 *   What this page saw itself: the commitment, whether before the first card was played, and
 *   the five cards that it was dealt in each round. */
/** @typedef {{ok: boolean, committed: boolean, sameCommitment: boolean, early: boolean,
 *   digest: string, rounds: {round: number, ok: boolean, mine: boolean | null}[]}} Verdict */

/** Whether this browser can do it: only on HTTPS and on this very machine. */
export const canVerify = () => Boolean(globalThis.crypto?.subtle);

/** @param {string} text */
export async function sha256(text) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** @param {Uint8Array} bytes */
export const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * The 52 cards of a round in the order in which they are dealt.
 *
 * @param {string} seed
 * @param {number} round
 */
export async function deck(seed, round) {
  const cards = [...SUITS].flatMap((suit) => [...RANKS].map((rank) => rank + suit));
  /** @type {number[]} */
  let bytes = [];
  let block = 0;
  for (let i = 51; i > 0; i--) {
    const favoured = 256 - (256 % (i + 1));
    let byte;
    do {
      if (bytes.length === 0) bytes = [...(await sha256(`${seed}:${round}:${block++}`))];
      byte = /** @type {number} */ (bytes.shift());
    } while (byte >= favoured);
    const pick = byte % (i + 1);
    [cards[i], cards[pick]] = [cards[pick], cards[i]];
  }
  return cards;
}

/**
 * @param {DuelView} duel finished
 * @param {Witness | undefined} witness
 * @param {string} me the player's id
 * @returns {Promise<Verdict>}
 */
export async function verify(duel, witness, me) {
  const seed = /** @type {string} */ (duel.seed);
  const digest = hex(await sha256(seed));
  const seat = duel.players.findIndex(({ id }) => id === me);
  const rounds = [];
  for (const { round, hands } of duel.rounds) {
    const cards = await deck(seed, round);
    const ok = duel.players.every(({ id }, place) => drawnFrom(cards, place, hands[id]));
    const dealt = witness?.dealt.get(round);
    const mine = dealt && seat >= 0 ? dealt.every((card, i) => card === cards[5 * seat + i]) : null;
    rounds.push({ round, ok, mine });
  }
  const committed = digest === duel.commitment;
  const sameCommitment = !witness || witness.commitment === duel.commitment;
  const ok = committed && sameCommitment && rounds.every((one) => one.ok && one.mine !== false);
  return { ok, committed, sameCommitment, early: witness?.early ?? false, digest, rounds };
}

/** Each card is the one that was dealt to that place, or else the next replacement.
 * @param {string[]} cards
 * @param {number} seat
 * @param {string[]} hand
 */
function drawnFrom(cards, seat, hand) {
  let next = 10 + 5 * seat;
  return hand.every((card, i) => card === cards[5 * seat + i] || card === cards[next++]);
}
