// Stock socket.io-clients that do what the lines of the standard input say, and tell what
// happens to them, a JSON object a line. One process has as many clients as are opened.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const AGAIN_MS = 200; // after a refusal that is worth another try; lost connections are the library's
const clients = new Map();

const tell = (client, at, more = {}) => process.stdout.write(JSON.stringify({ client, at, ...more }) + "\n");

const doings = {
  open({ client, url, auth, options }) {
    const socket = io(url, {
      auth,
      forceNew: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 300,
      timeout: 5000,
      ...options,
    });
    clients.set(client, socket);
    socket.on("connect", () => tell(client, "connect", { sid: socket.id, pid: socket._pid, recovered: socket.recovered }));
    socket.on("disconnect", (reason) => tell(client, "disconnect", { reason }));
    socket.on("connect_error", (error) => {
      tell(client, "refused", { message: error.message, data: error.data ?? null });
      if (error.data?.retryable && !socket.active) setTimeout(() => socket.connect(), AGAIN_MS);
    });
    socket.onAny((event, ...args) => tell(client, "event", { event, args }));
  },
  ask({ client, ask, event, data, patience }) {
    const heard = (error, answer) => tell(client, "answer", { ask, answer: error ? null : answer });
    clients.get(client).timeout(patience).emit(event, data, heard);
  },
  auth({ client, auth }) {
    clients.get(client).auth = auth;
  },
  connect({ client }) {
    clients.get(client).connect();
  },
  disconnect({ client }) {
    clients.get(client).disconnect();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  doings[wanted.do](wanted);
}
process.exit(0);
