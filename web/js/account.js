/** The account's view: its characters, its name and password, its data and its end. */

import { call } from "./api.js";
import { button, byId, el, keyInFocus, nameOf, refocus } from "./dom.js";
import { Refused } from "./errors.js";
import { attempt, question, toast } from "./notices.js";
import { initial } from "./player_card.js";
import { inSight, views } from "./views.js";

/** @typedef {import("./types.js").Named} Named */
/** @typedef {import("./session.js").Session} Session */

const NAME = 40;

export class Account {
  #session;
  /** @type {Named[]} */
  #characters = [];
  /** @type {string | null} */
  #username = null;
  #busy = false;

  /**
   * @param {Session} session
   * @param {import("./connection.js").Connection} connection
   */
  constructor(session, connection) {
    this.#session = session;
    connection.on("session:renamed", ({ player_id: id, name }) => this.#renamed(id, name));
    views.addEventListener("shown", () => this.look());
    this.#form("new-character", "character-name", (name) => this.#ask("POST", "/characters", { name }), () => toast("A new character is yours.", { kind: "good" }));
    for (const form of ["keep", "password-form"]) byId(form).addEventListener("submit", (/** @type {Event} */ event) => (event.preventDefault(), form === "keep" ? this.#keep() : this.#password()));
    byId("export").addEventListener("click", () => this.#export());
    byId("delete-account").addEventListener("click", () => this.#delete());
  }

  /** The player has this name now: in the bar, and in what is kept here.
   * @param {Named} player
   */
  show({ id, name }) {
    byId("me").textContent = name;
    byId("initial").textContent = initial(name);
    this.#session.rename(id, name);
  }

  /** Read the account, if it can be seen. */
  async look() {
    if (!inSight("account")) return;
    const found = await this.#ask("GET", "/me");
    if (!found) return;
    this.#characters = found.characters;
    this.#username = found.account.username;
    this.#render();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>} undefined if it was refused, which was said
   */
  async #ask(method, path, body) {
    return attempt(this.#session.fresh().then((token) => call(method, path, { body, token })));
  }

  #render() {
    const mine = this.#session.tokens?.character.id;
    byId("account-name").textContent = this.#username ?? "Guest";
    byId("keep").hidden = this.#username !== null;
    byId("password-form").hidden = this.#username === null;
    byId("owner").value = this.#username ?? ""; // for the browser's store of passwords
    const pressed = keyInFocus();
    byId("characters").replaceChildren(...this.#characters.map((one) => this.#row(one, one.id === mine)));
    refocus(pressed);
  }

  /**
   * @param {Named} one
   * @param {boolean} playing
   */
  #row(one, playing) {
    return el("li", { class: playing ? "character playing" : "character" },
      el("span", { class: "avatar", "aria-hidden": "true", text: initial(one.name) }),
      el("span", { class: "who" }, nameOf(one.name), playing && el("span", { class: "tag", text: "plays now" })),
      !playing && button("Play", () => this.#session.play(one), { class: "primary", "aria-label": `Play ${one.name}` }),
      button("Rename", () => this.#rename(one), { "aria-label": `Rename ${one.name}`, "data-key": `rename${one.id}` }),
    );
  }

  /**
   * @param {string} id of the form
   * @param {string} field
   * @param {(value: string) => Promise<any>} ask
   * @param {() => void} done
   */
  #form(id, field, ask, done) {
    byId(id).addEventListener("submit", async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (this.#busy) return;
      this.#busy = true;
      const answer = await ask(byId(field).value.trim());
      this.#busy = false;
      if (answer === undefined) return;
      byId(field).value = "";
      done();
      await this.look();
    });
  }

  /** @param {Named} one */
  async #rename(one) {
    const name = await question({ title: "Another name", text: "What was said and fought before keeps the former one.", label: "Name", value: one.name, max: NAME, ok: "Rename" });
    if (!name || name === one.name) return;
    if (await this.#ask("PATCH", `/characters/${one.id}`, { name })) await this.look();
  }

  /**
   * @param {string} id
   * @param {string} name
   */
  #renamed(id, name) {
    if (id === this.#session.tokens?.character.id) this.show({ id, name });
    this.look();
  }

  /** Make a guest's account one that he can sign in to. */
  async #keep() {
    const done = await this.#ask("POST", "/me/register", { username: byId("keep-name").value.trim(), password: byId("keep-password").value });
    if (!done) return;
    byId("keep-password").value = "";
    this.#session.named(done.account.username);
    toast("Your account is kept: sign in with this name from now on.", { kind: "good" });
    await this.look();
  }

  async #password() {
    const [password, next] = ["old-password", "new-password"].map((id) => byId(id).value);
    if ((await this.#ask("POST", "/me/password", { password, new_password: next })) === undefined) return;
    byId("old-password").value = byId("new-password").value = "";
    toast("Your password is changed. Other devices were signed out.", { kind: "good" });
  }

  async #export() {
    const data = await this.#ask("GET", "/me/export");
    if (!data) return;
    const url = URL.createObjectURL(new Blob([JSON.stringify(data, null, 2)], { type: "application/json" }));
    el("a", { href: url, download: "showdown-account.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  /** For good; a password's owner signs in anew for it. */
  async #delete() {
    const text = "All characters, coins and friends are gone for good, and nobody can bring them back. Export your data first if you want to keep it.";
    const secret = this.#username !== null;
    const said = await question({ title: "Delete this account?", text, label: secret ? "Your password" : undefined, type: "password", max: 128, ok: "Delete for good", danger: true });
    if (said === null) return;
    this.#session.farewell = "deleted"; // the connection may hear of it first
    if (await attempt(this.#end(said))) this.#session.end("deleted");
    else this.#session.farewell = "";
  }

  /** @param {string} password */
  async #end(password) {
    const token = this.#username === null ? await this.#session.fresh() : await this.#signIn(this.#username, password);
    await call("DELETE", "/me", { token });
    return true;
  }

  /**
   * @param {string} username
   * @param {string} password
   * @returns {Promise<string>} a fresh token
   */
  async #signIn(username, password) {
    try {
      return (await call("POST", "/auth/login", { body: { username, password } })).access_token;
    } catch (failure) {
      const wrong = failure instanceof Refused && failure.code === "unauthenticated";
      throw wrong ? new Refused({ code: "forbidden", detail: "The password is wrong." }) : failure;
    }
  }
}
