/** The chat panel: tabs, one room's messages, the composer. */

import { every, minutes, now, secondsTo } from "./clock.js";
import { byId, el, iconButton, nameOf } from "./dom.js";
import { Refused } from "./errors.js";
import { MessageList } from "./messages.js";
import { attempt, question, say, toast } from "./notices.js";

/** @typedef {import("./types.js").ChatMessage} ChatMessage */
/** @typedef {import("./types.js").Named} Named */
/** @typedef {import("./rooms.js").Rooms} Rooms */
/** @typedef {import("./rooms.js").Room} Room */
/** @typedef {import("./connection.js").Connection} Connection */

const CHARS = 500;
const WARN_CHARS = 400;
const EDIT_MS = 5 * 60_000;
const TYPING_EVERY_MS = 2_500;
const TYPING_SHOWN_MS = 4_500;
const SAVED = 12; // rooms that are opened again after a reload
const MODERATORS = ["moderator", "admin"];

export class Chat {
  #rooms;
  #connection;
  #list;
  /** @type {Room | null} */
  #room = null;
  #role = "player";
  #mutedUntil = 0;
  #typedAt = 0;
  /** @type {Map<string, {room: string, name: string, until: number}>} */
  #typing = new Map();
  #composer = byId("composer");
  #text = byId("text");
  #loaded = "";

  /**
   * @param {Connection} connection
   * @param {Rooms} rooms
   * @param {{challenge(id: string): void, card(who: Named): void, blocked(id: string): boolean, show(): void}} outside show: bring the chat to the front
   */
  constructor(connection, rooms, outside) {
    this.#connection = connection;
    this.#rooms = rooms;
    this.outside = outside;
    this.#list = new MessageList(this.#acts(), (room) => rooms.older(room));
    this.#hear();
    this.#wire();
    every(() => this.#tick());
  }

  get room() {
    return this.#room;
  }

  #acts() {
    const waiting = (/** @type {Room} */ room, /** @type {string} */ key) => room.unsent.find((one) => one.key === key);
    return {
      me: () => this.#rooms.me.id,
      may: (/** @type {ChatMessage} */ message) => this.#may(message),
      edit: (/** @type {ChatMessage} */ message, /** @type {string} */ text) => this.#edit(message, text),
      remove: (/** @type {ChatMessage} */ message) => this.#remove(message),
      report: (/** @type {ChatMessage} */ message) => this.#report(message),
      whisper: (/** @type {Named} */ who) => this.whisper(who),
      ...this.outside,
      retry: (/** @type {Room} */ room, /** @type {string} */ key) => this.#again(room, waiting(room, key)),
      drop: (/** @type {Room} */ room, /** @type {string} */ key) => {
        const one = waiting(room, key);
        if (one) this.#rooms.drop(room, one);
      },
    };
  }

