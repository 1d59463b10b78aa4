// Prints what the official parser has against a document, as JSON: errors and warnings only.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const found = diagnostics
  .filter(({ severity }) => severity < 2)
  .map(({ code, message, path }) => `${code}: ${message} at ${path.join("/")}`);
console.log(JSON.stringify({ operations: document?.operations().all().length ?? 0, found }));
