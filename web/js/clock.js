/** The server's time, and things that count down to it. */

let offset = 0;

/** @param {number} serverTime in ms since the epoch, as just heard */
export function setServerTime(serverTime) {
  offset = serverTime - Date.now();
}

/** Milliseconds since the epoch, as the server counts them. */
export const now = () => Date.now() + offset;

/** @type {Set<() => void>} */
const ticking = new Set();

setInterval(() => {
  for (const tick of ticking) tick();
}, 250);

/**
 * Be called four times a second.
 *
 * @param {() => void} tick
 * @returns {() => void} stops it
 */
export function every(tick) {
  ticking.add(tick);
  return () => ticking.delete(tick);
}

/** @param {number} until in ms since the epoch */
export const secondsTo = (until) => Math.max(0, Math.ceil((until - now()) / 1000));

/** @param {number} seconds "0:07", "12:30" */
export const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

/** @param {number} at in ms since the epoch */
export function timeOf(at) {
  const today = new Date(at).toDateString() === new Date(now()).toDateString();
  return (today ? TIME : DAY).format(at);
}
