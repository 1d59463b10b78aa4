/** The names of players that this page has met, as many as it keeps: a book of ids. */

/** @typedef {import("./types.js").Named} Named */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./rooms.js").Rooms} Rooms */
/** @typedef {import("./duels.js").Duels} Duels */

const KEPT = 500;

export class Names {
  /** @type {Map<string, string>} the last one met is the last one */
  #names = new Map();
  #rooms;

  /**
   * @param {Connection} connection
   * @param {Rooms} rooms
   * @param {Duels} duels
   * @param {import("./friends.js").Friends} friends
   */
  constructor(connection, rooms, duels, friends) {
    this.#rooms = rooms;
    connection.on("chat:message", ({ from }) => this.meet([from]));
    rooms.addEventListener("members", (event) => {
      const room = /** @type {CustomEvent} */ (event).detail;
      this.meet([...room.members.values()]);
      this.meet(room.messages.map((/** @type {import("./types.js").ChatMessage} */ one) => one.from));
    });
    friends.addEventListener("changed", () => this.meet([...friends.all.values()]));
    duels.addEventListener("table", () => this.meet(duels.duel?.players ?? []));
  }

  /** @param {Named[]} players */
  meet(players) {
    for (const { id, name } of players) {
      this.#names.delete(id);
      this.#names.set(id, name);
      const [oldest] = this.#names.keys();
      if (this.#names.size > KEPT) this.#names.delete(oldest);
    }
  }

  /**
   * The name, or words for somebody who was never met.
   *
   * @param {string} id
   */
  of(id) {
    return this.#names.get(id) ?? "another player";
  }

  /** Everybody else who was met, by name.
   * @returns {Named[]}
   */
  others() {
    const all = [...this.#names].map(([id, name]) => ({ id, name }));
    return all.filter(({ id }) => id !== this.#rooms.me.id).sort((a, b) => a.name.localeCompare(b.name));
  }
}
