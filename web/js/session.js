/**
 * The sign-in: its tokens, kept for a reload and shared by the tabs of one browser.
 *
 * A refresh token may be used once, so that the tabs take turns (a lock), and look whether
 * another one was faster before they use it.
 */

import { call } from "./api.js";
import { Refused } from "./errors.js";

/** @typedef {import("./types.js").TokenAnswer} TokenAnswer */
/** @typedef {TokenAnswer & {expires_at: number}} Tokens `expires_at` by this device's clock */

const KEY = "showdown.session";
const EARLY_MS = 60_000; // before the access token's end, or a third of a short life
const AGAIN_MS = 5_000; // after a refresh that nobody answered

/** Dispatches `renewed` (other access token) and `ended` (with `detail`: why). */
export class Session extends EventTarget {
  /** @type {Tokens | null} */
  tokens = null;
  /** Why it will end, if the player has done something that ends it. */
  farewell = "";
  /** @type {Storage} */
  #store = localStorage;
  #timer = 0;
  /** @type {Promise<string> | null} */
  #refreshing = null;

  constructor() {
    super();
    window.addEventListener("storage", (event) => {
      if (event.key === KEY && this.#store === localStorage && this.tokens) this.#follow();
    });
  }

  /** Take up what an earlier page left; false if nobody is signed in. */
  restore() {
    for (const store of [sessionStorage, localStorage]) {
      this.tokens = read(store);
      this.#store = store;
      if (this.tokens) return this.#schedule(), true;
    }
    return false;
  }

  /**
   * Sign in, by "guest", "register" or "login".
   *
   * @param {"guest" | "register" | "login"} how
   * @param {object} body
   * @param {boolean} stay signed in when the browser is closed
   */
  async signIn(how, body, stay) {
    const answer = await call("POST", `/auth/${how}`, { body });
    this.#store = stay ? localStorage : sessionStorage;
    this.#keep(answer);
  }

  /** Play another character of the account: the page begins anew, nothing of this one stays.
   * @param {import("./types.js").Named} character
   */
  play(character) {
    if (!this.tokens) return;
    this.#store.setItem(KEY, JSON.stringify({ ...this.tokens, character }));
    location.reload();
  }

  /** The character of this sign-in has this name.
   * @param {string} id
   * @param {string} name
   */
  rename(id, name) {
    if (this.tokens?.character.id !== id || this.tokens.character.name === name) return;
    this.tokens.character = { id, name };
    this.#store.setItem(KEY, JSON.stringify(this.tokens));
  }

  /** The guest's account has a user name now.
   * @param {string} username
   */
  named(username) {
    if (!this.tokens) return;
    this.tokens.account.username = username;
    this.#store.setItem(KEY, JSON.stringify(this.tokens));
  }

  /** Sign out here, and on the server when it can be reached. */
  async signOut() {
    try {
      const token = await this.fresh();
      await call("POST", "/auth/logout", { token });
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure;
    }
    this.end("");
  }

  /**
   * Forget the tokens.
   *
   * @param {string} why the code of the error that ended it, "" if the player did
   */
  end(why) {
    if (!this.tokens) return;
    clearTimeout(this.#timer);
    this.tokens = null;
    this.#store.removeItem(KEY);
    this.dispatchEvent(new CustomEvent("ended", { detail: this.farewell || why }));
  }

  /**
   * An access token that is good for a while.
   *
   * @param {{force?: boolean}} [options] force: the server did not take the one we have
   * @returns {Promise<string>}
   */
  async fresh({ force = false } = {}) {
    if (!this.tokens) throw new Refused({ code: "unauthenticated" });
    if (!force && this.tokens.expires_at - Date.now() > early(this.tokens)) return this.tokens.access_token;
    const refreshing = (this.#refreshing ??= this.#inTurn(this.tokens.access_token).finally(() => {
      this.#refreshing = null;
    }));
    return refreshing;
  }

  /**
   * @param {string} old the access token to be replaced
   * @returns {Promise<string>}
   */
  async #inTurn(old) {
    const take = () => this.#refresh(old);
    const shared = this.#store === localStorage && navigator.locks; // only on HTTPS and loopback
    return shared ? navigator.locks.request("showdown.refresh", take) : take();
  }

  /**
   * @param {string} old
   * @returns {Promise<string>}
   */
  async #refresh(old) {
    const kept = read(this.#store);
    if (!kept) {
      this.end("token_revoked");
      throw new Refused({ code: "token_revoked" });
    }
    if (kept.access_token !== old) return this.#adopt(kept), kept.access_token;
    try {
      this.#keep(await call("POST", "/auth/refresh", { body: { refresh_token: kept.refresh_token } }));
    } catch (failure) {
      const over = failure instanceof Refused && !failure.error.retryable && failure.code !== "unreachable";
      if (over) this.end(failure.code === "unauthenticated" ? "token_expired" : failure.code);
      throw failure;
    }
    return /** @type {Tokens} */ (/** @type {unknown} */ (this.tokens)).access_token;
  }

  /** @param {TokenAnswer} answer */
  #keep(answer) {
    // A refresh knows the account only: who plays was chosen here.
    const same = this.tokens?.account.id === answer.account.id;
    const character = same && this.tokens ? this.tokens.character : answer.character;
    const tokens = { ...answer, character, expires_at: Date.now() + answer.expires_in * 1000 };
    this.#store.setItem(KEY, JSON.stringify(tokens));
    this.#adopt(tokens);
  }

  /** @param {Tokens} tokens */
  #adopt(tokens) {
    this.tokens = tokens;
    this.#schedule();
    this.dispatchEvent(new Event("renewed"));
  }

  /** Another tab changed what is kept. */
  #follow() {
    const kept = read(this.#store);
    if (!kept) this.end("");
    else if (kept.account.id !== this.tokens?.account.id || kept.character.id !== this.tokens.character.id) location.reload();
    else if (kept.access_token !== this.tokens.access_token) this.#adopt(kept);
  }

  #schedule() {
    if (!this.tokens) return;
    clearTimeout(this.#timer);
    const wait = this.tokens.expires_at - early(this.tokens) - Date.now();
    this.#timer = setTimeout(() => this.#renew(), Math.max(0, wait) + 50);
  }

  async #renew() {
    try {
      await this.fresh();
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure;
      if (this.tokens) this.#timer = setTimeout(() => this.#renew(), AGAIN_MS);
    }
  }
}

/** @param {Tokens} tokens */
const early = (tokens) => Math.min(EARLY_MS, (tokens.expires_in * 1000) / 3);

/**
 * @param {Storage} store
 * @returns {Tokens | null}
 */
function read(store) {
  const text = store.getItem(KEY);
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null; // not ours
  }
}
