/**
 * What this page knows of its rooms: a bounded window of each one's messages.
 *
 * A room keeps at most KEPT messages. Whoever scrolls up loads older ones, and the newest ones
 * give way (`atEnd` is false); whoever stays at the end loses the oldest ones.
 */

import { randomKey } from "./dom.js";
import { Refused, sentence } from "./errors.js";

/** @typedef {import("./types.js").ChatMessage} ChatMessage */
/** @typedef {import("./types.js").Named} Named */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {Named & {status: string}} Member */
/** @typedef {{key: string, text: string, failed: string}} Unsent failed: why, "" while it is on its way */

export const KEPT = 300;
const PAGE = 50;
const GAP_PAGES = 4; // read to fill what was missed; more is said to be left out
const MEMBERS = 100;
const WHISPERS = 20; // conversations at once; the oldest ones give way

/** One room. */
export class Room {
  /** @type {ChatMessage[]} in their order */
  messages = [];
  /** @type {Unsent[]} */
  unsent = [];
  /** @type {Map<string, Member>} */
  members = new Map();
  count = 0;
  unread = 0;
  /** Whether there are older ones than those here. */
  more = true;
  /** Whether the newest message is among those here. */
  atEnd = true;
  loading = false;
  joined = false;
  /** Whether it is the one that is shown. */
  shown = false;
  /** @type {string} the last message before the connection was lost */
  seenUntil = "";
  /** Some of what was missed is not among the messages here. */
  gap = false;

  /**
   * @param {string} name
   * @param {Named | null} partner of a whisper
   */
  constructor(name, partner = null) {
    this.name = name;
    this.partner = partner;
  }

  get newest() {
    return this.messages[this.messages.length - 1];
  }

  /** Put messages in their places; those that are here are replaced.
   * @param {ChatMessage[]} messages
   */
  put(messages) {
    const known = new Map(this.messages.map((one) => [one.id, one]));
    for (const one of messages) known.set(one.id, one);
    this.messages = [...known.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** A new one at the end, the usual case.
   * @param {ChatMessage} message
   */
  add(message) {
    if (this.newest && message.id <= this.newest.id) return this.put([message]);
    this.messages.push(message);
    if (this.messages.length > KEPT) {
      this.messages.splice(0, this.messages.length - KEPT);
      this.more = true;
    }
  }
}

/**
 * All rooms. Dispatches `list` (rooms came, went, have unread ones), and with the room as
 * detail: `messages` (all anew), `added`, `changed` (one message: detail {room, message}),
 * `members`, `unsent`.
 */
export class Rooms extends EventTarget {
  /** @type {Map<string, Room>} */
  all = new Map();
  me = { id: "", name: "" };
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    super();
    this.#connection = connection;
    connection.on("chat:message", (message) => this.#arrived(message));
    connection.on("chat:edited", (message) => this.#edited(message));
    connection.on("chat:deleted", (message) => this.#edited(message));
  }

  /**
   * @param {string} type
   * @param {any} [detail]
   */
  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /**
   * The room of that name, made if it is new.
   *
   * @param {string} name
   * @param {Named | null} [partner]
   */
  open(name, partner = null) {
    let room = this.all.get(name);
    if (!room) {
      room = new Room(name, partner);
      this.all.set(name, room);
      if (partner) this.#makeWay(room);
      this.tell("list");
    }
    return room;
  }

  /** @param {Room} fresh the newest conversation */
  #makeWay(fresh) {
    const whispers = [...this.all.values()].filter(({ partner }) => partner);
    const idle = whispers.find((one) => one !== fresh && !one.shown && !one.unsent.length);
    if (whispers.length > WHISPERS && idle) this.all.delete(idle.name);
  }

  /** @param {Named} partner */
  whisper(partner) {
    return this.open(`whisper:${[this.me.id, partner.id].sort().join(":")}`, partner);
  }

  /** @param {string} name */
  close(name) {
    const room = this.all.get(name);
    if (!room) return;
    this.all.delete(name);
    if (room.joined) this.#connection.tell("chat:leave", { room: name });
    this.tell("list");
  }

  /** The connection is gone: what comes from now on was missed. */
  lost() {
    for (const room of this.all.values()) room.seenUntil = room.newest?.id ?? "";
  }

  /**
   * Enter a room and read its last messages; a whisper is read only.
   *
   * @param {Room} room
   * @returns {Promise<number>} how many messages were missed since the connection was lost
   */
  async enter(room) {
    if (room.partner) {
      const page = await this.#connection.ask("chat:history", { room: room.name, limit: PAGE });
      return this.#catchUp(room, page.messages, page.next_before !== null);
    }
    const page = await this.#connection.ask("chat:join", { room: room.name });
    room.joined = true;
    this.#seat(room, page);
    return this.#catchUp(room, page.messages, page.messages.length >= PAGE);
  }

  /**
   * @param {Room} room
   * @param {ChatMessage[]} latest
   * @param {boolean} full whether there are older ones
   */
  async #catchUp(room, latest, full) {
    const [known] = room.messages;
    const missed = await this.#back(room, latest, full);
    if (room.gap || !known || !room.atEnd) {
      room.messages = [];
      room.more = full;
    }
    room.atEnd = true;
    room.put(missed);
    this.#trim(room);
    this.tell("messages", room);
    return room.seenUntil ? missed.filter(({ id, from }) => id > room.seenUntil && from.id !== this.me.id).length : 0;
  }

  /** The latest messages, and those before them down to the last one that we saw.
   * @param {Room} room
   * @param {ChatMessage[]} latest
   * @param {boolean} full
   */
  async #back(room, latest, full) {
    let messages = latest;
    let before = full ? latest[0]?.id : null;
    for (let page = 0; room.seenUntil && before && before > room.seenUntil && page < GAP_PAGES; page++) {
      const answer = await this.#connection.ask("chat:history", { room: room.name, before, limit: PAGE });
      messages = [...answer.messages, ...messages];
      before = answer.next_before;
    }
    room.gap = Boolean(room.seenUntil && before && before > room.seenUntil);
    return messages;
  }

  /** @param {Room} room */
  #trim(room) {
    if (room.messages.length <= KEPT) return;
    room.messages.splice(0, room.messages.length - KEPT);
    room.more = true;
  }

