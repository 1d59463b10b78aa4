// Socket.IO as it comes, which does no work: it echoes and sends on.
// usage: node bare.mjs
import { createServer } from "node:http";
import { Server } from "socket.io";

const DONE = { ok: true, data: {} };
const http = createServer();
const io = new Server(http);
io.on("connection", (socket) => {
  const from = { id: socket.id, name: "ann" };
  socket.on("presence:query", (data, ack) => ack(data));
  socket.on("chat:join", ({ room }, ack) => {
    socket.join(room);
    ack(DONE);
  });
  socket.on("chat:typing", ({ room }, ack) => {
    socket.to(room).emit("chat:typing", { room, from });
    ack(DONE);
  });
  socket.on("chat:send", ({ room, text }, ack) => {
    io.to(room).emit("chat:message", { room, from, text });
    ack(DONE);
  });
});
http.listen(0, "127.0.0.1", () => console.log(`listening on ${http.address().port}`));
