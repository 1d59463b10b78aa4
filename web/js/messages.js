/** The list of one room's messages: as many elements as messages are kept, not one more. */

import { timeOf } from "./clock.js";
import { button, byId, el, icon, nameOf } from "./dom.js";
import { KEPT } from "./rooms.js";

/** @typedef {import("./types.js").ChatMessage} ChatMessage */
/** @typedef {import("./rooms.js").Room} Room */
/** @typedef {{edit(m: ChatMessage, text: string): Promise<boolean>, remove(m: ChatMessage): void,
 *   report(m: ChatMessage): void, whisper(who: {id: string, name: string}): void,
 *   challenge(id: string): void, card(who: {id: string, name: string}): void, blocked(id: string): boolean, may(m: ChatMessage): boolean, me(): string,
 *   retry(room: Room, key: string): void, drop(room: Room, key: string): void}} Acts */

const DELETED = "deleted"; // whose account is gone: nobody to whisper to
const NEAR = 90; // pixels from an end
const SAME_SPEAKER_MS = 4 * 60_000;
const WATCH_LINK = /(https?:\/\/[^\s#]+\/#duel=([a-z0-9-]{1,64}))/;

export class MessageList {
  #box = byId("messages");
  #list = byId("message-list");
  #acts;
  /** @type {Room | null} */
  #room = null;
  #loadOlder;

  /**
   * @param {Acts} acts
   * @param {(room: Room) => void} loadOlder
   */
  constructor(acts, loadOlder) {
    this.#acts = acts;
    this.#loadOlder = loadOlder;
    this.#box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
  }

  /** Whether the newest message is in sight. */
  get atBottom() {
    return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < NEAR;
  }

  toBottom() {
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  #scrolled() {
    const room = this.#room;
    if (!room) return;
    if (this.#box.scrollTop < NEAR && room.more) this.#loadOlder(room);
    if (this.atBottom && room.atEnd) this.#box.dispatchEvent(new Event("read"));
  }

  /**
   * Show a room, or all of it anew, without moving what is being read.
   *
   * @param {Room} room
   */
  show(room) {
    const same = this.#room === room;
    const bottom = !same || this.atBottom;
    const anchor = same && !bottom ? this.#anchor() : null;
    this.#room = room;
    this.#box.setAttribute("aria-busy", "true"); // old messages are not news to be spoken
    this.#list.replaceChildren(...this.#all(room));
    this.unsent(room);
    if (anchor) this.#restore(anchor);
    else if (bottom) this.toBottom();
    requestAnimationFrame(() => this.#box.removeAttribute("aria-busy"));
    if (room.more && this.#box.scrollHeight <= this.#box.clientHeight) this.#loadOlder(room);
  }

  #anchor() {
    const top = this.#box.getBoundingClientRect().top;
    const first = [...this.#list.children].find((one) => one.getBoundingClientRect().bottom > top);
    return first && { id: first.dataset.id, offset: first.getBoundingClientRect().top - top };
  }

  /** @param {{id: string, offset: number}} anchor */
  #restore({ id, offset }) {
    const there = [...this.#list.children].find((one) => one.dataset.id === id);
    if (there) this.#box.scrollTop += there.getBoundingClientRect().top - this.#box.getBoundingClientRect().top - offset;
  }

  /** @param {Room} room */
  #all(room) {
    const items = [];
    if (!room.more && room.messages.length) items.push(el("li", { class: "edge", text: "This is the beginning." }));
    let before = null;
    for (const message of room.messages) {
      const first = room.seenUntil && message.id > room.seenUntil && (!before || before.id <= room.seenUntil);
      if (first) items.push(el("li", { class: "edge missed", text: room.gap ? "While you were away, and more before" : "While you were away" }));
      items.push(this.#message(message, first ? null : before));
      before = message;
    }
    return items;
  }

  /** One more at the end.
   * @param {Room} room
   * @param {ChatMessage} message
   * @param {boolean} missed the first one after an absence
   */
  add(room, message, missed) {
    const bottom = this.atBottom;
    if (room.newest !== message) return this.show(room);
    if (missed) this.#list.append(el("li", { class: "edge missed", text: "While you were away" }));
    const before = room.messages[room.messages.length - 2];
    this.#list.append(this.#message(message, missed ? null : before));
    if (bottom) {
      while (this.#list.children.length > KEPT) this.#list.firstElementChild.remove();
      this.toBottom();
    } else if (this.#list.children.length > KEPT) this.show(room);
  }

  /** @param {ChatMessage} message */
  change(message) {
    const old = [...this.#list.children].find((one) => one.dataset.id === message.id);
    if (!old) return;
    const at = this.#room?.messages.indexOf(message) ?? -1;
    old.replaceWith(this.#message(message, old.classList.contains("joined") ? this.#room?.messages[at - 1] : null));
  }

  /**
   * @param {ChatMessage} message
   * @param {ChatMessage | null | undefined} before whose head also stands for this one
   */
  #message(message, before) {
    const me = this.#acts.me();
    const joined = before && before.from.id === message.from.id && message.sent_at - before.sent_at < SAME_SPEAKER_MS;
    const blocked = this.#acts.blocked(message.from.id);
    const classes = ["message", joined && "joined", message.from.id === me && "own", (message.deleted || blocked) && "deleted"];
    const item = el("li", { class: classes.filter(Boolean).join(" "), "data-id": message.id });
    const time = el("time", { datetime: new Date(message.sent_at).toISOString(), text: timeOf(message.sent_at) });
    item.append(
      el("div", { class: joined ? "head spoken" : "head" }, nameOf(message.from.name), time),
      el("p", { class: "text", dir: "auto" }, ...(blocked ? ["You have blocked this player."] : body(message))),
    );
    if (message.edited_at && !message.deleted) item.append(el("span", { class: "edited", text: "edited" }));
    if (!message.deleted) item.append(this.#more(item, message));
    return item;
  }

  /**
   * @param {HTMLElement} item
   * @param {ChatMessage} message
   */
  #more(item, message) {
    const open = () => {
      const there = item.querySelector(".acts");
      more.setAttribute("aria-expanded", String(!there));
      if (there) return there.remove();
      item.append(this.#choices(item, message));
      /** @type {HTMLElement | null} */ (item.querySelector(".acts button"))?.focus();
    };
    const more = el("button", { type: "button", class: "icon-button more", "aria-expanded": "false", "aria-label": `Actions for the message of ${message.from.name}`, on: { click: open } }, icon("more"));
    return more;
  }

  /**
   * @param {HTMLElement} item
   * @param {ChatMessage} message
   */
  #choices(item, message) {
    const acts = this.#acts;
    const mine = message.from.id === acts.me();
    const close = () => {
      item.querySelector(".acts")?.remove();
      const more = /** @type {HTMLElement} */ (item.querySelector(".more"));
      more?.setAttribute("aria-expanded", "false");
      more?.focus();
    };
    const row = el("div", { class: "acts", on: { keydown: (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && close() } });
    const act = (/** @type {string} */ label, /** @type {() => void} */ run) => row.append(button(label, () => (close(), run())));
    if (acts.may(message)) {
      act("Edit", () => this.#edit(item, message));
      act("Delete", () => acts.remove(message));
    }
    if (!mine && message.from.id !== DELETED) {
      act("Whisper", () => acts.whisper(message.from));
      act("Challenge", () => acts.challenge(message.from.id));
      act("Report", () => acts.report(message));
      act("More …", () => acts.card(message.from));
    }
    if (!row.children.length) row.append(el("span", { class: "muted-text", text: "Too late to change it." }), button("Close", close));
    return row;
  }

  /**
   * @param {HTMLElement} item
   * @param {ChatMessage} message
   */
  #edit(item, message) {
    const text = el("textarea", { rows: 2, "aria-label": "The message's text" });
    text.value = message.text;
    const save = async () => {
      if (text.value.trim() === message.text || (await this.#acts.edit(message, text.value))) this.change(message);
      else text.focus();
    };
    const keys = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") this.change(message);
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) event.preventDefault(), save();
    };
    text.addEventListener("keydown", keys);
    item.querySelector(".text")?.replaceWith(
      el("div", { class: "editor" }, text, el("div", { class: "row" }, button("Save", save, { class: "primary" }), button("Cancel", () => this.change(message)))),
    );
    text.focus();
  }

  /** What is on its way, or did not arrive.
   * @param {Room} room
   */
  unsent(room) {
    if (room !== this.#room) return;
    const bottom = this.atBottom;
    byId("unsent").replaceChildren(
      ...room.unsent.map(({ key, text, failed }) =>
        el(
          "li",
          { class: failed ? "message own failed" : "message own waiting" },
          el("p", { class: "text", dir: "auto", text }),
          failed
            ? el("div", { class: "row" }, el("span", { class: "why", text: `Not sent. ${failed}` }), button("Send again", () => this.#acts.retry(room, key)), button("Discard", () => this.#acts.drop(room, key)))
            : el("span", { class: "edited", text: "sending …" }),
        ),
      ),
    );
    if (bottom) this.toBottom();
  }
}

/** The text; a link to a duel at this very server can be followed, nothing else is a link.
 * @param {ChatMessage} message
 */
function body({ text, deleted }) {
  if (deleted) return ["This message was deleted."];
  const [, link, id] = text.match(WATCH_LINK) ?? [];
  if (!link?.startsWith(`${location.origin}/#`)) return [text];
  const [head, ...tail] = text.split(link);
  return [head, el("a", { href: `#duel=${id}`, text: "Watch the duel" }), tail.join(link)];
}
