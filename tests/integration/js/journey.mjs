// The stock JavaScript client from sign-in to the end of a duel.
//   node journey.mjs <url>
// Each step is printed as one line of JSON; the test asserts on them.
import { io } from "socket.io-client";

const url = process.argv[2];
const say = (step, data) => console.log(JSON.stringify({ step, data }));

async function guest(name) {
  const answer = await fetch(`${url}/api/v1/auth/guest`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  });
  return answer.json();
}

function once(socket, event, matching = () => true) {
  return new Promise((resolve) => {
    const listener = (data) => {
      if (!matching(data)) return;
      socket.off(event, listener);
      resolve(data);
    };
    socket.on(event, listener);
  });
}

function connect(tokens, options = {}) {
  const socket = io(url, { auth: { token: tokens.access_token }, forceNew: true, ...options });
  return { socket, ready: once(socket, "session:ready") };
}

async function ask(socket, event, argument) {
  const answer = await socket.timeout(10_000).emitWithAck(event, argument);
  if (!answer.ok) throw new Error(`${event}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

async function refusal(auth) {
  const socket = io(url, { auth, forceNew: true, reconnection: false });
  const error = await once(socket, "connect_error");
  socket.close();
  return { message: error.message, data: error.data, active: socket.active };
}

async function duel(ann, bob, opponentId) {
  const challenged = once(bob, "duel:challenged");
  const rounds = [];
  ann.on("duel:round", (result) => rounds.push(result.round));
  const ended = once(ann, "duel:ended");
  await ask(ann, "duel:challenge", { opponent_id: opponentId, key: "k" });
  const offer = await challenged;
  let { duel: view } = await ask(bob, "duel:accept", { duel_id: offer.id });
  while (view.status === "active") {
    const play = { duel_id: view.id, round: view.round, hold: [0, 1, 2, 3, 4] };
    await ask(ann, "duel:play", play);
    ({ duel: view } = await ask(bob, "duel:play", play));
  }
  return { view, ended: await ended, rounds };
}

async function journey() {
  const [annTokens, bobTokens] = [await guest("Ann"), await guest("Bob")];
  const ann = connect(annTokens);
  const bob = connect(bobTokens, { transports: ["websocket"] });
  say("ready", { ann: await ann.ready, bob: await bob.ready, id: ann.socket.id });

  const room = `room:${annTokens.character.id}`;
  await ask(ann.socket, "chat:join", { room });
  const joined = await ask(bob.socket, "chat:join", { room });
  const heard = once(bob.socket, "chat:message");
  const sent = await ask(ann.socket, "chat:send", { room, text: "hello" });
  say("chat", { joined, sent: sent.message, heard: await heard });

  const bobId = bobTokens.character.id;
  await ask(ann.socket, "presence:watch", { player_ids: [bobId] });
  const busy = once(ann.socket, "presence:changed", (d) => d.presence[bobId].status === "busy");
  await ask(bob.socket, "presence:set", { status: "busy" });
  say("presence", (await busy).presence[bobId]);

  say("duel", await duel(ann.socket, bob.socket, bobId));
  say("unknown", await ann.socket.timeout(10_000).emitWithAck("no:such:event", {}));
  say("binary", await ann.socket.timeout(10_000).emitWithAck("presence:set", Buffer.from("x")));

  say("nobody", await refusal({}));
  say("nonsense", await refusal({ token: "nonsense" }));
  say("foreign", await refusal({ token: annTokens.access_token, character_id: bobId }));

  const farewell = once(ann.socket, "server:disconnect");
  const reason = new Promise((resolve) => ann.socket.on("disconnect", resolve));
  const headers = { Authorization: `Bearer ${annTokens.access_token}` };
  await fetch(`${url}/api/v1/auth/logout`, { method: "POST", headers });
  say("logout", { farewell: await farewell, reason: await reason, active: ann.socket.active });
  bob.socket.close();
}

await journey();
