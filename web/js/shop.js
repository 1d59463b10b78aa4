/** The shop's view: what is for sale, what one has of it, what works, and coins for money. */

import { every, now, secondsTo } from "./clock.js";
import { button, byId, el, icon } from "./dom.js";
import { coins, spell } from "./errors.js";
import { attempt, say, toast } from "./notices.js";
import { packCard, showOrder } from "./packs.js";
import { readable } from "./reasons.js";
import { inSight, views } from "./views.js";

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Owned} Owned */
/** @typedef {import("./types.js").Boost} Boost */
/** @typedef {import("./types.js").Pack} Pack */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./deeds.js").Deeds} Deeds */
/** @typedef {import("./purse.js").Purse} Purse */

const MOST = 1_000; // of one item in one purchase
const DAY = 86_400;
/** @type {Record<string, {icon: string, words: string}>} */
const EFFECTS = { shield: { icon: "shield", words: "Nobody can rob you" }, luck: { icon: "luck", words: "Luckier at robberies" } };

export class Shop {
  #connection;
  #deeds;
  #purse;
  /** @type {Item[]} */
  #items = [];
  /** @type {Owned[]} */
  #owned = [];
  /** @type {Boost[]} */
  #boosts = [];
  /** @type {Map<string, number>} how many the player is about to buy */
  #counts = new Map();
  #busy = false;

