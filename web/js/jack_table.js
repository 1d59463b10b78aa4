/** The blackjack table: chips and bet, the dealer and the hands, moves by click and by key. */

import { back, cardName, face } from "./cards.js";
import { button, byId, el } from "./dom.js";
import { coins } from "./errors.js";
import { proofOf } from "./jack_proof.js";
import { say } from "./notices.js";
import { dotOf, inSight } from "./views.js";

/** @typedef {import("./types.js").Game} Game */
/** @typedef {import("./types.js").JackHand} JackHand */
/** @typedef {import("./blackjack.js").Blackjack} Blackjack */
/** @typedef {import("./blackjack.js").Move} Move */

const CHIPS = [10, 50, 100, 500];
/** @type {[Move, string, string][]} move, words, key */
const MOVES = [["hit", "Hit", "h"], ["stand", "Stand", "s"], ["double", "Double", "d"], ["split", "Split", "p"]];
/** @type {Record<string, string>} */
const OUTCOMES = { blackjack: "Blackjack", win: "Won", push: "Push", lose: "Lost", bust: "Bust" };

export class JackTable {
  #jack;
  #purse;
  #spoken = "";
  /** @type {Map<string, HTMLButtonElement>} */
  #buttons = new Map();
  #dot;

  /**
   * @param {Blackjack} jack
   * @param {import("./purse.js").Purse} purse
   */
  constructor(jack, purse) {
    this.#jack = jack;
    this.#purse = purse;
    this.#wire();
    this.#dot = dotOf("blackjack", () => jack.open);
    jack.addEventListener("game", () => this.#render());
    purse.addEventListener("changed", () => this.#controls());
    document.addEventListener("keydown", (event) => this.#key(event));
    this.#render();
  }

  #wire() {
    const bet = byId("bet-amount");
    byId("chips").append(...CHIPS.map((value) => button(value.toLocaleString("en"), () => this.#add(value), { class: `chip c${value}`, "aria-label": `Add ${value} to the bet` })));
    byId("clear-bet").addEventListener("click", () => ((bet.value = ""), bet.focus()));
    byId("bet").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#jack.start(Number(bet.value));
    });
    for (const [move, words, key] of MOVES) this.#button(move, words, key, () => this.#jack.play(move));
    this.#button("insure", "Insure", "y", () => this.#jack.insure(true));
    this.#button("decline", "No insurance", "n", () => this.#jack.insure(false));
    byId("jack-actions").append(...this.#buttons.values());
  }

  /**
   * @param {string} name
   * @param {string} words
   * @param {string} key
   * @param {() => void} act
   */
  #button(name, words, key, act) {
    const golden = name === "hit" || name === "insure";
    this.#buttons.set(name, button(words, act, { id: `jack-${name}`, "aria-keyshortcuts": key, class: golden ? "gold" : "on-felt" }));
  }

  /** @param {number} value */
  #add(value) {
    const bet = byId("bet-amount");
    bet.value = String((Number(bet.value) || 0) + value);
  }

  // What is drawn

  #render() {
    const game = this.#jack.game;
    byId("blackjack").classList.toggle("busy", Boolean(game));
    this.#dealer(game);
    this.#hands(game);
    byId("jack-headline").textContent = game ? headline(game) : "Place your bet";
    byId("jack-subline").textContent = game ? subline(game) : "Come closer to 21 than the dealer, and not above it.";
    this.#controls();
    proofOf(game, this.#jack.witnessed);
    this.#announce(game);
    this.#dot();
  }

  /** @param {Game | null} game */
  #dealer(game) {
    const cards = game ? [...game.dealer.cards, ...(game.dealer.cards.length < 2 ? [null] : [])] : [];
    byId("dealer-hand").replaceChildren(...laid(byId("dealer-hand"), game, cards));
    byId("dealer-plate").textContent = game ? `Dealer ${game.dealer.cards.length < 2 ? "shows " : ""}${game.dealer.total}` : "Dealer";
  }

  /** @param {Game | null} game */
  #hands(game) {
    const place = byId("jack-hands");
    if (!game) return place.replaceChildren(el("div", { class: "hand" }, ...laid(null, null, [])));
    const { hands } = game;
    const rows = hands.map((hand, i) => {
      const cards = el("div", { class: "hand", role: "group", "aria-label": hands.length > 1 ? `Your hand ${i + 1}` : "Your cards" });
      const before = /** @type {HTMLElement | null} */ (place.children[i]?.querySelector(".hand"));
      cards.append(...laid(before, game, hand.cards));
      const turn = this.#jack.open && game.turn === i && hands.length > 1;
      const classes = ["jack-hand", turn && "turn", hand.outcome].filter(Boolean).join(" ");
      return el("div", { class: classes }, cards, plate(hand));
    });
    place.replaceChildren(...rows);
    place.classList.toggle("many", hands.length > 1);
  }

