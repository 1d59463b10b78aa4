/** What went wrong, in sentences. */

/** @typedef {import("./types.js").ErrorObject} ErrorObject */

/** A request that was refused, or got no answer: `unreachable`, `offline`. */
export class Refused extends Error {
  /** @param {ErrorObject} error */
  constructor(error) {
    super(error.code);
    this.code = error.code;
    this.error = error;
  }
}

/**
 * One for each code of docs/protocol-notes.md, and three of this page's own.
 *
 * @type {Record<string, string>}
 */
export const SENTENCES = {
  validation_failed: "Something in this is not allowed.",
  payload_too_large: "This is too long to be sent.",
  malformed_payload: "The server could not read this. Reload the page and try again.",
  unknown_event: "The server does not know this request. Reload the page: it may be out of date.",
  unauthenticated: "That did not sign you in. Check the name and the password.",
  token_expired: "Your sign-in ran out. Please sign in again.",
  token_revoked: "You were signed out.",
  forbidden: "You may not do this.",
  not_found: "This is not there, or not any more.",
  method_not_allowed: "The server does not take this request. Reload the page and try again.",
  conflict: "This does not go together with what happened meanwhile.",
  stale_version: "Others were faster. Try again.",
  idempotency_mismatch: "This request was sent before with other contents. Try again.",
  insufficient_funds: "There are not enough coins for this.",
  already_in_duel: "One of you two is in a duel already, or has offered one.",
  not_your_turn: "You have played this round. Wait for the other one.",
  duel_over: "This duel is over.",
  muted: "You are muted and cannot write.",
  banned: "This account is banned.",
  rate_limited: "That was too fast.",
  too_many_connections: "Too many pages are connected. Close one of them.",
  server_full: "The server is full.",
  draining: "The server is restarting.",
  dependency_unavailable: "The server cannot reach its stores at the moment.",
  timeout: "The server took too long.",
  internal: "Something went wrong on the server.",
  unreachable: "The server cannot be reached.",
  offline: "There is no connection at the moment.",
  deleted: "Your account is deleted.",
};

/** Whose own words say more than the sentence of the code. */
const DETAILED = new Set(["forbidden", "not_found", "conflict"]);

/**
 * What to tell a person about an error.
 *
 * @param {unknown} failure
 * @returns {string}
 */
export function sentence(failure) {
  if (!(failure instanceof Refused)) throw failure;
  const { code, detail, errors, retry_after: wait } = failure.error;
  const known = SENTENCES[code] ?? SENTENCES.internal;
  if (errors?.length) return `${known} ${errors.map(problem).join(" ")}`;
  const said = DETAILED.has(code) && detail ? detail : known;
  return wait == null ? said : `${said} Try again in ${spell(wait)}.`;
}

/** @param {{field: string, message: string}} one */
const problem = ({ field, message }) =>
  `${field.slice(0, 1).toUpperCase()}${field.slice(1).replaceAll("_", " ")}: ${message}${/[.!?]$/.test(message) ? "" : "."}`;

/**
 * A time in words: "8 seconds", "2 minutes".
 *
 * @param {number} seconds
 */
export function spell(seconds) {
  const whole = Math.max(1, Math.ceil(seconds));
  const [count, unit] = whole < 100 ? [whole, "second"] : [Math.round(whole / 60), "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** @param {number} amount */
export const coins = (amount) => `${amount.toLocaleString("en")} coin${amount === 1 ? "" : "s"}`;