  /** @param {{connection: Connection, deeds: Deeds, purse: Purse}} parts */
  constructor({ connection, deeds, purse }) {
    this.#connection = connection;
    this.#deeds = deeds;
    this.#purse = purse;
    views.addEventListener("shown", () => this.look());
    purse.addEventListener("changed", () => this.#render());
    connection.on("purchase:changed", ({ order }) => showOrder(order));
    every(() => this.#tick());
  }

  /** Read everything, if it can be seen. */
  async look() {
    if (!inSight("shop") || !this.#connection.online) return;
    const [shop, inventory] = await Promise.all([attempt(this.#connection.ask("shop:list")), attempt(this.#connection.ask("inventory:list"))]);
    if (!shop || !inventory) return;
    this.#items = shop.items;
    this.#owned = inventory.items;
    this.#boosts = inventory.boosts;
    this.#render();
    await this.#packs();
  }

  async #packs() {
    try {
      const { notice, packs } = await this.#connection.ask("purchase:packs");
      byId("packs-notice").textContent = notice;
      byId("packs").replaceChildren(...packs.map((pack) => packCard(pack, () => this.#order(pack))));
      byId("packs-part").hidden = false;
    } catch {
      byId("packs-part").hidden = true; // this server sells nothing
    }
  }

  /** @param {Pack} pack */
  async #order(pack) {
    const done = await attempt(this.#deeds.ask("purchase:create", { pack: pack.id }));
    if (done) showOrder(done.order);
  }

  // What is drawn

  #render() {
    if (!inSight("shop")) return;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key;
    const gone = this.#owned.filter(({ item }) => !this.#items.some(({ id }) => id === item));
    byId("goods").replaceChildren(...this.#items.map((item) => this.#card(item)), ...gone.map((owned) => this.#leftover(owned)));
    byId("boosts").replaceChildren(...this.#boosts.map(boostRow));
    this.#tick();
    if (focused) /** @type {HTMLElement | null} */ (byId("shop").querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus();
  }

  /** @param {Item} item */
  #card(item) {
    const most = Math.min(item.left ?? MOST, item.yours ?? MOST, MOST);
    const count = Math.min(this.#counts.get(item.id) ?? 1, Math.max(1, most));
    const cost = item.price * count;
    const short = this.#purse.balance !== null && this.#purse.balance < cost;
    return el("li", { class: `ware kind-${item.effect?.kind ?? "thing"}`, "data-item": item.id },
      el("div", { class: "art", "aria-hidden": "true" }, icon(EFFECTS[item.effect?.kind ?? ""]?.icon ?? "star")),
      el("div", { class: "about" }, el("h3", { text: item.name }), el("p", { text: item.description }), el("ul", { class: "facts" }, ...facts(item).map((text) => el("li", { class: "tag", text })))),
      most < 1
        ? el("p", { class: "sold", text: item.left === 0 ? "Sold out" : "You have had all that one player may have." })
        : el("div", { class: "row buy" },
            most > 1 && this.#stepper(item, count, most),
            el("button", { type: "button", class: "primary", "data-key": `b${item.id}`, disabled: this.#busy || short, on: { click: () => this.#buy(item, count) } }, "Buy", spoken(` ${count} ${item.name} for `), el("span", { class: "price" }, icon("coin"), cost.toLocaleString("en")), spoken(" coins")),
            short && el("span", { class: "short", text: "Not enough coins" }),
          ),
      this.#mine(item.id, item),
    );
  }

  /**
   * @param {Item} item
   * @param {number} count
   * @param {number} most
   */
  #stepper(item, count, most) {
    const step = (/** @type {number} */ by) => {
      this.#counts.set(item.id, Math.max(1, Math.min(most, count + by)));
      this.#render();
      say(`${this.#counts.get(item.id)} ${item.name}`);
    };
    return el("div", { class: "stepper", role: "group", "aria-label": `How many ${item.name}` },
      button("−", () => step(-1), { "aria-label": "One less", "data-key": `-${item.id}`, disabled: count <= 1 }),
      el("span", { text: count }),
      button("+", () => step(1), { "aria-label": "One more", "data-key": `+${item.id}`, disabled: count >= most }),
    );
  }

  /** What the player has of it.
   * @param {string} id
   * @param {Item | null} item
   */
  #mine(id, item) {
    const owned = this.#owned.find((one) => one.item === id);
    if (!owned) return null;
    const name = item?.name ?? readable(id);
    const ends = owned.lots.map((lot) => lot.expires_at).filter((at) => at !== null);
    const rusts = ends.length ? `, the first until ${new Date(Math.min(...ends)).toLocaleDateString("en", { day: "numeric", month: "short" })}` : "";
    return el("div", { class: "row mine" },
      el("span", { class: "have" }, el("b", { text: `You have ${owned.count}` }), rusts),
      (!item || item.effect) && button("Use", () => this.#use(id, name), { "data-key": `u${id}`, "aria-label": `Use ${name}`, disabled: this.#busy }),
      (!item || item.resale > 0) && el("button", { type: "button", "data-key": `s${id}`, class: "quiet", disabled: this.#busy, on: { click: () => this.#sell(id, name) } }, "Sell", spoken(` one ${name}`), item && ` for ${item.resale.toLocaleString("en")}`, spoken(" coins")),
    );
  }

  /** Something that is not for sale any more.
   * @param {Owned} owned
   */
  #leftover(owned) {
    return el("li", { class: "ware kind-thing", "data-item": owned.item },
      el("div", { class: "art", "aria-hidden": "true" }, icon("star")),
      el("div", { class: "about" }, el("h3", { text: readable(owned.item) }), el("p", { text: "Not for sale any more." })),
      this.#mine(owned.item, null),
    );
  }

  #tick() {
    if (!inSight("shop")) return;
    for (const left of byId("boosts").querySelectorAll("[data-until]")) left.textContent = `${long(secondsTo(Number(left.dataset.until)))} left`;
    if (this.#boosts.some(({ until }) => until <= now())) {
      this.#boosts = this.#boosts.filter(({ until }) => until > now());
      this.#render();
    }
  }

  // What the player does

  /**
   * @template T
   * @param {Promise<T>} deed
   * @returns {Promise<T | undefined>}
   */
  async #do(deed) {
    this.#busy = true;
    this.#render();
    const done = await attempt(deed);
    this.#busy = false;
    await this.look();
    this.#render();
    return done;
  }

  /**
   * @param {Item} item
   * @param {number} count
   */
  async #buy(item, count) {
    const done = await this.#do(this.#deeds.ask("shop:buy", { item: item.id, count }));
    if (!done) return;
    this.#counts.delete(item.id);
    this.#render();
    toast(`${count > 1 ? `${count} × ` : ""}${item.name}: bought for ${coins(done.price)}.`, { kind: "good" });
  }

  /**
   * @param {string} id
   * @param {string} name
   */
  async #use(id, name) {
    const done = await this.#do(this.#deeds.ask("inventory:use", { item: id }));
    if (done) toast(`${name}: ${EFFECTS[done.kind].words.toLowerCase()} for ${long(secondsTo(done.until))}.`, { kind: "good" });
  }

  /**
   * @param {string} id
   * @param {string} name
   */
  async #sell(id, name) {
    const done = await this.#do(this.#deeds.ask("inventory:sell", { item: id, count: 1 }));
    if (done) toast(`${name}: sold for ${coins(done.price)}.`, { kind: "good" });
  }
}

/** @param {string} text for screen readers only */
const spoken = (text) => el("span", { class: "spoken", text });

/** @param {Item} item */
function facts({ effect, left, yours, closes, keeps_seconds: keeps }) {
  const list = [];
  if (effect) list.push(`${effect.percent ? `+${effect.percent} % ` : ""}works ${long(effect.seconds)}`);
  if (keeps) list.push(`keeps ${long(keeps)}`);
  if (left !== null) list.push(`${left.toLocaleString("en")} left`);
  if (yours !== null) list.push(`${yours} for you`);
  if (closes !== null) list.push(`until ${new Date(closes).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" })}`);
  return list;
}

/** @param {Boost} boost */
function boostRow({ kind, percent, until }) {
  const { icon: sign, words } = EFFECTS[kind] ?? { icon: "star", words: readable(kind) };
  return el("li", { class: "boost" }, icon(sign), el("b", { text: percent ? `${words}: +${percent} %` : words }), el("span", { "data-until": until }));
}

/** A time in words, up to days.
 * @param {number} seconds
 */
export function long(seconds) {
  if (seconds < 5_400) return spell(seconds);
  const [count, unit] = seconds < 2 * DAY ? [Math.round(seconds / 3_600), "hour"] : [Math.round(seconds / DAY), "day"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
