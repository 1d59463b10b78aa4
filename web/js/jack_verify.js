/** Deal a finished game of blackjack again from its seed, as game/blackjack.py describes it. */

import { RANKS, SUITS } from "./cards.js";
import { hex, sha256 } from "./verify.js";

/** @typedef {import("./types.js").Game} Game */

const DECKS = 6;
const HANDS = 4;
const USED = 64; // more cards than any game can use

/**
 * The first cards of the shoe.
 *
 * @param {string} seed
 * @param {number} [count]
 */
export async function shoe(seed, count = USED) {
  const deck = [...SUITS].flatMap((suit) => [...RANKS].map((rank) => rank + suit));
  const cards = Array(DECKS).fill(deck).flat();
  /** @type {number[]} */
  let bytes = [];
  let block = 0;
  const number = async () => {
    if (!bytes.length) bytes = [...(await sha256(`${seed}:shoe:${block++}`))];
    const [high, low] = bytes.splice(0, 2);
    return 256 * high + low;
  };
  for (let i = 0; i < count; i++) {
    const left = cards.length - i;
    let n;
    do n = await number();
    while (n >= 65_536 - (65_536 % left));
    const pick = i + (n % left);
    [cards[i], cards[pick]] = [cards[pick], cards[i]];
  }
  return /** @type {string[]} */ (cards.slice(0, count));
}

/**
 * @param {Game} game finished
 * @param {string} commitment as the page saw it when the game began, "" if it did not
 * @returns {Promise<{ok: boolean, committed: boolean, same: boolean, dealt: boolean, seen: boolean}>}
 */
export async function verifyJack(game, commitment) {
  const seed = game.seed ?? "";
  const committed = hex(await sha256(seed)) === game.commitment;
  const same = !commitment || commitment === game.commitment;
  const dealt = comesFrom(await shoe(seed), game);
  return { ok: committed && same && dealt, committed, same, dealt, seen: Boolean(commitment) };
}

/** Whether some way to play these hands takes exactly the cards of the shoe, in their order.
 * @param {string[]} cards
 * @param {Game} game
 */
function comesFrom(cards, { hands, dealer }) {
  const ended = hands.map((hand) => hand.cards);
  if (dealer.cards[0] !== cards[1] || dealer.cards[1] !== cards[3]) return false;
  return follows([[cards[0], cards[2]]], 0, 4);

  /**
   * @param {string[][]} now the hands before hand `turn` goes on
   * @param {number} turn
   * @param {number} drawn
   * @returns {boolean}
   */
  function follows(now, turn, drawn) {
    if (turn === now.length) return now.length === ended.length && alike(dealer.cards.slice(2), drawn);
    const [one, two] = now[turn];
    const end = ended[turn] ?? [];
    const played = end[0] === one && end[1] === two && alike(end.slice(2), drawn);
    if (played && follows(now, turn + 1, drawn + end.length - 2)) return true;
    if (value(one) !== value(two) || now.length === HANDS) return false;
    const split = [[one, cards[drawn]], [two, cards[drawn + 1]]];
    return follows([...now.slice(0, turn), ...split, ...now.slice(turn + 1)], turn, drawn + 2);
  }

  /**
   * @param {string[]} some
   * @param {number} from
   */
  function alike(some, from) {
    return some.every((card, i) => card === cards[from + i]);
  }
}

/** @param {string} card 10 for a picture */
const value = ([rank]) => ("TJQK".includes(rank) ? "10" : rank);
