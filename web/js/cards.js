/** Playing cards, drawn: pips where they are on a real card, framed courts, a latticed back. */

import { el, svg } from "./dom.js";

export const RANKS = "23456789TJQKA";
export const SUITS = "CDHS";
/** @type {Record<string, string>} */
const RANK_NAMES = { T: "10", J: "jack", Q: "queen", K: "king", A: "ace" };
/** @type {Record<string, string>} */
const SUIT_NAMES = { C: "clubs", D: "diamonds", H: "hearts", S: "spades" };

const [LEFT, MIDDLE, RIGHT] = [36, 50, 64];
const [TOP, UPPER, HALF, LOWER, BOTTOM] = [30, 56.7, 70, 83.3, 110];
const FOUR = [[LEFT, TOP], [RIGHT, TOP], [LEFT, BOTTOM], [RIGHT, BOTTOM]];
const SIX = [...FOUR, [LEFT, HALF], [RIGHT, HALF]];
const EIGHT = [...FOUR, [LEFT, UPPER], [RIGHT, UPPER], [LEFT, LOWER], [RIGHT, LOWER]];
/** @type {Record<string, number[][]>} Where the pips are, in a card of 100 by 140. */
const PIPS = {
  2: [[MIDDLE, TOP], [MIDDLE, BOTTOM]],
  3: [[MIDDLE, TOP], [MIDDLE, HALF], [MIDDLE, BOTTOM]],
  4: FOUR,
  5: [...FOUR, [MIDDLE, HALF]],
  6: SIX,
  7: [...SIX, [MIDDLE, 50]],
  8: [...SIX, [MIDDLE, 50], [MIDDLE, 90]],
  9: [...EIGHT, [MIDDLE, HALF]],
  T: [...EIGHT, [MIDDLE, 43], [MIDDLE, 97]],
};

/**
 * "AS" as a person says it: "ace of spades".
 *
 * @param {string} card
 */
export function cardName(card) {
  const [rank, suit] = card;
  const spoken = RANK_NAMES[rank] ?? rank;
  return `${spoken} of ${SUIT_NAMES[suit]}`;
}

/** @param {string} rank "two_pair" as a person reads it */
export const rankName = (rank) => rank.replaceAll("_", " ");

/**
 * The face of a card; what it is has to be said by whatever holds it.
 *
 * @param {string} card
 */
export function face(card) {
  const [rank, suit] = card;
  const red = suit === "D" || suit === "H";
  return svg(
    "svg",
    { viewBox: "0 0 100 140", class: `face ${red ? "red" : "black"}`, "aria-hidden": "true" },
    svg("rect", { class: "paper", x: 0.5, y: 0.5, width: 99, height: 139, rx: 8 }),
    ...corners(rank, suit),
    ...middle(rank, suit),
  );
}

/** The back of a card. */
export function back() {
  return svg(
    "svg",
    { viewBox: "0 0 100 140", class: "face back", "aria-hidden": "true" },
    svg("rect", { class: "paper", x: 0.5, y: 0.5, width: 99, height: 139, rx: 8 }),
    svg("rect", { class: "ground", x: 6, y: 6, width: 88, height: 128, rx: 5 }),
    svg("rect", { class: "lattice", x: 6, y: 6, width: 88, height: 128, rx: 5, fill: "url(#lattice)" }),
    svg("path", { class: "seal", d: "M50 44 70 70 50 96 30 70Z" }),
    pip("S", 50, 70, 20),
  );
}

/**
 * A row of small cards, named for screen readers.
 *
 * @param {string[]} hand
 */
export const smallHand = (hand) =>
  el("span", { class: "small-hand", role: "img", "aria-label": hand.map(cardName).join(", ") }, ...hand.map(face));

/**
 * @param {string} suit
 * @param {number} x of the middle
 * @param {number} y of the middle
 * @param {number} size
 */
const pip = (suit, x, y, size) =>
  svg("use", { href: `#suit-${suit}`, x: x - size / 2, y: y - size / 2, width: size, height: size });

/** The index in two corners, the other one upside down.
 * @param {string} rank
 * @param {string} suit
 */
const corners = (rank, suit) =>
  [0, 180].map((turn) =>
    svg(
      "g",
      { transform: `rotate(${turn} 50 70)` },
      svg("text", { x: 14, y: 25, class: rank === "T" ? "index ten" : "index", text: rank === "T" ? "10" : rank }),
      pip(suit, 14, 37, 13),
    ),
  );

/**
 * @param {string} rank
 * @param {string} suit
 */
function middle(rank, suit) {
  if (rank === "A") return [pip(suit, 50, 70, 46)];
  if ("JQK".includes(rank)) return court(rank, suit);
  return PIPS[rank].map(([x, y]) => {
    const one = pip(suit, x, y, "9T".includes(rank) ? 15 : 17);
    if (y > HALF) one.setAttribute("transform", `rotate(180 ${x} ${y})`);
    return one;
  });
}

/** @type {Record<string, string>} */
const CROWNS = {
  J: "M-13 6 -15 -4 -5 0 0 -7 5 0 15 -4 13 6Z",
  Q: "M-14 6 -16 -5 -8 0 0 -9 8 0 16 -5 14 6Z",
  K: "M-15 7 -15 -8 -8 -1 -4 -8 0 -12 4 -8 8 -1 15 -8 15 7Z",
};

/** A framed panel, halved along its diagonal, each half the other one upside down.
 * @param {string} rank
 * @param {string} suit
 */
function court(rank, suit) {
  const halves = [0, 180].map((turn) =>
    svg(
      "g",
      { transform: `rotate(${turn} 50 70)` },
      svg("path", { class: "robe", d: "M27 70 27 20 73 20 73 70Z" }),
      svg("path", { class: "stripe", d: "M27 70 73 34 73 44 40 70Z" }),
      svg("path", { class: "crown", transform: "translate(54.5 35) scale(0.82)", d: CROWNS[rank] }),
      svg("text", { x: 50, y: 64, class: "letter", text: rank }),
      pip(suit, 34, 28, 10),
    ),
  );
  return [...halves, svg("rect", { class: "frame", x: 27, y: 20, width: 46, height: 100, rx: 2 })];
}
