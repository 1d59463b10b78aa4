// The parts of the page: a type, its fields, an entry with all that belongs to it.

import { el, inline, prose, table } from "./text.js";

const LIMITS = {
  minLength: "at least %s characters",
  maxLength: "at most %s characters",
  minimum: "from %s",
  maximum: "to %s",
  minItems: "at least %s",
  maxItems: "at most %s",
  pattern: "matches `%s`",
  default: "else `%s`",
};

const nameOf = (reference) => reference.split("/").at(-1);

function joined(parts, separator) {
  return parts.flatMap((part, index) => (index ? [separator, ...part] : part));
}

/** What a schema is, in a few words: a link for a named type. */
export function typeOf(schema) {
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    return [el("a", { href: `#type-${name}` }, name)];
  }
  if ("const" in schema) return [el("code", {}, JSON.stringify(schema.const))];
  if (schema.enum) {
    return joined(schema.enum.map((value) => [el("code", {}, JSON.stringify(value))]), " | ");
  }
  const some = schema.anyOf ?? schema.oneOf;
  if (some) return joined(some.map(typeOf), " | ");
  if (schema.allOf) return typeOf(schema.allOf[0]);
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items ?? {})];
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return ["map of text to ", ...typeOf(schema.additionalProperties)];
  }
  return [schema.type ?? "anything"];
}

function limitsOf(schema) {
  const own = Object.entries(LIMITS)
    .filter(([name]) => schema[name] !== undefined && schema[name] !== null)
    .map(([name, words]) => words.replace("%s", () => String(schema[name])));
  const inner = [schema.items, ...(schema.anyOf ?? [])].filter(Boolean).flatMap(limitsOf);
  return [...own, ...inner.map((words) => (schema.items ? `each ${words}` : words))];
}

/** The fields of a type with some; else the type in words. */
export function fields(schema, caption) {
  const all = Object.entries(schema.properties ?? {});
  if (!all.length) return el("p", {}, schema.type === "object" ? "No fields." : typeOf(schema));
  const required = new Set(schema.required ?? []);
  const rows = all.map(([name, field]) => [
    [el("code", {}, name), required.has(name) ? null : el("small", {}, " optional")],
    typeOf(field),
    inline([field.description, ...limitsOf(field)].filter(Boolean).join("; ")),
  ]);
  return table(caption, ["field", "type", "notes"], rows);
}

/** A named type. */
export function type(name, schema) {
  return el(
    "article",
    { id: `type-${name}` },
    el("h3", {}, el("a", { href: `#type-${name}` }, name)),
    prose(schema.description),
    fields(schema, `Fields of ${name}`),
  );
}

function example(value, label) {
  const text = JSON.stringify(value, null, 2);
  const copy = el("button", { type: "button", "aria-label": `Copy: ${label}` }, "Copy");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 2_000);
  });
  return el(
    "details",
    {},
    el("summary", {}, label),
    el("div", { class: "example" }, copy, el("pre", { tabindex: "0" }, el("code", {}, text))),
  );
}

function part({ label, schema, example: sample }, resolve) {
  const shown = schema.$ref ? resolve(schema.$ref) : schema;
  const plain = shown.properties || !schema.$ref;
  return el(
    "section",
    {},
    el("h4", {}, label, ": ", typeOf(schema)),
    plain && shown.properties ? fields(shown, `${label}: fields`) : null,
    sample === undefined ? null : example(sample, "Example"),
  );
}

/** Every error that an entry may be refused with. */
export function errors(rows, caption = "Error codes") {
  return table(
    caption,
    ["code", "status", "retryable", "when"],
    rows.map((row) => [
      el("code", {}, row.code),
      String(row.status),
      row.retryable ? "yes" : "no",
      inline(row.when ?? row.title),
    ]),
  );
}

/** A call or an event. */
export function entry(one, resolve) {
  return el(
    "article",
    { id: one.id },
    el(
      "h3",
      {},
      el("span", { class: `badge ${one.kind}` }, one.badge),
      " ",
      el("a", { href: `#${one.id}` }, one.title),
      one.signedIn ? el("small", {}, " signed in") : null,
    ),
    el("p", { class: "summary" }, inline(one.summary ?? "")),
    prose(one.description),
    one.parts.map((each) => part(each, resolve)),
    one.errors?.length
      ? el(
          "details",
          {},
          el("summary", {}, `Error codes (${one.errors.length})`),
          errors(one.errors, `Error codes of ${one.title}`),
        )
      : null,
  );
}
