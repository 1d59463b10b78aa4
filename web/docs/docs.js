// The readable page of both documents: fetched from this server, shown, filtered.

import { entry, errors, type } from "./parts.js";
import { el, inline, prose, table } from "./text.js";

const load = async (path) => {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
};

const at = (document_, reference) =>
  reference
    .slice(2)
    .split("/")
    .reduce((place, key) => place[key.replaceAll("~1", "/")], document_);

/** The calls of an OpenAPI document, in the page's own form. */
function calls(rest) {
  const all = [];
  for (const [path, methods] of Object.entries(rest.paths)) {
    for (const [method, one] of Object.entries(methods)) {
      const parts = [];
      const body = one.requestBody?.content["application/json"];
      if (body) parts.push({ label: "Body", ...body });
      for (const [status, answer] of Object.entries(one.responses)) {
        const [media, content] = Object.entries(answer.content ?? {})[0] ?? [];
        if (media === "application/problem+json") continue;
        parts.push({ label: `Answer ${status}`, schema: { type: "nothing" }, ...content });
      }
      all.push({
        id: `call-${one.operationId}`,
        kind: "call",
        badge: method.toUpperCase(),
        title: path,
        group: `REST: ${one.tags[0]}`,
        signedIn: Boolean(one.security),
        summary: one.summary,
        description: one.description,
        errors: one["x-errors"],
        parts,
      });
    }
  }
  return all;
}

/** The events of an AsyncAPI document, in the page's own form. */
function events(live) {
  const messageOf = ({ $ref }) => at(live, at(live, $ref).$ref);
  const partOf = (label, schema, message, pick = (value) => value) => ({
    label,
    schema,
    example: message.examples?.length ? pick(message.examples[0].payload) : undefined,
  });
  return Object.entries(live.operations).map(([key, one]) => {
    const message = messageOf(one.messages[0]);
    const asked = one.action === "receive";
    const parts = [partOf(asked ? "Argument" : "Data", message.payload, message)];
    if (one.reply) {
      const answer = messageOf(one.reply.messages[0]);
      const [success] = answer.payload.oneOf;
      const data = success.properties?.data;
      parts.push(
        data
          ? partOf("data of the answer", data, answer, (value) => value.data)
          : partOf("Answer", success, answer),
      );
    }
    return {
      id: `event-${key}`,
      kind: asked ? "ask" : "told",
      badge: asked ? "ask" : "told",
      title: message.name,
      group: `Events: ${one.tags[0].name}`,
      summary: one.summary,
      description: one.description,
      errors: one["x-errors"],
      parts,
    };
  });
}

function grouped(entries) {
  const groups = new Map();
  for (const one of entries) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return groups;
}

const slug = (title) => `group-${title.replaceAll(/\W+/g, "-").toLowerCase()}`;

function chapter(title, ...content) {
  return el("section", { id: slug(title), class: "chapter" }, el("h2", {}, title), ...content);
}

function listed(title, items) {
  return el(
    "details",
    { open: true },
    el("summary", {}, title),
    el(
      "ul",
      {},
      items.map(({ href, badge, kind, label }) =>
        el(
          "li",
          {},
          el("a", { href }, badge ? el("span", { class: `badge ${kind}` }, badge) : null, label),
        ),
      ),
    ),
  );
}

function filtering(content, index) {
  const input = document.querySelector("#filter");
  const found = document.querySelector("#found");
  const articles = [...content.querySelectorAll("article")];
  const texts = new Map(articles.map((one) => [one, one.textContent.toLowerCase()]));
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [article, text] of texts) {
      article.hidden = !words.every((word) => text.includes(word));
      count += article.hidden ? 0 : 1;
    }
    for (const link of index.querySelectorAll("a")) {
      const target = document.getElementById(link.getAttribute("href").slice(1));
      link.parentElement.hidden = target?.tagName === "ARTICLE" && target.hidden;
    }
    for (const one of content.querySelectorAll(".chapter")) {
      const inside = one.querySelectorAll("article");
      one.hidden = words.length > 0 && [...inside].every((article) => article.hidden);
    }
    found.textContent = words.length ? `${count} of ${texts.size}` : "";
  });
}

function show(rest, live) {
  const content = document.querySelector("#content");
  const index = document.querySelector("#index");
  const types = { ...rest.components.schemas, ...live.components.schemas };
  const resolve = (reference) => types[reference.split("/").at(-1)];
  const entries = [...calls(rest), ...events(live)];
  content.replaceChildren(
    chapter("REST", prose(rest.info.description)),
    chapter("Events", prose(live.info.description)),
    ...[...grouped(entries)].map(([title, some]) =>
      chapter(title, ...some.map((one) => entry(one, resolve))),
    ),
    chapter("Types", ...Object.keys(types).sort().map((name) => type(name, types[name]))),
    chapter("Error codes", errors(rest["x-errors"])),
    chapter(
      "Limits",
      table(
        "The settings in force on this server",
        ["setting", "value", "why"],
        rest["x-limits"].map((row) => [el("code", {}, row.setting), row.value, inline(row.why)]),
      ),
    ),
  );
  index.replaceChildren(
    ...[...grouped(entries)].map(([title, some]) =>
      listed(
        title,
        some.map((one) => ({ href: `#${one.id}`, badge: one.badge, kind: one.kind, label: one.title })),
      ),
    ),
    listed(
      "Reference",
      ["REST", "Events", "Types", "Error codes", "Limits"].map((title) => ({
        href: `#${slug(title)}`,
        label: title,
      })),
    ),
  );
  filtering(content, index);
  // The place in the address was not there yet when the browser looked for it.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

try {
  show(...(await Promise.all([load("/openapi.json"), load("/asyncapi.json")])));
} catch (error) {
  document.querySelector("#loading").textContent = `The documents could not be loaded (${error.message}). Reload the page.`;
}
