/** REST: one call, its JSON or a `Refused`. */

import { Refused } from "./errors.js";

/**
 * @param {string} method
 * @param {string} path below /api/v1
 * @param {{body?: object, token?: string}} [options]
 * @returns {Promise<any>} the answer's JSON, null if it has none
 */
export async function call(method, path, { body, token } = {}) {
  const headers = new Headers();
  if (body) headers.set("Content-Type", "application/json");
  if (token) headers.set("Authorization", `Bearer ${token}`);
  const answer = await reach(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  const json = text ? parse(text) : null;
  if (!answer.ok) throw new Refused(json?.code ? json : { code: "internal" });
  return json;
}

/**
 * @param {string} url
 * @param {RequestInit} request
 */
async function reach(url, request) {
  try {
    return await fetch(url, { ...request, credentials: "omit", cache: "no-store" });
  } catch {
    throw new Refused({ code: "unreachable" });
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's own page
  }
}