  /** Who is there now: the server tells it to those who enter.
   * @param {Room} room
   */
  async lookAround(room) {
    if (room.joined) this.#seat(room, await this.#connection.ask("chat:join", { room: room.name }));
  }

  /**
   * @param {Room} room
   * @param {{members: Member[], member_count: number}} page
   */
  #seat(room, { members, member_count }) {
    room.members = new Map(members.map((one) => [one.id, one]));
    room.count = member_count;
    this.tell("members", room);
  }

  /** Older messages than the oldest one here.
   * @param {Room} room
   */
  async older(room) {
    if (room.loading || !room.more || !this.#connection.online) return;
    room.loading = true;
    try {
      const before = room.messages[0]?.id;
      const page = await this.#connection.ask("chat:history", { room: room.name, limit: PAGE, ...(before && { before }) });
      room.more = page.next_before !== null;
      room.put(page.messages);
      if (room.messages.length > KEPT) {
        room.messages.length = KEPT;
        room.atEnd = false;
      }
      this.tell("messages", room);
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure;
    } finally {
      room.loading = false;
    }
  }

  /** Back to the newest messages.
   * @param {Room} room
   */
  async latest(room) {
    const page = await this.#connection.ask("chat:history", { room: room.name, limit: PAGE });
    room.messages = page.messages;
    room.more = page.next_before !== null;
    room.atEnd = true;
    this.tell("messages", room);
  }

  /** @param {ChatMessage} message */
  #arrived(message) {
    const room = this.#roomOf(message);
    if (!room) return;
    if (message.from.id === this.me.id) this.#sent(room, message.text);
    else if (!room.partner && !room.members.has(message.from.id)) this.#newcomer(room, message.from);
    if (!room.atEnd) return this.tell("unread", room);
    if (room.messages.some(({ id }) => id === message.id)) return;
    room.add(message);
    this.tell("added", { room, message });
  }

  /** @param {ChatMessage} message */
  #roomOf(message) {
    const known = this.all.get(message.room);
    if (known || !message.room.startsWith("whisper:")) return known;
    if (message.from.id === this.me.id) return undefined; // from another tab, about whom we know nothing
    const room = this.whisper(message.from);
    this.enter(room).catch(() => {}); // what came before; without it there is this message
    return room;
  }

  /**
   * @param {Room} room
   * @param {Named} from
   */
  #newcomer(room, from) {
    if (room.members.size >= MEMBERS) return;
    room.members.set(from.id, { ...from, status: "online" });
    room.count = Math.max(room.count, room.members.size);
    this.tell("members", room);
  }

  /** @param {ChatMessage} message */
  #edited(message) {
    const room = this.all.get(message.room);
    const at = room?.messages.findIndex(({ id }) => id === message.id) ?? -1;
    if (!room || at < 0) return;
    room.messages[at] = message;
    this.tell("changed", { room, message });
  }

  // Sending: a message stays until the server has it; its key keeps it from being said twice.

  /**
   * @param {Room} room
   * @param {string} text
   */
  send(room, text) {
    const one = { key: randomKey(), text, failed: "" };
    room.unsent.push(one);
    return this.retry(room, one);
  }

  /**
   * @param {Room} room
   * @param {Unsent} one
   * @returns {Promise<unknown>} why it was refused; undefined: it was not
   */
  async retry(room, one) {
    one.failed = "";
    this.tell("unsent", room);
    const event = room.partner ? "chat:whisper" : "chat:send";
    const to = room.partner ? { to: room.partner.id } : { room: room.name };
    try {
      const { message } = await this.#connection.ask(event, { ...to, text: one.text, client_id: one.key });
      this.drop(room, one);
      this.#arrived(message);
      return undefined;
    } catch (failure) {
      one.failed = sentence(failure);
      if (room.unsent.includes(one)) this.tell("unsent", room);
      return failure;
    }
  }

  /**
   * @param {Room} room
   * @param {Unsent} one
   */
  drop(room, one) {
    room.unsent = room.unsent.filter((other) => other !== one);
    this.tell("unsent", room);
  }

  /** Our own message came as an event, which is before its answer: it is not waiting any more.
   * @param {Room} room
   * @param {string} text
   */
  #sent(room, text) {
    const one = room.unsent.find((waiting) => !waiting.failed && waiting.text.trim() === text);
    if (one) this.drop(room, one);
  }

  /** After a reconnect: what had no answer is sent again. */
  resend() {
    for (const room of this.all.values()) for (const one of room.unsent) this.retry(room, one);
  }
}
