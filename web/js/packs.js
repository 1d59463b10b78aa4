/** Coins for money: the packs, and what became of an order. */

import { button, el, icon } from "./dom.js";
import { coins } from "./errors.js";
import { toast } from "./notices.js";

/** @typedef {import("./types.js").Pack} Pack */
/** @typedef {import("../../clients/typescript/showdown.js").OrderView} Order */

/** @param {Pack} pack */
function priceOf({ price, currency }) {
  const money = new Intl.NumberFormat("en", { style: "currency", currency });
  const digits = money.resolvedOptions().maximumFractionDigits ?? 2;
  return money.format(price / 10 ** digits);
}

/**
 * @param {Pack} pack
 * @param {() => void} order
 */
export const packCard = (pack, order) =>
  el("li", { class: "ware pack" },
    el("div", { class: "art", "aria-hidden": "true" }, icon("coin")),
    el("div", { class: "about" }, el("h3", { text: coins(pack.coins) }), el("p", { text: pack.name })),
    el("div", { class: "row buy" }, button(priceOf(pack), order, { class: "primary", "aria-label": `${pack.name}: ${coins(pack.coins)} for ${priceOf(pack)}` })),
  );

/** Say how an order stands; where there is something to pay, go there. That coins came is told
 * by the wallet.
 * @param {Order} order
 */
export function showOrder({ status, pack, url }) {
  if (status === "refunded") toast(`Your money for ${coins(pack.coins)} goes back to you.`);
  else if (url?.startsWith("https://")) location.assign(url);
  else if (status !== "granted") toast("The order is made. Your coins come as soon as it is paid.");
}
