/** The socket: comes back by itself, and says truly what became of the session meanwhile. */

import { io } from "../vendor/socket.io.esm.min.js";
import { setServerTime } from "./clock.js";
import { Refused } from "./errors.js";

/** @typedef {import("./types.js").Ready} Ready */
/** @typedef {import("./types.js").ErrorObject} ErrorObject */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {"connecting" | "online" | "reconnecting" | "restarting" | "refused" | "closed"} State */
/** @typedef {{ready: Ready, recovered: boolean, first: boolean, away: number}} Back
 *   away: for how many ms nothing was heard; recovered: what was missed has come */

const ANSWER_MS = 12_000; // the server gives up a handler after 10 s
const RETRY_MS = [1_000, 2_000, 5_000, 10_000];
const SIGN_IN_CODES = new Set(["unauthenticated", "token_expired", "token_revoked", "banned", "forbidden", "not_found"]);

/** Dispatches `state`, `ready` (detail: Back), `refused` (detail: ErrorObject). */
export class Connection extends EventTarget {
  /** @type {State} */
  state = "connecting";
  /** Between the socket's coming back and `session:ready`: events of now are missed ones. */
  catchingUp = false;
  #session;
  /** @type {any} */
  #socket;
  #ready = false;
  #first = true;
  #lost = 0;
  #tries = 0;
  #renewed = false;
  #timer = 0;
  /** @type {{code: string, reason: string, reconnect: boolean} | null} */
  #farewell = null;

  /** @param {Session} session */
  constructor(session) {
    super();
    this.#session = session;
    this.#socket = io({
      autoConnect: false,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      reconnectionDelay: 300,
      reconnectionDelayMax: 4_000,
      auth: (/** @type {(auth: object) => void} */ give) => this.#identify(give),
    });
    this.#listen();
    session.addEventListener("renewed", () => this.#renew());
  }

  open() {
    this.#socket.connect();
  }

  close() {
    clearTimeout(this.#timer);
    this.#move("closed");
    this.#socket.disconnect();
  }

  /** Whether the server listens. */
  get online() {
    return this.state === "online";
  }

  /** Drop the transport as a network failure would; tests do. */
  cut() {
    this.#socket.io.engine?.close();
  }

  /**
   * @template {keyof import("./types.js").Told} E
   * @param {E} event
   * @param {(data: import("./types.js").News<E>) => void} listener
   */
  on(event, listener) {
    this.#socket.on(event, listener);
  }

  /**
   * Ask the server.
   *
   * @template {keyof import("./types.js").Asked} E
   * @param {E} event
   * @param {import("./types.js").Body<E>} [data]
   * @returns {Promise<import("./types.js").Answer<E>>} the `data` of its answer
   */
  async ask(event, data = /** @type {any} */ ({})) {
    if (!this.#socket.connected) throw new Refused({ code: "offline" });
    let answer;
    try {
      answer = await this.#socket.timeout(ANSWER_MS).emitWithAck(event, data);
    } catch {
      throw new Refused({ code: this.#socket.connected ? "timeout" : "offline" });
    }
    if (!answer.ok) throw new Refused(answer.error);
    return answer.data;
  }

  /**
   * Tell the server something that may get lost.
   *
   * @param {string} event
   * @param {object} data
   */
  tell(event, data) {
    if (this.online) this.#socket.emit(event, data, () => {});
  }

  /** @param {(auth: object) => void} give */
  async #identify(give) {
    try {
      const token = await this.#session.fresh();
      give({ token, character_id: this.#session.tokens?.character.id });
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure;
      this.#later(failure.error); // the handshake runs into its time limit, or we are faster
    }
  }

  #listen() {
    const socket = this.#socket;
    socket.on("connect", () => {
      this.catchingUp = true;
    });
    socket.on("session:ready", (/** @type {Ready} */ ready) => this.#welcome(ready));
    socket.on("server:disconnect", (/** @type {any} */ farewell) => {
      this.#farewell = farewell;
    });
    socket.on("disconnect", (/** @type {string} */ reason) => this.#gone(reason));
    socket.on("connect_error", (/** @type {any} */ error) => this.#failed(error.data));
  }

  /** @param {Ready} ready */
  #welcome(ready) {
    setServerTime(ready.server_time);
    const back = { ready, recovered: this.#socket.recovered, first: this.#first, away: this.#lost ? Date.now() - this.#lost : 0 };
    this.#first = false;
    this.#ready = true;
    this.#lost = this.#tries = 0;
    this.#renewed = false;
    this.#farewell = null;
    this.#move("online");
    this.dispatchEvent(new CustomEvent("ready", { detail: back }));
    this.catchingUp = false;
  }

  /** @param {string} reason */
  #gone(reason) {
    this.catchingUp = false;
    if (this.#ready) this.#lost = Date.now();
    this.#ready = false;
    if (this.state === "closed") return;
    const said = this.#farewell;
    if (said && !said.reconnect) return this.#refuse({ code: said.code, detail: said.reason });
    this.#move(said?.code === "draining" ? "restarting" : "reconnecting");
    if (reason === "io server disconnect") this.#later({ code: "unreachable" });
  }

  /** @param {ErrorObject | undefined} error none: the server cannot be reached, the client tries on */
  #failed(error) {
    if (!error) {
      if (this.state !== "restarting") this.#move(this.#first ? "connecting" : "reconnecting");
      return;
    }
    if (!SIGN_IN_CODES.has(error.code)) return this.#later(error);
    const stale = error.code === "unauthenticated" || error.code === "token_expired";
    if (!stale || this.#renewed) return this.#refuse(error);
    this.#renewed = true; // once: a fresh token that is refused is no matter of time
    this.#session.fresh({ force: true }).then(
      () => this.#socket.connect(),
      (failure) => this.#later(failure.error),
    );
  }

  /** Come back after a while, which the stock client does not do after a refusal.
   * @param {ErrorObject} error
   */
  #later(error) {
    if (this.state === "closed" || !this.#session.tokens) return;
    this.#move(error.code === "draining" ? "restarting" : "reconnecting");
    const backoff = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#socket.disconnect().connect(),
      Math.max(backoff, (error.retry_after ?? 0) * 1000),
    );
  }

  /** @param {ErrorObject} error */
  #refuse(error) {
    this.#move("refused");
    this.dispatchEvent(new CustomEvent("refused", { detail: error }));
  }

  /** Tell the server of a newer token, so that it need not end this connection. */
  async #renew() {
    if (!this.online || !this.#session.tokens) return;
    try {
      await this.ask("session:refresh", { token: this.#session.tokens.access_token });
    } catch (failure) {
      // Without it the server ends this connection with token_expired, and we come back.
      if (!(failure instanceof Refused)) throw failure;
    }
  }

  /** @param {State} state */
  #move(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

