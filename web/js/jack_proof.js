/** Under the blackjack table: the proof that the shoe was not touched. */

import { byId, el } from "./dom.js";
import { verifyJack } from "./jack_verify.js";
import { canVerify } from "./verify.js";

/** @typedef {import("./types.js").Game} Game */

/**
 * Show it for this game.
 *
 * @param {Game | null} game
 * @param {string} commitment as it was seen at the beginning
 */
export function proofOf(game, commitment) {
  const place = byId("jack-proof");
  const key = game ? `${game.id}:${game.seed ?? ""}` : "";
  if (place.dataset.of === key) return;
  place.dataset.of = key;
  if (!game) return place.replaceChildren();
  const verdict = el("span", { class: "verdict", role: "status" });
  const details = el("details", { class: "proof" }, el("summary", {}, verdict), ...numbers(game));
  place.replaceChildren(details);
  if (!game.seed || game.status !== "finished") verdict.textContent = "Committed: the shoe was shuffled before you bet";
  else if (!canVerify()) verdict.textContent = "The seed is shown; over HTTPS this page can verify it";
  else verifyJack(game, commitment).then((found) => show(details, verdict, found));
}

/**
 * @param {HTMLElement} details
 * @param {HTMLElement} verdict
 * @param {Awaited<ReturnType<typeof verifyJack>>} found
 */
function show(details, verdict, { ok, committed, same, dealt, seen }) {
  details.classList.add(ok ? "ok" : "bad");
  verdict.textContent = ok ? "Verified: the cards came from the committed shoe" : "This game was not dealt as committed";
  const line = (/** @type {boolean} */ yes, /** @type {string} */ text) => el("li", { class: yes ? "yes" : "no", text });
  details.append(el("ul", { class: "findings" },
    line(committed, "The commitment is the hash of the seed."),
    seen ? line(same, "It is the commitment that this page saw before the end.") : el("li", { class: "unknown", text: "This page did not see the commitment before the end." }),
    line(dealt, "Every card on the table came from the shoe, in its order."),
  ));
}

/** @param {Game} game */
const numbers = ({ commitment, seed }) => [
  el("p", { text: "Commitment" }),
  el("code", { text: commitment }),
  ...(seed ? [el("p", { text: "Seed" }), el("code", { text: seed })] : []),
];
