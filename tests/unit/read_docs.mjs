// Opens a copy of web/docs in a DOM without a browser, with the documents given, and tells what
// is to be seen: node read_docs.mjs <folder> <openapi.json> <asyncapi.json> <words to filter by>
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parseHTML } from "linkedom";

const [folder, rest, live, words] = process.argv.slice(2);
const { document, Event } = parseHTML(readFileSync(`${folder}/index.html`, "utf8"));
const files = { "/openapi.json": rest, "/asyncapi.json": live };
globalThis.document = document;
globalThis.location = { hash: "" };
globalThis.fetch = async (path) => ({
  ok: true,
  json: async () => JSON.parse(readFileSync(files[path], "utf8")),
});
await import(pathToFileURL(`${folder}/docs.js`));

const all = (selector) => [...document.querySelectorAll(selector)];
const ids = all("[id]").map((one) => one.id);
const filter = document.querySelector("#filter");
filter.value = words;
filter.dispatchEvent(new Event("input"));
console.log(
  JSON.stringify({
    articles: all("article").map((one) => one.id),
    twice: ids.filter((id, place) => ids.indexOf(id) !== place),
    dangling: all("a[href^='#']")
      .map((one) => one.getAttribute("href").slice(1))
      .filter((id) => !ids.includes(id)),
    foreign: all("[src], link[href]")
      .map((one) => one.getAttribute("src") ?? one.getAttribute("href"))
      .filter((address) => !address.startsWith("/docs/")),
    images: all("img").length,
    handlers: all("*").filter((one) => one.getAttributeNames().some((name) => name.startsWith("on")))
      .length,
    text: document.querySelector("main").textContent,
    found: document.querySelector("#found").textContent,
    shown: all("article").filter((one) => !one.hidden).map((one) => one.id),
  }),
);
