/** The staff's sign-in. Whoever has a session already goes on to where it leads. */

import { byId } from "../js/dom.js";
import { sentence } from "../js/errors.js";
import { signIn } from "./calls.js";

const form = byId("form");

form.addEventListener("submit", async (/** @type {Event} */ event) => {
  event.preventDefault();
  byId("go").disabled = true;
  show("");
  try {
    await signIn(byId("username").value.trim(), byId("password").value);
    location.replace("/admin");
  } catch (failure) {
    show(sentence(failure));
    byId("password").focus();
  } finally {
    byId("go").disabled = false;
  }
});

/** @param {string} text */
function show(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

// The cookie does not come along when another site's link led here, but with this it does.
const answer = await fetch("/admin/session", { cache: "no-store" });
if (answer.ok) location.replace("/admin");
