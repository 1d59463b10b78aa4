/** The felt: two hands, the clock, the showdown, the result; or an invitation to play. */

import { back, cardName, face, rankName } from "./cards.js";
import { every, minutes, now, secondsTo } from "./clock.js";
import { byId, el, nameOf } from "./dom.js";
import { coins } from "./errors.js";
import { question, say, toast } from "./notices.js";
import { roundsOf, verification } from "./record.js";
import { payout, reason, resultTitle, roundTitle } from "./results.js";
import { dotOf, inSight } from "./views.js";

/** @typedef {import("./types.js").DuelView} DuelView */
/** @typedef {import("./types.js").Round} Round */
/** @typedef {import("./types.js").Fighter} Fighter */
/** @typedef {import("./duels.js").Duels} Duels */

const SHOWDOWN_MS = 3_200;
const WON = 3; // rounds, as the rules have it
const HURRY = 5; // seconds

export class Table {
  #duels;
  #root = byId("table");
  /** @type {Set<number>} */
  #held = new Set();
  #drawing = false;
  /** @type {Round | null} */
  #showdown = null;
  #timer = 0;
  /** The round whose cards were last dealt here, and how long its clock runs. */
  #dealt = "";
  #span = 1;
  #shownHands = new Map();

  /** @param {Duels} duels */
  constructor(duels) {
    this.#duels = duels;
    duels.addEventListener("table", () => this.#changed());
    duels.addEventListener("table", dotOf("table", () => duels.duel?.status === "active" && duels.mine(duels.duel)));
    duels.addEventListener("round", (event) => this.#reveal(/** @type {CustomEvent} */ (event).detail));
    document.addEventListener("keydown", (event) => this.#key(event));
    every(() => this.#tick());
    this.render();
  }

  #changed() {
    const duel = this.#duels.duel;
    const hand = duel ? `${duel.id}:${duel.round}` : "";
    if (hand !== this.#dealt) this.#begin(duel, hand);
    if (duel?.deadline) this.#span = Math.max(this.#span, duel.deadline - now());
    if (duel && duel.status !== "active") this.#end(duel);
    this.render();
  }

  /** @param {DuelView | null} duel
   * @param {string} hand
   */
  #begin(duel, hand) {
    const sameDuel = duel && this.#dealt.startsWith(`${duel.id}:`);
    this.#dealt = hand;
    this.#held.clear();
    this.#drawing = false;
    this.#span = 1;
    if (!sameDuel) {
      this.#clearShowdown();
      this.#shownHands.clear();
    }
    if (!this.#showdown) this.#announceHand();
  }

  #announceHand() {
    const duel = this.#duels.duel;
    if (duel?.status !== "active") return;
    const cards = duel.you?.hand.map((card, i) => `${i + 1} ${cardName(card)}`).join(", ");
    say(cards ? `Round ${duel.round}. Your cards: ${cards}.` : `Round ${duel.round}.`);
    if (cards) setTimeout(() => this.#focusHand());
  }

  /** So that the keys work at once, unless the player is writing or answering something. */
  #focusHand() {
    const active = document.activeElement;
    const busy = active && active !== document.body && !this.#root.contains(active);
    if (!busy) this.#root.querySelector(".own .hand")?.focus({ preventScroll: true });
  }

  /** @param {Round} round */
  #reveal(round) {
    this.#showdown = round;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#next(), SHOWDOWN_MS);
    say(this.#spokenRound(round));
    this.render();
  }

  /** @param {Round} round */
  #spokenRound(round) {
    const duel = /** @type {DuelView} */ (this.#duels.duel);
    const hands = duel.players.map(({ id, name }) => `${id === this.#duels.me ? "You" : name}: ${rankName(round.ranks[id])}, ${round.hands[id].map(cardName).join(", ")}`);
    return `Showdown of round ${round.round}. ${hands.join(". ")}. ${roundTitle(duel, round, this.#duels.me)}.`;
  }

  #next() {
    if (!this.#showdown) return;
    this.#clearShowdown();
    this.#announceHand();
    this.render();
  }

  #clearShowdown() {
    clearTimeout(this.#timer);
    this.#showdown = null;
  }

  /** @param {DuelView} duel */
  #end(duel) {
    clearTimeout(this.#timer);
    if (!this.#showdown && duel.rounds.length && duel.end_reason !== "timeout") this.#showdown = duel.rounds[duel.rounds.length - 1];
    say(resultTitle(duel, this.#duels.me));
  }

  // What is drawn

  render() {
    const duel = this.#duels.duel;
    this.#root.classList.toggle("busy", Boolean(duel));
    byId("lobby").hidden = Boolean(duel);
    byId("game").hidden = !duel;
    if (!duel) return;
    const [top, bottom] = this.#seats(duel);
    this.#seat(byId("seat-top"), duel, top, false);
    this.#seat(byId("seat-bottom"), duel, bottom, bottom.id === this.#duels.me);
    this.#middle(duel);
    this.#actions(duel);
    byId("rounds").replaceChildren(...roundsOf(duel, this.#duels.me));
    this.#proof(duel);
    this.#tick();
  }

  /** @param {DuelView} duel
   * @returns {Fighter[]} the one at the top, the one at the bottom
   */
  #seats(duel) {
    const [first, second] = duel.players;
    return second.id === this.#duels.me ? [first, second] : [second, first];
  }

  /**
   * @param {HTMLElement} place
   * @param {DuelView} duel
   * @param {Fighter} fighter
   * @param {boolean} own
   */
  #seat(place, duel, fighter, own) {
    place.classList.toggle("own", own);
    place.classList.toggle("winner", this.#showdown ? this.#showdown.winner_id === fighter.id : duel.winner_id === fighter.id);
    place.classList.toggle("loser", Boolean(this.#showdown?.winner_id) && this.#showdown?.winner_id !== fighter.id);
    const points = Array.from({ length: WON }, (_, i) => el("i", { class: i < fighter.score ? "point won" : "point" }));
    const plate = el(
      "div",
      { class: "plate" },
      nameOf(fighter.name),
      own && el("span", { class: "tag", text: "you" }),
      el("span", { class: "points", role: "img", "aria-label": `${fighter.score} of ${WON} rounds won` }, ...points),
      el("span", { class: "doing", text: this.#doing(duel, fighter, own) }),
    );
    place.querySelector(".plate")?.replaceWith(plate);
    this.#hand(/** @type {HTMLElement} */ (place.querySelector(".hand")), duel, fighter, own);
  }

  /** What a fighter is at.
   * @param {DuelView} duel
   * @param {Fighter} fighter
   * @param {boolean} own
   */
  #doing(duel, fighter, own) {
    if (this.#showdown) return rankName(this.#showdown.ranks[fighter.id] ?? "");
    if (duel.status !== "active") return "";
    if (!fighter.connected) return "connection lost";
    if (own) return duel.you?.played ? "has drawn" : "";
    if (!duel.you) return "playing";
    return duel.opponent_played ? "has drawn" : "thinking …";
  }

  /**
   * @param {HTMLElement} place
   * @param {DuelView} duel
   * @param {Fighter} fighter
   * @param {boolean} own
   */
  #hand(place, duel, fighter, own) {
    const shown = this.#showdown?.hands[fighter.id];
    const hand = shown ?? (own ? duel.you?.hand : undefined);
    const choosing = Boolean(own && !shown && duel.status === "active" && duel.you && !duel.you.played);
    const key = JSON.stringify([duel.id, shown ? this.#showdown?.round : duel.round, hand, choosing]);
    if (this.#shownHands.get(place.parentElement?.id) !== key) {
      const focused = this.#focusedCard(place);
      const cards = hand ?? Array(5).fill(null);
      place.replaceChildren(...cards.map((card, i) => this.#card(card, i, choosing, place)));
      this.#shownHands.set(place.parentElement?.id, key);
      place.setAttribute("aria-label", this.#handLabel(own, Boolean(hand), fighter));
      if (focused >= 0) /** @type {HTMLElement} */ (choosing ? place.children[focused] : place).focus({ preventScroll: true });
    }
    if (choosing) this.#showHeld(place);
  }

  /** @param {HTMLElement} place */
  #focusedCard(place) {
    return [...place.children].indexOf(/** @type {Element} */ (document.activeElement));
  }

  /** @param {boolean} own
   * @param {boolean} open
   * @param {Fighter} fighter
   */
  #handLabel(own, open, fighter) {
    const whose = own ? "Your cards" : `Cards of ${fighter.name}`;
    return open ? whose : `${whose}, face down`;
  }

  /**
   * @param {string | null} card
   * @param {number} position
   * @param {boolean} choosing
   * @param {HTMLElement} place whose card of before stays without being dealt again
   */
  #card(card, position, choosing, place) {
    const before = /** @type {HTMLElement | undefined} */ (place.children[position])?.dataset.card;
    const fresh = before !== (card ?? "back") ? " fresh" : "";
    const data = { "data-card": card ?? "back", class: `card d${position}${fresh}` };
    if (!card) return el("span", { ...data, "aria-hidden": "true" }, back());
    if (!choosing) return el("span", { ...data, role: "img", "aria-label": cardName(card) }, face(card));
    const toggle = () => this.#toggle(position);
    return el("button", { ...data, type: "button", "aria-pressed": "false", on: { click: toggle } },
      el("span", { class: "spoken", text: `${position + 1}: ${cardName(card)}` }), face(card), el("kbd", { text: String(position + 1), "aria-hidden": "true" }), el("span", { class: "held", text: "hold", "aria-hidden": "true" }));
  }

  /** @param {HTMLElement} place */
  #showHeld(place) {
    [...place.children].forEach((card, i) => card.setAttribute("aria-pressed", String(this.#held.has(i))));
  }

  /** @param {DuelView} duel */
  #middle(duel) {
    byId("headline").replaceChildren(...this.#headline(duel));
    byId("subline").replaceChildren(...this.#subline(duel));
    const stake = duel.stake ? `, for ${coins(duel.stake)} each` : "";
    byId("pot").hidden = !duel.stake || duel.status !== "active";
    byId("pot-sum").textContent = (2 * duel.stake).toLocaleString("en");
    byId("round-number").textContent = duel.status === "active" ? `Round ${this.#showdown?.round ?? duel.round}${stake}` : `Result${stake}`;
  }

  /** @param {DuelView} duel
   * @returns {(Node | string)[]}
   */
  #headline(duel) {
    if (duel.status !== "active") return [resultTitle(duel, this.#duels.me)];
    if (this.#showdown) return [roundTitle(duel, this.#showdown, this.#duels.me)];
    if (duel.players.some(({ connected }) => !connected)) return ["The clock stands still"];
    if (!duel.you) return ["Both are choosing"];
    return [duel.you.played ? "Waiting for the showdown" : "Choose the cards to hold"];
  }

  /** @param {DuelView} duel
   * @returns {(Node | string)[]}
   */
  #subline(duel) {
    const away = duel.players.find(({ connected }) => !connected);
    if (duel.status !== "active") return [reason(duel, this.#duels.me), payout(duel, this.#duels.me)];
    if (away) return [nameOf(away.name), " lost the connection", el("span", { id: "away" }), "."];
    if (this.#showdown) return ["The next round has begun."];
    if (!duel.you) return ["You see the hands at the showdown."];
    return [duel.you.played ? "Your new hand is on the table." : "The others are replaced."];
  }

  /** @param {DuelView} duel */
  #actions(duel) {
    const choosing = duel.status === "active" && duel.you && !duel.you.played && !this.#showdown;
    const draws = 5 - this.#held.size;
    const draw = byId("draw");
    draw.hidden = !choosing;
    draw.disabled = this.#drawing;
    draw.textContent = draws ? `Draw ${draws} card${draws === 1 ? "" : "s"}` : "Stand pat";
    byId("next").hidden = !(duel.status === "active" && this.#showdown);
    byId("rematch").hidden = !(duel.status === "finished" && this.#duels.mine(duel));
    byId("resign").hidden = !(duel.status === "active" && duel.you);
    byId("invite").hidden = duel.status !== "active";
    byId("leave-table").hidden = duel.status === "active" && Boolean(duel.you);
  }

  /** @param {DuelView} duel */
  #proof(duel) {
    const place = byId("proof");
    const key = `${duel.id}:${duel.status}`;
    if (place.dataset.of === key) return;
    place.dataset.of = key;
    place.replaceChildren(verification(duel, this.#duels.witness(duel.id), this.#duels.me));
  }

  #tick() {
    const duel = this.#duels.duel;
    const clock = byId("clock");
    const runs = duel?.status === "active" && duel.deadline !== null;
    clock.hidden = !runs;
    if (runs) {
      const left = secondsTo(duel.deadline ?? 0);
      byId("seconds").textContent = String(left);
      clock.classList.toggle("hurry", left <= HURRY);
      const part = Math.max(0, ((duel.deadline ?? 0) - now()) / this.#span);
      byId("clock-hand").setAttribute("stroke-dashoffset", String(100 - 100 * Math.min(1, part)));
    }
    const away = document.getElementById("away");
    if (away) away.textContent = this.#duels.awayUntil ? ` and has ${minutes(secondsTo(this.#duels.awayUntil))} to come back` : "";
  }

  // What the player does

  /** @param {number} position */
  #toggle(position) {
    if (this.#drawing) return;
    if (!this.#held.delete(position)) this.#held.add(position);
    this.render();
  }

  async draw() {
    const duel = this.#duels.duel;
    if (!duel?.you || duel.you.played || this.#drawing || this.#showdown) return;
    this.#drawing = true;
    this.render();
    await this.#duels.play([...this.#held].sort());
    this.#drawing = false;
    const after = this.#duels.duel;
    if (after?.you?.played && after.round === duel.round) say(`You drew. Your hand: ${after.you.hand.map(cardName).join(", ")}.`);
    this.render();
  }

  /** The buttons under the felt, which are in the page. */
  wire() {
    byId("draw").addEventListener("click", () => this.draw());
    byId("next").addEventListener("click", () => this.#next());
    byId("resign").addEventListener("click", () => this.#resign());
    byId("invite").addEventListener("click", () => this.#invite());
    byId("leave-table").addEventListener("click", () => this.#duels.leave());
    byId("rematch").addEventListener("click", () => {
      const duel = this.#duels.duel;
      if (duel) this.#duels.challenge(this.#duels.other(duel).id, duel.stake);
    });
  }

  async #resign() {
    const duel = this.#duels.duel;
    const sure = await question({ title: "Resign this duel?", text: "The other one wins it.", ok: "Resign", danger: true });
    if (duel && sure !== null) await this.#duels.answer("forfeit", duel.id);
  }

  async #invite() {
    const link = `${location.origin}/#duel=${this.#duels.duel?.id}`;
    try {
      await navigator.clipboard.writeText(link);
      toast("The link for spectators is copied. Paste it into the chat, or send it.", { kind: "good" });
    } catch {
      await question({ title: "The link for spectators", label: "Copy it", value: link, ok: "Done" });
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const at = /** @type {HTMLElement} */ (event.target);
    if (!inSight("table") || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (at.closest("input, textarea, select, dialog, [role=tablist]") || document.querySelector("dialog[open]")) return;
    const duel = this.#duels.duel;
    if (!duel?.you || duel.status !== "active") return;
    const onControl = at.closest("button, a, summary") && !at.closest(".card");
    if (event.key === "Enter" && !onControl) {
      event.preventDefault();
      if (this.#showdown) this.#next();
      else this.draw();
    } else if (/^[1-5]$/.test(event.key) && !duel.you.played) {
      event.preventDefault();
      if (this.#showdown) this.#next();
      this.#toggle(Number(event.key) - 1);
    }
  }
}
