// A stock JavaScript client that is left alone: it says when it is connected and when not.
//   node faithful.mjs <url> <refresh token>
// Its `auth` is a function: each connection asks for a token anew.
import { io } from "socket.io-client";

const [url, first] = process.argv.slice(2);
const say = (step, data) => console.log(JSON.stringify({ step, data }));
let refreshToken = first;

async function fresh() {
  const answer = await fetch(`${url}/api/v1/auth/refresh`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ refresh_token: refreshToken }),
  });
  const tokens = await answer.json();
  refreshToken = tokens.refresh_token;
  return tokens.access_token;
}

const socket = io(url, {
  auth: (use) => fresh().then((token) => use({ token }), () => use({})),
  reconnectionDelay: 50,
  reconnectionDelayMax: 200,
});
socket.on("session:ready", (ready) => say("ready", ready));
socket.on("server:disconnect", (farewell) => say("farewell", farewell));
socket.on("disconnect", (reason) => say("disconnect", { reason, active: socket.active }));
