/** Making elements. Text from players becomes text nodes and nothing else. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element: `on` has listeners, `text` its text, `class` its classes; the rest are attributes,
 * where true stands for an empty one and false, null or undefined for none.
 *
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 * @returns {any}
 */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * The same for SVG.
 *
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/**
 * @param {any} node
 * @param {Record<string, any>} props
 * @param {Child[]} children
 */
function fill(node, { on = {}, text, ...attributes }, children) {
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, String(value));
  }
  if (text != null) node.textContent = text;
  node.append(...children.filter((child) => child != null && child !== false));
  return node;
}

/**
 * The element of the page with that id.
 *
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no #${id}.`);
  return found;
}

/**
 * A player's name, kept from turning the text around it.
 *
 * @param {string} name
 */
export const nameOf = (name) => el("bdi", { class: "name", text: name });

/** An icon of the sprite in index.html; what it means is said by its button's label. */
export const icon = (/** @type {string} */ name) =>
  svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));

/**
 * A button.
 *
 * @param {string} label what it says
 * @param {(event: Event) => void} click
 * @param {Record<string, any>} [props]
 */
export const button = (label, click, props = {}) =>
  el("button", { type: "button", text: label, on: { click }, ...props });

/**
 * A button that shows an icon only.
 *
 * @param {string} name of the icon
 * @param {string} label what a screen reader says, and the tooltip
 * @param {(event: Event) => void} click
 * @param {Record<string, any>} [props]
 */
export const iconButton = (name, label, click, props = {}) =>
  el("button", { type: "button", class: "icon-button", "aria-label": label, title: label, on: { click }, ...props }, icon(name));

/** 128 random bits as hexadecimal digits: an idempotency key. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The key of what has the focus. */
export const keyInFocus = () => /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key ?? "";

/** Give the focus back to what has this key, if it was lost because that was drawn anew.
 * @param {string} key
 */
export function refocus(key) {
  if (!key || document.activeElement !== document.body) return;
  /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(key)}"]`))?.focus();
}
