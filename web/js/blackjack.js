/** What this page knows of blackjack: the game on the table. Says `game` when it changed. */

import { Refused } from "./errors.js";
import { attempt } from "./notices.js";

/** @typedef {import("./types.js").Game} Game */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./deeds.js").Deeds} Deeds */
/** @typedef {"hit" | "stand" | "double" | "split"} Move */

const KEY = "showdown.blackjack"; // the commitment that was seen when the game began

export class Blackjack extends EventTarget {
  /** @type {Game | null} */
  game = null;
  /** Whether an answer is awaited. */
  busy = false;
  #connection;
  #deeds;

  /** @param {{connection: Connection, deeds: Deeds}} parts */
  constructor({ connection, deeds }) {
    super();
    this.#connection = connection;
    this.#deeds = deeds;
    connection.on("blackjack:ended", ({ game }) => this.#take(game));
  }

  /** Whether a game is open. */
  get open() {
    return this.game?.status === "insurance" || this.game?.status === "playing";
  }

  /** The connection is new, or the page is: is there a game that goes on? */
  async resume() {
    const shown = this.game;
    const answer = await this.#try(this.#connection.ask("blackjack:state", shown ? { game_id: shown.id } : {}));
    if (answer?.game) this.#take(answer.game);
  }

  /** @param {number} bet */
  start(bet) {
    return this.#do(() => this.#deeds.ask("blackjack:start", { bet }));
  }

  /** @param {Move} move */
  play(move) {
    const game_id = this.game?.id ?? "";
    return this.#do(() => this.#deeds.ask(`blackjack:${move}`, { game_id }));
  }

  /** @param {boolean} take */
  insure(take) {
    const game_id = this.game?.id ?? "";
    return this.#do(() => this.#deeds.ask("blackjack:insure", { game_id, take }));
  }

  /** The commitment that this browser's tab saw before the game's end, "" if none. */
  get witnessed() {
    const [id, commitment] = (sessionStorage.getItem(KEY) ?? "").split(":");
    return id === this.game?.id ? commitment : "";
  }

  /** @param {() => Promise<{game: Game}>} deed */
  async #do(deed) {
    if (this.busy) return;
    this.busy = true;
    this.#tell();
    const answer = await attempt(deed());
    this.busy = false;
    if (answer) this.#take(answer.game);
    else {
      await this.resume(); // it is perhaps not as we show it
      this.#tell();
    }
  }

  /** @param {Game} game */
  #take(game) {
    if (this.game?.id === game.id && this.game.version > game.version) return;
    const over = game.status === "finished" || game.status === "refunded";
    if (!over && this.game?.id !== game.id) sessionStorage.setItem(KEY, `${game.id}:${game.commitment}`);
    this.game = game;
    this.#tell();
  }

  /**
   * @template T
   * @param {Promise<T>} promise
   */
  async #try(promise) {
    try {
      return await promise;
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure;
      return undefined;
    }
  }

  #tell() {
    this.dispatchEvent(new Event("game"));
  }
}
