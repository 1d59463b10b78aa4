/** The first screen: play as a guest, sign in, make an account. */

import { byId } from "./dom.js";
import { Refused, sentence } from "./errors.js";

/** @typedef {import("./session.js").Session} Session */

/**
 * @param {Session} session
 * @param {() => void} done
 */
export function wireSignIn(session, done) {
  const guest = byId("guest");
  const account = byId("sign-in-form");
  const stay = () => byId("stay").checked;

  guest.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const name = byId("guest-name").value.trim();
    run(guest, "guest", name ? { name } : {});
  });
  account.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const how = /** @type {HTMLButtonElement | null} */ (event.submitter)?.value === "register" ? "register" : "login";
    run(account, how, { username: byId("username").value.trim(), password: byId("password").value });
  });

  /**
   * @param {HTMLFormElement} form
   * @param {"guest" | "register" | "login"} how
   * @param {object} body
   */
  async function run(form, how, body) {
    const buttons = form.querySelectorAll("button");
    for (const one of buttons) one.disabled = true;
    showProblem("");
    try {
      await session.signIn(how, body, stay());
      byId("password").value = "";
      done();
    } catch (failure) {
      showProblem(failure instanceof Refused && failure.code === "conflict" ? "This name is taken." : sentence(failure));
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  }
}

/** @param {string} text why nobody is signed in, "" for no reason */
export function showProblem(text) {
  const line = byId("sign-in-problem");
  line.textContent = text;
  line.hidden = !text;
}
