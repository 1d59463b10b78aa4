/** Who is in the room that is shown, and how they are. */

import { byId, el, iconButton, nameOf } from "./dom.js";
import { Refused } from "./errors.js";
import { attempt } from "./notices.js";

/** @typedef {import("./types.js").Presence} Presence */
/** @typedef {import("./rooms.js").Rooms} Rooms */
/** @typedef {import("./rooms.js").Room} Room */
/** @typedef {import("./connection.js").Connection} Connection */

// The server does not tell who comes to a room: the page looks, less often where it costs more.
const LOOK_EVERY_MS = 5_000;
const CROWD = 30;
const CROWD_LOOKS = 4; // times slower
const WATCH_AT_ONCE = 100;
/** @type {Record<string, number>} */
const ORDER = { online: 0, busy: 1, away: 2, offline: 3 };
/** @type {Record<string, string>} */
const WORDS = { online: "online", busy: "busy", away: "away", offline: "offline" };

export class People {
  #connection;
  #rooms;
  #acts;
  #stays;
  /** @type {Room | null} */
  #room = null;
  /** @type {Map<string, Presence>} of those who are watched */
  #presence = new Map();

  /**
   * @param {Connection} connection
   * @param {Rooms} rooms
   * @param {(id: string) => boolean} stays whom somebody else here watches, too
   * @param {{whisper(who: {id: string, name: string}): void, challenge(id: string): void,
   *   card(who: {id: string, name: string}, how: {words: string, away: boolean}): void}} acts
   */
  constructor(connection, rooms, stays, acts) {
    this.#connection = connection;
    this.#stays = stays;
    this.#rooms = rooms;
    this.#acts = acts;
    const room = (/** @type {Event} */ event) => /** @type {CustomEvent} */ (event).detail;
    rooms.addEventListener("selected", (event) => this.#show(room(event)));
    rooms.addEventListener("members", (event) => {
      if (room(event) === this.#room) this.#follow();
    });
    connection.on("presence:changed", ({ presence }) => this.#changed(presence));
    byId("status").addEventListener("change", (/** @type {any} */ event) => {
      attempt(connection.ask("presence:set", { status: event.target.value }));
    });
    let looks = 0;
    setInterval(() => {
      const crowded = (this.#room?.count ?? 0) > CROWD;
      if (!crowded || ++looks % CROWD_LOOKS === 0) this.#look();
    }, LOOK_EVERY_MS);
    byId("go-people").addEventListener("click", () => this.#look());
  }

  /** The connection is a new one: it watches nobody yet. */
  async resume() {
    this.#presence.clear();
    await this.#follow();
  }

  /** The server does not watch somebody any more.
   * @param {string} id
   */
  async forget(id) {
    this.#presence.delete(id);
    await this.#follow();
  }

  /** @param {Room} room */
  #show(room) {
    this.#room = room;
    this.#follow();
  }

  async #look() {
    if (document.hidden || !this.#connection.online || !this.#room) return;
    await this.#try(this.#rooms.lookAround(this.#room));
  }

  /** Watch those who are shown, and oneself; nobody else. */
  async #follow() {
    this.#render();
    if (!this.#connection.online) return;
    const wanted = new Set([this.#rooms.me.id, ...this.#shown().map(({ id }) => id)].slice(0, WATCH_AT_ONCE));
    const gone = [...this.#presence.keys()].filter((id) => !wanted.has(id));
    const come = [...wanted].filter((id) => !this.#presence.has(id));
    for (const id of gone) this.#presence.delete(id);
    const alone = gone.filter((id) => !this.#stays(id)).slice(0, WATCH_AT_ONCE);
    if (alone.length) await this.#try(this.#connection.ask("presence:unwatch", { player_ids: alone }));
    if (!come.length) return;
    const answer = await this.#try(this.#connection.ask("presence:watch", { player_ids: come }));
    if (answer) this.#changed(answer.presence);
  }

  /**
   * @template T
   * @param {Promise<T>} promise
   */
  async #try(promise) {
    try {
      return await promise;
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure; // the next look may succeed
      return undefined;
    }
  }

  /** @param {Record<string, Presence>} presence */
  #changed(presence) {
    for (const [id, one] of Object.entries(presence)) this.#presence.set(id, one);
    const mine = presence[this.#rooms.me.id];
    if (mine && mine.status !== "offline") byId("status").value = mine.status;
    this.#render();
  }

  /** @returns {{id: string, name: string, status: string}[]} */
  #shown() {
    const room = this.#room;
    if (!room) return [];
    if (!room.partner) return [...room.members.values()];
    return [{ ...this.#rooms.me, status: "online" }, { ...room.partner, status: "offline" }];
  }

  #render() {
    const all = this.#shown().map((one) => ({ ...one, presence: this.#presence.get(one.id), status: this.#presence.get(one.id)?.status ?? one.status }));
    // In a room are those who are connected; a whisper's partner may be away.
    const members = all.filter(({ status }) => this.#room?.partner || status !== "offline");
    members.sort((a, b) => rank(a.status) - rank(b.status) || a.name.localeCompare(b.name));
    const here = members.filter(({ status }) => status !== "offline").length;
    const count = this.#room?.partner ? here : Math.max(here, (this.#room?.count ?? 0) - (all.length - here));
    byId("people-count").textContent = String(count);
    const list = byId("people-list");
    const focused = /** @type {HTMLElement | null} */ (list.contains(document.activeElement) ? document.activeElement : null)?.dataset.key;
    list.replaceChildren(...members.map((one) => this.#row(one)));
    const rest = count - here;
    if (rest > 0) list.append(el("li", { class: "rest", text: `and ${rest} more` }));
    if (focused) list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  /** @param {{id: string, name: string, status: string, presence: Presence | undefined}} person */
  #row({ id, name, status, presence }) {
    const me = id === this.#rooms.me.id;
    const duelling = presence?.in_duel;
    const words = `${WORDS[status] ?? status}${duelling ? ", in a duel" : ""}`;
    const away = Boolean(duelling) || status === "offline";
    const about = [nameOf(name), me && el("span", { class: "tag", text: "you" }), el("span", { class: "state", text: words })];
    const open = () => this.#acts.card({ id, name }, { words, away });
    return el(
      "li",
      { class: `person ${status}` },
      el("span", { class: `dot ${duelling ? "duel" : status}`, "aria-hidden": "true" }),
      me ? el("span", { class: "who" }, ...about) : el("button", { type: "button", class: "who", "data-key": `c${id}`, title: "Give coins, stake, rob …", on: { click: open } }, ...about),
      !me && iconButton("whisper", `Whisper to ${name}`, () => this.#acts.whisper({ id, name }), { "data-key": `w${id}` }),
      !me && iconButton("duel", `Challenge ${name} to a duel`, () => this.#acts.challenge(id), { "data-key": `d${id}`, disabled: away }),
    );
  }
}

/** @param {string} status */
const rank = (status) => ORDER[status] ?? 4;
