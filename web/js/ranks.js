/** The leaderboards: the best, and those around the player, by board and season. */

import { byId, el, nameOf } from "./dom.js";
import { Refused, sentence } from "./errors.js";
import { inSight, views } from "./views.js";

/** @typedef {import("../../clients/typescript/showdown.js").Entry} Place */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./types.js").Named} Named */
/** @typedef {"rating" | "wins" | "wealth"} Board */

/** @type {Board[]} */
const BOARDS = ["rating", "wins", "wealth"];
/** @type {Record<Board, string>} */
const UNITS = { rating: "Score", wins: "Duels won", wealth: "Coins" };
const PAGE = 50;
const KEPT = 300; // rows at once
const AROUND = 7;
const SEASONS = 4; // that are over and may be kept

export class Ranks {
  #connection;
  #open;
  #me;
  /** @type {Board} */
  #board = "rating";
  /** @type {string | null} the present one */
  #now = null;
  /** @type {Place[]} */
  #top = [];
  /** @type {Place[]} */
  #around = [];
  #total = 0;
  /** @type {string | null} */
  #next = null;
  #asked = 0;

  /**
   * @param {Connection} connection
   * @param {() => string} me
   * @param {(who: Named) => void} open a player's card
   */
  constructor(connection, me, open) {
    this.#connection = connection;
    this.#me = me;
    this.#open = open;
    views.addEventListener("shown", () => this.look());
    for (const board of BOARDS) byId(`board-${board}`).addEventListener("click", () => this.#choose(board));
    byId("boards").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#keys(event));
    byId("season").addEventListener("change", () => this.look());
    byId("more-places").addEventListener("click", () => this.#more());
  }

  /** @param {Board} board */
  #choose(board) {
    this.#board = board;
    for (const one of BOARDS) {
      byId(`board-${one}`).setAttribute("aria-selected", String(one === board));
      byId(`board-${one}`).tabIndex = one === board ? 0 : -1;
    }
    byId("places").setAttribute("aria-labelledby", `board-${board}`);
    byId("season").disabled = board === "wealth"; // is of no season
    this.look();
  }

  /** @param {KeyboardEvent} event */
  #keys(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = BOARDS[(BOARDS.indexOf(this.#board) + step + BOARDS.length) % BOARDS.length];
    this.#choose(next);
    byId(`board-${next}`).focus();
  }

  get #which() {
    const season = byId("season").value;
    return { board: this.#board, ...(season && this.#board !== "wealth" ? { season } : {}) };
  }

  /** Read the board, if it can be seen. */
  async look() {
    if (!inSight("ranks") || !this.#connection.online) return;
    const asked = ++this.#asked;
    try {
      const [top, around] = await Promise.all([
        this.#connection.ask("leaderboard:top", { ...this.#which, limit: PAGE }),
        this.#connection.ask("leaderboard:around", { ...this.#which, limit: AROUND }),
      ]);
      if (asked !== this.#asked) return;
      this.#top = top.entries;
      this.#next = top.next_after;
      this.#around = around.entries;
      this.#total = top.total;
      if (top.season && !byId("season").value) this.#seasons(top.season);
      this.#render();
    } catch (failure) {
      if (asked === this.#asked) this.#nothing(failure instanceof Refused && failure.code === "not_found" ? "Nothing is kept of that season." : sentence(failure));
    }
  }

  async #more() {
    if (!this.#next) return;
    try {
      const page = await this.#connection.ask("leaderboard:top", { ...this.#which, limit: PAGE, after: this.#next });
      this.#top = [...this.#top, ...page.entries].slice(-KEPT);
      this.#next = page.next_after;
      this.#render();
    } catch (failure) {
      this.#nothing(sentence(failure));
    }
  }

  /** The present season, and those before it.
   * @param {string} now "2026-q4" or "2026-11"
   */
  #seasons(now) {
    if (now === this.#now) return;
    this.#now = now;
    const options = [el("option", { value: "", text: `This season (${readable(now)})` })];
    for (let one = before(now), i = 0; i < SEASONS; one = before(one), i++) options.push(el("option", { value: one, text: readable(one) }));
    byId("season").replaceChildren(...options);
  }

  #render() {
    const mine = this.#me();
    const shown = new Set(this.#top.map(({ player }) => player.id));
    const far = this.#around.length > 0 && !shown.has(mine);
    byId("places").replaceChildren(...this.#top.map((place) => this.#row(place)));
    byId("near").replaceChildren(...(far ? this.#around.map((place) => this.#row(place)) : []));
    byId("near-part").hidden = !far;
    byId("unit").textContent = UNITS[this.#board];
    byId("more-places").hidden = !this.#next;
    const place = this.#around.find(({ player }) => player.id === mine);
    const own = place ? `You are number ${place.rank.toLocaleString("en")} of ${this.#total.toLocaleString("en")}.` : this.#total ? `${this.#total.toLocaleString("en")} on this board, you are not.` : "Nobody is on this board yet: the first rated duel makes a beginning.";
    byId("standing").textContent = own;
  }

  /** @param {string} why */
  #nothing(why) {
    this.#top = this.#around = [];
    this.#total = 0;
    this.#next = null;
    this.#render();
    byId("standing").textContent = why;
  }

  /** @param {Place} place */
  #row({ rank, player, score }) {
    const me = player.id === this.#me();
    const name = player.name || "a player who left";
    const who = me || !player.name ? el("span", { class: "who" }, nameOf(name), me && el("span", { class: "tag", text: "you" })) : el("button", { type: "button", class: "who", on: { click: () => this.#open(player) } }, nameOf(name));
    return el("li", { class: me ? "place me-too" : "place", "data-rank": rank },
      el("span", { class: `rank-no r${rank}`, text: rank.toLocaleString("en") }), who,
      el("b", { text: score.toLocaleString("en") }));
  }
}

/** @param {string} season */
function readable(season) {
  const [year, part] = season.split("-");
  if (part.startsWith("q")) return `${part.slice(1)}${["", "st", "nd", "rd", "th"][Number(part[1])]} quarter ${year}`;
  return new Date(Date.UTC(Number(year), Number(part) - 1)).toLocaleString("en", { month: "long", year: "numeric", timeZone: "UTC" });
}

/** The season before.
 * @param {string} season
 */
function before(season) {
  const [year, part] = season.split("-");
  const quarters = part.startsWith("q");
  const number = Number(part.replace("q", "")) - 1;
  if (quarters) return number ? `${year}-q${number}` : `${Number(year) - 1}-q4`;
  return number ? `${year}-${String(number).padStart(2, "0")}` : `${Number(year) - 1}-12`;
}
