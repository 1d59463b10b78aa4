/** Beside the felt: the rounds so far, and the proof of the deal. */

import { rankName, smallHand } from "./cards.js";
import { el, nameOf } from "./dom.js";
import { canVerify, verify } from "./verify.js";

/** @typedef {import("./types.js").DuelView} DuelView */
/** @typedef {import("./verify.js").Witness} Witness */
/** @typedef {import("./verify.js").Verdict} Verdict */

/**
 * The rounds that had a showdown, the newest first.
 *
 * @param {DuelView} duel
 * @param {string} me
 * @returns {HTMLElement[]}
 */
export function roundsOf(duel, me) {
  const players = [...duel.players].sort((a, b) => Number(b.id === me) - Number(a.id === me));
  return [...duel.rounds].reverse().map(({ round, hands, ranks, winner_id }) =>
    el(
      "li",
      {},
      el("span", { class: "round", text: `Round ${round}` }),
      ...players.map(({ id, name }) =>
        el(
          "span",
          { class: id === winner_id ? "side won" : "side" },
          el("span", { class: "who" }, id === me ? "You" : nameOf(name), el("span", { class: "rank", text: rankName(ranks[id]) })),
          smallHand(hands[id]),
        ),
      ),
    ),
  );
}

/**
 * What can be said of the deal: the commitment now, the proof when the duel is over.
 *
 * @param {DuelView} duel
 * @param {Witness | undefined} witness
 * @param {string} me
 * @returns {HTMLElement}
 */
export function verification(duel, witness, me) {
  const place = el("details", { class: "proof" }, el("summary", {}, el("span", { class: "verdict", text: "The deal is sealed" })));
  if (!duel.seed) {
    place.append(
      el("p", { text: "All cards follow from a secret seed that was drawn before the first one. This is its fingerprint; when the duel is over the seed is shown, and this page deals all rounds again to compare." }),
      el("code", { text: duel.commitment }),
    );
    return place;
  }
  const title = /** @type {HTMLElement} */ (place.querySelector(".verdict"));
  if (!canVerify()) {
    title.textContent = "The deal can be verified over HTTPS only";
    place.append(el("p", { text: "Browsers compute SHA-256 for pages that came over HTTPS." }), ...numbers(duel));
    return place;
  }
  title.textContent = "Dealing all rounds again …";
  verify(duel, witness, me).then((verdict) => {
    title.textContent = verdict.ok ? "Verified: the cards were dealt as committed" : "NOT as committed: these are not the cards of the seed";
    place.classList.add(verdict.ok ? "ok" : "bad");
    place.append(...findings(verdict, witness), ...numbers(duel));
  });
  return place;
}

/**
 * @param {Verdict} verdict
 * @param {Witness | undefined} witness
 */
function findings(verdict, witness) {
  const yes = (/** @type {boolean} */ good, /** @type {string} */ text) => el("li", { class: good ? "yes" : "no", text });
  const list = el("ul", { class: "findings" });
  list.append(yes(verdict.committed, "The seed's SHA-256 is the commitment."));
  if (!witness) list.append(el("li", { class: "unknown", text: "This page did not see the duel's beginning, so it cannot say whether the commitment was the same then." }));
  else if (verdict.early) list.append(yes(verdict.sameCommitment, "The commitment is the one that this page was shown before the first card was played."));
  else list.append(yes(verdict.sameCommitment, "The commitment is the one that this page was shown when it joined, in the midst of the duel."));
  for (const { round, ok, mine } of verdict.rounds) {
    list.append(yes(ok && mine !== false, `Round ${round}: the hands come from the seed${mine ? ", your dealt cards too" : ""}.`));
  }
  return [list];
}

/** @param {DuelView} duel */
const numbers = (duel) => [
  el("p", { text: "Commitment" }),
  el("code", { text: duel.commitment }),
  el("p", { text: "Seed" }),
  el("code", { text: duel.seed ?? "" }),
];
