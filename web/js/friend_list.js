/** The friends beside those who are in the room: requests first, then friends, then blocks. */

import { timeOf } from "./clock.js";
import { button, byId, el, iconButton, nameOf } from "./dom.js";

/** @typedef {import("./friends.js").Friend} Friend */
/** @typedef {import("./friends.js").Friends} Friends */
/** @typedef {import("./types.js").Named} Named */
/** @typedef {{whisper(who: Named): void, challenge(id: string): void,
 *   card(who: Named, how: {words: string, away: boolean}): void}} Acts */

/** @type {Record<string, number>} */
const ORDER = { online: 0, busy: 1, away: 2, offline: 3 };
const TABS = ["here", "friends"];

/**
 * @param {Friends} friends
 * @param {Acts} acts
 */
export function showFriends(friends, acts) {
  wireTabs();
  friends.addEventListener("changed", render);
  render();

  function render() {
    const list = byId("friend-list");
    const focused = /** @type {HTMLElement | null} */ (list.contains(document.activeElement) ? document.activeElement : null)?.dataset.key;
    const incoming = friends.those("incoming");
    for (const id of ["friends-badge", "people-badge"]) byId(id).textContent = incoming.length ? String(incoming.length) : "";
    const mine = friends.those("friend").sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
    list.replaceChildren(
      ...group("They ask you", incoming, (one) => [act("Accept", "accept", one, "primary"), act("Decline", "remove", one)]),
      ...mine.map(row),
      ...group("You asked", friends.those("outgoing"), (one) => [act("Take back", "remove", one)]),
      ...group("Blocked", friends.those("blocked"), (one) => [act("Unblock", "unblock", one)]),
    );
    if (!list.children.length) list.append(el("li", { class: "rest", text: "Nobody yet. Open a player's card by his name, and ask." }));
    if (focused) list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  /**
   * @param {string} title
   * @param {Friend[]} some
   * @param {(one: Friend) => HTMLElement[]} acts
   */
  function group(title, some, acts) {
    if (!some.length) return [];
    const rows = some.map((one) => el("li", { class: "person asked" }, el("span", { class: "who" }, nameOf(one.name)), ...acts(one)));
    return [el("li", { class: "group", text: title }), ...rows];
  }

  /**
   * @param {string} label
   * @param {import("./friends.js").Change} what
   * @param {Friend} one
   * @param {string} [look]
   */
  function act(label, what, one, look = "") {
    return button(label, () => friends.change(what, one.id), { class: look, "data-key": `${what}${one.id}`, "aria-label": `${label}: ${one.name}` });
  }

  /** @param {Friend} one */
  function row(one) {
    const { id, name, presence } = one;
    const status = presence?.status ?? "offline";
    const duelling = Boolean(presence?.in_duel);
    const seen = presence?.last_seen ? `, last here ${timeOf(presence.last_seen)}` : "";
    const words = duelling ? `${status}, in a duel` : status === "offline" ? `offline${seen}` : status;
    const away = duelling || status === "offline";
    return el("li", { class: `person ${status}` },
      el("span", { class: `dot ${duelling ? "duel" : status}`, "aria-hidden": "true" }),
      el("button", { type: "button", class: "who", "data-key": `f${id}`, on: { click: () => acts.card({ id, name }, { words, away }) } }, nameOf(name), el("span", { class: "state", text: words })),
      iconButton("whisper", `Whisper to your friend ${name}`, () => acts.whisper({ id, name }), { "data-key": `fw${id}` }),
      iconButton("duel", `Challenge your friend ${name} to a duel`, () => acts.challenge(id), { "data-key": `fd${id}`, disabled: away }),
    );
  }
}

function wireTabs() {
  for (const name of TABS) {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => choose(name));
    tab.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      event.preventDefault();
      const other = TABS.find((one) => one !== name) ?? name;
      choose(other);
      byId(`tab-${other}`).focus();
    });
  }
}

/** @param {string} name */
function choose(name) {
  for (const one of TABS) {
    byId(one).hidden = one !== name;
    byId(`tab-${one}`).setAttribute("aria-selected", String(one === name));
    byId(`tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
}

/** @param {Friend} friend */
const rank = ({ presence }) => ORDER[presence?.status ?? "offline"] ?? 3;