  #hear() {
    const rooms = this.#rooms;
    const detail = (/** @type {Event} */ event) => /** @type {CustomEvent} */ (event).detail;
    rooms.addEventListener("list", () => this.#tabs());
    rooms.addEventListener("messages", (event) => {
      if (detail(event) === this.#room) this.#show(detail(event));
    });
    rooms.addEventListener("added", (event) => this.#added(detail(event)));
    rooms.addEventListener("unread", (event) => this.#unread(detail(event)));
    rooms.addEventListener("changed", (event) => {
      if (detail(event).room === this.#room) this.#list.change(detail(event).message);
    });
    rooms.addEventListener("unsent", (event) => this.#list.unsent(detail(event)));
    this.#connection.on("chat:typing", ({ room, from }) => {
      this.#typing.set(`${room} ${from.id}`, { room, name: from.name, until: Date.now() + TYPING_SHOWN_MS });
      if (this.#typing.size > 50) this.#typing.delete(this.#typing.keys().next().value ?? "");
    });
    this.#connection.on("chat:muted", ({ muted_until: until, reason }) => {
      this.mute(until);
      if (until) toast(`You are muted. ${reason}`, { kind: "bad" });
      else toast("You may write again.", { kind: "good" });
    });
  }

  #wire() {
    const text = this.#text;
    this.#composer.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#send();
    });
    text.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) event.preventDefault(), this.#send();
    });
    text.addEventListener("input", () => this.#typed());
    byId("messages").addEventListener("read", () => this.#read());
    byId("latest").addEventListener("click", () => this.#latest());
    byId("tabs").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#tabKeys(event));
    byId("join-room").addEventListener("click", () => this.#ask());
  }

  // Rooms

  /** A new player: his rooms of last time.
   * @param {{id: string, name: string, role: string}} me
   */
  begin(me) {
    this.#rooms.me = me;
    this.#role = me.role;
    if (this.#loaded === me.id) return;
    this.#loaded = me.id;
    this.#rooms.open("global");
    this.#rooms.open("trade");
    for (const { name, partner } of saved(me.id)) this.#rooms.open(name, partner);
    this.select("global");
  }

  #save() {
    const kept = [...this.#rooms.all.values()].filter(({ name }) => /^(room|whisper):/.test(name));
    const list = kept.slice(-SAVED).map(({ name, partner }) => ({ name, partner }));
    localStorage.setItem(`showdown.rooms.${this.#rooms.me.id}`, JSON.stringify(list));
  }

  /** @param {string} name */
  select(name) {
    const room = this.#rooms.all.get(name) ?? this.#rooms.open("global");
    if (this.#room) this.#room.unread = this.#list.atBottom ? 0 : this.#room.unread;
    if (this.#room) this.#room.shown = false;
    this.#room = room;
    room.shown = true;
    room.unread = 0;
    this.#tabs();
    this.#show(room);
    this.#rooms.tell("members", room);
    this.#rooms.tell("selected", room);
  }

  /** @param {Room} room */
  #show(room) {
    this.#list.show(room);
    this.#jump();
  }

  /** Draw the room anew: somebody in it was blocked, or is not any more. */
  again() {
    if (this.#room) this.#list.show(this.#room);
  }

  /** Enter a room and show it.
   * @param {string} name
   */
  async join(name) {
    const room = this.#rooms.open(name);
    if (!room.joined && (await attempt(this.#rooms.enter(room))) === undefined) return this.#rooms.close(name);
    this.select(name);
  }

  /** @param {Named} who */
  async whisper(who) {
    if (who.id === this.#rooms.me.id) return;
    const room = this.#rooms.whisper(who);
    this.select(room.name);
    this.outside.show();
    if (!room.messages.length) await attempt(this.#rooms.enter(room));
    this.#text.focus();
  }

  async #ask() {
    const name = await question({ title: "Enter a room", text: "A room is there as soon as somebody enters it.", label: "Name: a to z, digits, - and _", max: 40, pattern: "[a-z0-9_\\-]+", ok: "Enter" });
    if (name) await this.join(`room:${name}`);
  }

  /** @param {string} name */
  leave(name) {
    const current = this.#room?.name === name;
    this.#rooms.close(name);
    if (current) this.select("global");
  }

  #tabs() {
    if (!this.#rooms.me.id) return;
    const rows = [...this.#rooms.all.values()].map((room) => {
      const selected = room === this.#room;
      const unread = room.unread ? el("span", { class: "badge", text: room.unread > 99 ? "99+" : String(room.unread) }, el("span", { class: "spoken", text: " unread" })) : null;
      const tab = el("button", { type: "button", role: "tab", id: `tab-${room.name}`, "aria-selected": String(selected), "aria-controls": "room", tabindex: selected ? 0 : -1, on: { click: () => this.select(room.name) } }, ...title(room), unread);
      const closable = /^(room|whisper):/.test(room.name);
      return el("div", { class: selected ? "tab selected" : "tab", role: "presentation" }, tab, closable && selected && iconButton("close", `Close ${plain(room)}`, () => this.leave(room.name)));
    });
    const focused = byId("tabs").contains(document.activeElement) && document.activeElement?.id;
    byId("tabs").replaceChildren(...rows);
    if (focused) document.getElementById(focused)?.focus();
    const selected = this.#room && document.getElementById(`tab-${this.#room.name}`);
    selected?.scrollIntoView({ block: "nearest", inline: "nearest" });
    byId("room").setAttribute("aria-labelledby", `tab-${this.#room?.name}`);
    const total = [...this.#rooms.all.values()].reduce((sum, { unread }) => sum + unread, 0);
    document.title = total ? `(${total}) Showdown` : "Showdown";
    byId("chat-badge").textContent = total ? String(Math.min(total, 99)) : "";
    this.#save();
  }

  /** @param {KeyboardEvent} event */
  #tabKeys(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const names = [...this.#rooms.all.keys()];
    const at = names.indexOf(this.#room?.name ?? "");
    const next = names[(at + step + names.length) % names.length];
    event.preventDefault();
    this.select(next);
    document.getElementById(`tab-${next}`)?.focus();
  }

  // Messages

  /** @param {{room: Room, message: ChatMessage}} news */
  #added({ room, message }) {
    const whose = [...this.#typing].find(([key]) => key === `${room.name} ${message.from.id}`);
    if (whose) this.#typing.delete(whose[0]);
    const missed = this.#connection.catchingUp && room.messages[room.messages.length - 2]?.id === room.seenUntil;
    if (room === this.#room) {
      const seen = this.#list.atBottom && !document.hidden && byId("room").offsetParent !== null;
      this.#list.add(room, message, missed);
      if (!seen && message.from.id !== this.#rooms.me.id) this.#unread(room);
      this.#jump();
    } else if (message.from.id !== this.#rooms.me.id) {
      this.#unread(room);
      if (room.partner) say(`${message.from.name} whispers to you.`);
    }
  }

  /** @param {Room} room */
  #unread(room) {
    room.unread += 1;
    this.#tabs();
    this.#jump();
  }

  #read() {
    if (this.#room?.unread) {
      this.#room.unread = 0;
      this.#tabs();
    }
    this.#jump();
  }

  #jump() {
    const room = this.#room;
    const away = Boolean(room && (!room.atEnd || !this.#list.atBottom));
    const jump = byId("latest");
    jump.hidden = !away;
    jump.textContent = room?.unread ? `${room.unread} new` : "To the latest";
  }

  async #latest() {
    if (!this.#room) return;
    if (!this.#room.atEnd) await attempt(this.#rooms.latest(this.#room));
    this.#list.toBottom();
    this.#read();
  }

  /** @param {ChatMessage} message */
  #may(message) {
    if (MODERATORS.includes(this.#role)) return true;
    return message.from.id === this.#rooms.me.id && now() - message.sent_at < EDIT_MS;
  }

  /**
   * @param {ChatMessage} message
   * @param {string} text
   */
  async #edit(message, text) {
    return Boolean(await attempt(this.#connection.ask("chat:edit", { message_id: message.id, text })));
  }

  /** @param {ChatMessage} message */
  async #remove(message) {
    const sure = await question({ title: "Delete this message?", ok: "Delete", danger: true });
    if (sure !== null) await attempt(this.#connection.ask("chat:delete", { message_id: message.id }));
  }

  /** @param {ChatMessage} message */
  async #report(message) {
    const reason = await question({ title: "Report this message", text: "The moderators see the message and your words.", label: "What is wrong with it?", ok: "Report" });
    if (!reason) return;
    const done = await attempt(this.#connection.ask("chat:report", { message_id: message.id, reason }));
    if (done) toast("The moderators have your report.", { kind: "good" });
  }

  // Writing

  async #send() {
    const text = this.#text.value;
    const room = this.#room;
    if (!room || !text.trim() || this.#muted || [...text].length > CHARS) return;
    this.#text.value = "";
    this.#typed();
    this.#typedAt = 0;
    await this.#answered(await this.#rooms.send(room, text));
  }

  /**
   * @param {Room} room
   * @param {import("./rooms.js").Unsent | undefined} one
   */
  async #again(room, one) {
    if (one) await this.#answered(await this.#rooms.retry(room, one));
  }

  /** @param {unknown} failure */
  async #answered(failure) {
    if (!(failure instanceof Refused)) return;
    if (failure.code === "muted" && failure.error.retry_after) this.mute(now() + failure.error.retry_after * 1000);
    else if (failure.code !== "offline") say(`Not sent. ${failure.code}`);
  }

  #typed() {
    const count = [...this.#text.value].length;
    const counter = byId("counter");
    counter.hidden = count < WARN_CHARS;
    counter.textContent = `${count} of ${CHARS}`;
    counter.classList.toggle("over", count > CHARS);
    this.#text.style.height = "auto";
    this.#text.style.height = `${Math.min(this.#text.scrollHeight + 2, 140)}px`;
    const room = this.#room;
    if (!count || !room?.joined || Date.now() - this.#typedAt < TYPING_EVERY_MS) return;
    this.#typedAt = Date.now();
    this.#connection.tell("chat:typing", { room: room.name });
  }

  /** @param {number | null} until in ms since the epoch by the server's clock */
  mute(until) {
    this.#mutedUntil = until ?? 0;
    this.#tick();
  }

  get #muted() {
    return this.#mutedUntil > now();
  }

  #tick() {
    const notice = byId("muted");
    if (notice.hidden === this.#muted) {
      notice.hidden = !this.#muted;
      this.#text.disabled = byId("send").disabled = this.#muted;
    }
    if (this.#muted) byId("muted-left").textContent = minutes(secondsTo(this.#mutedUntil));
    this.#showTyping();
  }

  #showTyping() {
    for (const [key, { until }] of this.#typing) if (until < Date.now()) this.#typing.delete(key);
    const here = [...this.#typing.values()].filter(({ room }) => room === this.#room?.name);
    const line = byId("typing");
    const text = here.length > 2 ? "Several are writing …" : here.map(({ name }) => `\u2068${name}\u2069`).join(" and ");
    const shown = here.length && here.length <= 2 ? `${text} ${here.length > 1 ? "are" : "is"} writing …` : text;
    if (line.textContent !== shown) line.textContent = shown;
  }
}

/** @param {Room} room */
function title(room) {
  if (room.partner) return [nameOf(room.partner.name)];
  return [plain(room)];
}

/** @param {Room} room */
function plain(room) {
  if (room.partner) return room.partner.name;
  if (room.name.startsWith("duel:")) return "Table talk";
  if (room.name.startsWith("room:")) return `#${room.name.slice(5)}`;
  return room.name === "global" ? "Global" : "Trade";
}

/**
 * @param {string} id
 * @returns {{name: string, partner: Named | null}[]}
 */
function saved(id) {
  try {
    return JSON.parse(localStorage.getItem(`showdown.rooms.${id}`) ?? "[]");
  } catch {
    return []; // not ours
  }
}