  #controls() {
    const { game, open, busy } = this.#jack;
    const insuring = game?.status === "insurance";
    const focused = document.activeElement;
    for (const [move] of MOVES) this.#show(move, Boolean(open && !insuring && game?.can.includes(move)));
    this.#show("insure", insuring);
    this.#show("decline", insuring);
    const insure = this.#buttons.get("insure");
    if (insure && game) insure.textContent = `Insure for ${coins(Math.floor(game.bet / 2))}`;
    for (const one of this.#buttons.values()) one.classList.toggle("waiting", busy);
    const dear = this.#purse.balance !== null && game && this.#purse.balance < game.bet;
    for (const name of ["double", "split"]) /** @type {HTMLButtonElement} */ (this.#buttons.get(name)).disabled = Boolean(dear);
    byId("jack-actions").hidden = !open;
    byId("bet").hidden = open;
    const lost = focused && focused !== document.body && byId("blackjack").contains(focused) && !(/** @type {HTMLElement} */ (focused).offsetParent);
    if (lost) (open ? byId("jack-hands") : byId("bet-amount")).focus({ preventScroll: true });
  }

  /**
   * @param {string} name
   * @param {boolean} yes
   */
  #show(name, yes) {
    /** @type {HTMLButtonElement} */ (this.#buttons.get(name)).hidden = !yes;
  }

  /** @param {Game | null} game */
  #announce(game) {
    const key = game ? `${game.id} ${game.version}` : "";
    if (!game || key === this.#spoken) return;
    const first = !this.#spoken;
    this.#spoken = key;
    if (first && !inSight("blackjack")) return;
    const mine = game.hands.map(({ cards, total }) => `${cards.map(cardName).join(", ")}: ${total}`).join(". ");
    say(`${headline(game)}. Your cards: ${mine}. The dealer shows ${game.dealer.cards.map(cardName).join(", ")}.`);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!inSight("blackjack") || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const at = /** @type {HTMLElement} */ (event.target);
    if (at.closest("input, textarea, select, dialog, [role=tablist], [popover]") || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && !this.#jack.open && !at.closest("button, a, summary")) {
      event.preventDefault();
      return byId("bet").requestSubmit();
    }
    const pressed = event.key.toLowerCase();
    for (const one of this.#buttons.values()) {
      if (one.getAttribute("aria-keyshortcuts") !== pressed || one.hidden || one.disabled) continue;
      event.preventDefault();
      return one.click();
    }
  }
}

/**
 * Cards in a row; those that lay there before stay without being dealt again.
 *
 * @param {HTMLElement | null} place where they lay
 * @param {Game | null} game
 * @param {(string | null)[]} cards null: face down
 */
function laid(place, game, cards) {
  if (!game) return [0, 1].map(() => el("span", { class: "card slot", "aria-hidden": "true" }));
  let late = 0;
  return cards.map((card, i) => {
    const before = /** @type {HTMLElement | undefined} */ (place?.children[i])?.dataset;
    const shown = card ?? "back";
    const fresh = before?.card !== shown || before?.game !== game?.id;
    const data = { "data-card": shown, "data-game": game?.id, class: `card${fresh ? ` fresh d${Math.min(4, late++)}` : ""}` };
    if (!card) return el("span", { ...data, role: "img", "aria-label": "a card face down" }, back());
    return el("span", { ...data, role: "img", "aria-label": cardName(card) }, face(card));
  });
}

/** @param {JackHand} hand */
function plate({ total, soft, bet, outcome, paid }) {
  const said = outcome ? `${OUTCOMES[outcome]}${paid ? ` · ${coins(paid)}` : ""}` : "";
  return el("p", { class: "plate" },
    el("b", { text: soft && total < 21 ? `${total - 10} or ${total}` : total }),
    el("span", { class: "stake", text: `bet ${bet.toLocaleString("en")}` }),
    said && el("span", { class: "outcome", text: said }),
  );
}

/** @param {Game} game */
function headline({ status, hands, turn, staked, payout = 0 }) {
  if (status === "insurance") return "The dealer shows an ace";
  if (status === "playing") return hands.length > 1 ? `Hand ${turn + 1} of ${hands.length}` : "Your move";
  if (status === "refunded") return "The bets are back";
  if (hands.length === 1 && hands[0].outcome === "blackjack") return `Blackjack! You win ${coins(payout - staked)}`;
  if (payout > staked) return `You win ${coins(payout - staked)}`;
  return payout === staked ? "A push" : hands.every(({ outcome }) => outcome === "bust") ? "Bust" : "The dealer wins";
}

/** @param {Game} game */
function subline({ status, bet, staked, insurance, payout = 0 }) {
  if (status === "insurance") return `Insure your bet of ${coins(bet)} against a blackjack?`;
  if (status === "playing") return `${coins(staked)} on the table`;
  if (status === "refunded") return "Nobody went on with this game for too long.";
  const insured = insurance ? `, ${coins(insurance)} of it insurance` : "";
  if (!payout) return `Your ${coins(staked)}${insured} stay with the house.`;
  if (payout === staked) return `Your ${coins(staked)}${insured} are back.`;
  return `You put in ${coins(staked)}${insured}, and got back ${coins(payout)}.`;
}
