// Elements, and the little Markdown that the documents use. No text is ever taken for HTML.

/** An element: `el("a", {href}, "text", child)`; null and undefined children are left out. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const INLINE = /`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)/g;
const SAFE_LINK = /^(https:\/\/|\/|#)/;

/** A line's nodes: `code` and [links](/somewhere). */
export function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    const [whole, code, label, href] = match;
    if (code) nodes.push(el("code", {}, code));
    else nodes.push(SAFE_LINK.test(href) ? el("a", { href, rel: "noreferrer" }, label) : whole);
  }
  nodes.push(text.slice(end));
  return nodes;
}

/** The paragraphs of a text, up to its first heading: what follows is in tables of our own. */
export function prose(text = "") {
  const [before] = text.split(/^## /m);
  return before
    .split(/\n{2,}/)
    .filter((paragraph) => paragraph.trim())
    .map((paragraph) => el("p", {}, inline(paragraph.replaceAll("\n", " ").trim())));
}

/** A table that scrolls by itself on narrow screens; cells are nodes or lists of them. */
export function table(caption, columns, rows) {
  const head = el("tr", {}, columns.map((column) => el("th", { scope: "col" }, column)));
  const body = rows.map(([first, ...rest]) =>
    el("tr", {}, el("th", { scope: "row" }, first), rest.map((cell) => el("td", {}, cell))),
  );
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, body)),
  );
}
