// Stock JavaScript clients that begin with polling and change to WebSocket while others talk.
//   node upgrade.mjs <url> <clients> <messages of each>
import { io } from "socket.io-client";

const [url, clients, messages] = [process.argv[2], +process.argv[3], +process.argv[4]];
const room = `room:${Date.now()}-${process.pid}`;

async function guest() {
  const headers = { "Content-Type": "application/json" };
  const options = { method: "POST", headers, body: "{}" };
  return (await fetch(`${url}/api/v1/auth/guest`, options)).json();
}

async function ask(socket, event, argument) {
  const answer = await socket.timeout(20_000).emitWithAck(event, argument);
  if (!answer.ok) throw new Error(`${event}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

class Client {
  constructor(tokens) {
    this.id = tokens.character.id;
    this.heard = [];
    this.began = "";
    this.socket = io(url, { auth: { token: tokens.access_token }, forceNew: true });
    this.socket.io.on("open", () => (this.began = this.socket.io.engine.transport.name));
    this.socket.on("chat:message", (message) => this.heard.push(message.text));
    this.ready = new Promise((resolve) => this.socket.on("session:ready", resolve));
  }

  async talk() {
    await this.ready;
    await ask(this.socket, "chat:join", { room });
    for (let number = 0; number < messages; number++) {
      await ask(this.socket, "chat:send", { room, text: `${this.id} ${number}` });
    }
  }

  async hears(text) {
    while (!this.heard.includes(text)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  report() {
    const { id, began, heard } = this;
    const transport = this.socket.io.engine.transport.name;
    const node = this.socket.io.engine.id.split(".")[0];
    console.log(JSON.stringify({ id, began, transport, node, heard }));
    this.socket.close();
  }
}

const everybody = [];
for (let number = 0; number < clients; number++) everybody.push(new Client(await guest()));
await Promise.all(everybody.map((client) => client.talk()));
const last = everybody[0];
await ask(last.socket, "chat:send", { room, text: "the end" });
await Promise.all(everybody.map((client) => client.hears("the end")));
everybody.forEach((client) => client.report());
