/**
 * The session and its calls. The browser sends the cookie by itself and no script can read it;
 * what changes something also carries the session's CSRF token.
 */

import { Refused } from "../js/errors.js";

/**
 * @typedef {{username: string, role: string, pages: string[], csrf_token: string,
 *   expires_in: number}} Session
 */

/** Codes of an answer to somebody who is not signed in. */
const OVER = new Set(["unauthenticated", "token_expired", "token_revoked", "banned"]);

/** @type {Session | null} */
let session = null;

/** Who is signed in; asked again, the session goes on for a while. Else: to the sign-in. */
export async function whoAmI() {
  session = /** @type {Session} */ (await fetched("GET", "/admin/session"));
  return session;
}

/**
 * Begin a session.
 *
 * @param {string} username
 * @param {string} password
 */
export const signIn = (username, password) => asked("POST", "/admin/session", { username, password });

/** End it, for all tabs. */
export const signOut = () => fetched("DELETE", "/admin/session");

/**
 * One of the staff's calls.
 *
 * @param {string} method
 * @param {string} path below /api/v1
 * @param {object} [body]
 * @returns {Promise<any>} the answer's JSON, null if it has none
 */
export const call = (method, path, body) => fetched(method, `/admin/api${path}`, body);

/**
 * A path's query.
 *
 * @param {Record<string, string | number | undefined>} given what is undefined or empty is left out
 */
export function query(given) {
  const known = Object.entries(given).filter(([, value]) => value !== undefined && value !== "");
  return new URLSearchParams(known.map(([name, value]) => [name, String(value)])).toString();
}

/**
 * @param {string} method
 * @param {string} url
 * @param {object} [body]
 */
async function fetched(method, url, body) {
  try {
    return await asked(method, url, body);
  } catch (failure) {
    if (failure instanceof Refused && OVER.has(failure.code)) location.replace("/admin/sign-in");
    throw failure;
  }
}

/**
 * @param {string} method
 * @param {string} url
 * @param {object} [body]
 */
async function asked(method, url, body) {
  const headers = new Headers();
  if (body) headers.set("Content-Type", "application/json");
  if (method !== "GET" && session) headers.set("X-CSRF-Token", session.csrf_token);
  const answer = await reach(url, { method, headers, body: body && JSON.stringify(body) });
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
    // In the mode that fetch has by itself the Origin is told, whatever the referrer policy says.
    return await fetch(url, { ...request, credentials: "same-origin", cache: "no-store" });
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
