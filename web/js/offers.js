/** Open challenges, above everything else. */

import { every, minutes, secondsTo } from "./clock.js";
import { coins } from "./errors.js";
import { button, byId, el, nameOf } from "./dom.js";
import { say } from "./notices.js";

/** @typedef {import("./duels.js").Duels} Duels */
/** @typedef {import("./types.js").DuelView} DuelView */

/** @param {Duels} duels */
export function showOffers(duels) {
  const list = byId("offers");
  /** @type {Map<string, HTMLElement>} */
  const shown = new Map();

  duels.addEventListener("challenges", () => {
    for (const [id, row] of shown) if (!duels.challenges.has(id)) row.remove(), shown.delete(id);
    for (const [id, duel] of duels.challenges) if (!shown.has(id)) add(id, duel);
    tick();
  });

  /**
   * @param {string} id
   * @param {DuelView} duel
   */
  function add(id, duel) {
    const [from, to] = duel.players;
    const mine = from.id === duels.me;
    const words = mine ? ["You challenge ", nameOf(to.name)] : [nameOf(from.name), " challenges you"];
    if (duel.stake) words.push(` for ${coins(duel.stake)}`);
    const answers = mine
      ? [button("Take back", () => duels.answer("cancel", id))]
      : [button("Accept", () => duels.answer("accept", id), { class: "primary" }), button("Decline", () => duels.answer("decline", id))];
    const row = el("li", { class: "offer" }, el("span", { class: "words" }, ...words), el("span", { class: "left", role: "timer" }), ...answers);
    shown.set(id, row);
    list.append(row);
    if (!mine) say(`${from.name} challenges you to a duel${duel.stake ? ` for ${coins(duel.stake)}` : ""}.`);
  }

  function tick() {
    for (const [id, row] of shown) {
      const deadline = duels.challenges.get(id)?.deadline;
      const left = row.querySelector(".left");
      if (left && deadline) left.textContent = minutes(secondsTo(deadline));
    }
  }
  every(tick);
}
