/** What can be done with another player, in a dialog: whisper, challenge, give, rob. */

import { button, el, icon, iconButton, nameOf } from "./dom.js";
import { coins, Refused, sentence, spell } from "./errors.js";
import { question, toast } from "./notices.js";
import { give } from "./wallet.js";

/** @typedef {import("./types.js").Named} Named */
/** @typedef {import("./deeds.js").Deeds} Deeds */
/** @typedef {import("./friends.js").Friends} Friends */
/** @typedef {{deeds: Deeds, friends: Friends, whisper(who: Named): void, challenge(id: string, stake?: number): void}} Acts */

const CHIPS = [0, 25, 100, 500];

export class PlayerCard {
  #acts;

  /** @param {Acts} acts */
  constructor(acts) {
    this.#acts = acts;
  }

  /**
   * @param {Named} who
   * @param {{words?: string, away?: boolean}} [how] how he is, in words; away: cannot be challenged
   */
  open(who, { words = "", away = false } = {}) {
    const close = () => dialog.close();
    const dialog = el("dialog", { class: "player-card", "aria-labelledby": "card-name" },
      el("header", {},
        el("span", { class: "avatar big", "aria-hidden": "true", text: initial(who.name) }),
        el("div", {}, el("h2", { id: "card-name" }, nameOf(who.name)), el("p", { class: "muted-text", text: words })),
        iconButton("close", "Close", close),
      ),
      el("div", { class: "row social" }, button("Whisper", () => (close(), this.#acts.whisper(who))), ...this.#social(who, close)),
      this.#duel(who, away, close),
      this.#gift(who, close),
      this.#robbery(who, close),
    );
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (/** @type {Event} */ { target }) => target === dialog && close());
    document.body.append(dialog);
    dialog.showModal();
  }

  /** What he is to us, and could be.
   * @param {Named} who
   * @param {() => void} close
   */
  #social(who, close) {
    const change = (/** @type {import("./friends.js").Change} */ what, /** @type {string} */ words) => async () => {
      close();
      if (await this.#acts.friends.change(what, who.id)) toast(words.replace("*", `\u2068${who.name}\u2069`), { kind: "good" });
    };
    const block = button("Block", change("block", "You blocked *: no whispers, no challenges."), { class: "quiet danger-text" });
    switch (this.#acts.friends.state(who.id)) {
      case "friend":
        return [button("End friendship", change("remove", "* is not your friend any more.")), block];
      case "incoming":
        return [button("Accept as friend", change("accept", "* is your friend now."), { class: "primary" }), block];
      case "outgoing":
        return [button("Take request back", change("remove", "You do not ask * any more.")), block];
      case "blocked":
        return [button("Unblock", change("unblock", "* is not blocked any more."))];
      default:
        return [button("Add as friend", change("add", "You asked * to be friends.")), block];
    }
  }

  /**
   * @param {Named} who
   * @param {boolean} away
   * @param {() => void} close
   */
  #duel(who, away, close) {
    const stake = amount("card-stake", "0", 0);
    const chips = CHIPS.map((value) => button(value ? String(value) : "none", () => (stake.value = String(value)), { class: "chip", "aria-label": value ? `Stake ${coins(value)}` : "Stake none" }));
    const send = () => (close(), this.#acts.challenge(who.id, Number(stake.value)));
    return part("duel", "A duel", away ? "You can challenge players who are here and not in a duel." : "Each puts in the stake; the winner takes both.", send,
      el("label", { for: "card-stake", text: "Stake of each" }),
      el("div", { class: "row" }, stake, ...chips),
      el("button", { class: "primary", disabled: away, text: "Challenge" }),
    );
  }

  /**
   * @param {Named} who
   * @param {() => void} close
   */
  #gift(who, close) {
    const sum = amount("card-amount", "", 1);
    const note = el("input", { id: "card-note", maxlength: 140, autocomplete: "off", placeholder: "Note (optional)", "aria-label": "Note" });
    const send = async () => {
      if (await give(this.#acts.deeds, who, sum.value, note.value)) close();
    };
    return part("gift", "Give coins", "", send, el("label", { for: "card-amount", text: "Amount" }), el("div", { class: "row" }, sum, note), el("button", { text: "Give" }));
  }

  /**
   * @param {Named} who
   * @param {() => void} close
   */
  #robbery(who, close) {
    const send = () => (close(), this.#rob(who));
    return part("mask", "Robbery", "You may get some of the coins, or be caught and pay some of yours.", send, el("button", { class: "danger-text", text: "Try to rob …" }));
  }

  /** @param {Named} who */
  async #rob(who) {
    const text = "If you are caught you pay some of your coins to the victim, and everybody lies low for a while after an attempt.";
    const sure = await question({ title: `Rob \u2068${who.name}\u2069?`, text, ok: "Try it", danger: true });
    if (sure === null) return;
    try {
      const { success, amount: sum, odds } = await this.#acts.deeds.ask("rob:attempt", { victim_id: who.id });
      if (success) toast(`You got away with ${coins(sum)} of \u2068${who.name}\u2069. The odds were ${odds} in 100.`, { kind: "good" });
      else toast(`You were caught, and paid ${coins(sum)} to \u2068${who.name}\u2069. The odds were ${odds} in 100.`, { kind: "bad" });
    } catch (failure) {
      toast(refusal(failure), { kind: "bad" });
    }
  }
}

/** @param {unknown} failure */
function refusal(failure) {
  const wait = failure instanceof Refused && failure.code === "rate_limited" && failure.error.retry_after;
  return wait ? `You have to lie low for ${spell(wait)}.` : sentence(failure);
}

/** @param {string} name its first sign, whatever it is */
export const initial = (name) => [...name][0]?.toUpperCase() ?? "?";

/**
 * @param {string} id
 * @param {string} value
 * @param {number} min
 */
const amount = (id, value, min) =>
  el("input", { id, type: "number", inputmode: "numeric", min, step: 1, value, required: true, class: "amount-input" });

/**
 * @param {string} sign
 * @param {string} title
 * @param {string} text
 * @param {() => void} send
 * @param {...HTMLElement} inputs
 */
function part(sign, title, text, send, ...inputs) {
  const submit = (/** @type {Event} */ event) => (event.preventDefault(), send());
  return el("form", { class: "part", on: { submit } }, el("h3", {}, icon(sign), title), text && el("p", { class: "muted-text", text }), ...inputs);
}
