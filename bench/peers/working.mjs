// Socket.IO with the work of a game's chat, as one would build it: signed tokens, schemas,
// limits in Redis, history in Redis, the streams adapter with connection state recovery.
// usage: node working.mjs PATH_OF_REDIS_SOCKET, with the tokens' key in SECRET
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import jwt from "jsonwebtoken";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { Server } from "socket.io";
import { z } from "zod";

const SECRET = process.env.SECRET;
const ROOM = z.string().regex(/^(global|trade|room:[a-z0-9_-]{1,32})$/);
const JOIN = z.strictObject({ room: ROOM });
const SEND = z.strictObject({ room: ROOM, text: z.string().min(1).max(500), client_id: z.string().optional() });

const redis = new Redis({ path: process.argv[2] });
const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(redis.duplicate(), { streamName: "{peer}:events" }),
  connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
});
const limiter = new RateLimiterRedis({ storeClient: redis, keyPrefix: "{peer}:rate", points: 1000, duration: 1 });

io.use(async (socket, next) => {
  try {
    const { sub } = jwt.verify(socket.handshake.auth.token, SECRET, { algorithms: ["HS256"] });
    socket.data.player = { id: sub, name: "ann" };
    await redis.hset(`{peer}:seat:${socket.id}`, { player: sub, at: Date.now() });
    next();
  } catch {
    next(new Error("unauthenticated"));
  }
});

// An answer for everything that a handler may throw.
const guarded = (schema, handler) => async (payload, ack) => {
  try {
    ack({ ok: true, data: await handler(schema.parse(payload)) });
  } catch (error) {
    ack({ ok: false, error: { code: error instanceof z.ZodError ? "validation_failed" : "refused" } });
  }
};

io.on("connection", (socket) => {
  const from = socket.data.player;
  socket.on("disconnect", () => redis.del(`{peer}:seat:${socket.id}`));
  socket.on("chat:join", guarded(JOIN, async ({ room }) => {
    await socket.join(room);
    return {};
  }));
  socket.on("chat:typing", guarded(JOIN, async ({ room }) => {
    socket.to(room).emit("chat:typing", { room, from });
    return {};
  }));
  socket.on("chat:send", guarded(SEND, async ({ room, text }) => {
    if (!socket.rooms.has(room)) throw new Error("forbidden");
    await limiter.consume(from.id);
    const said = { room, from, text };
    const body = JSON.stringify(said);
    const id = await redis.xadd(`{peer}:history:${room}`, "MAXLEN", "~", 1000, "*", "m", body);
    const message = { id, ...said, sent_at: Number(id.split("-")[0]) };
    io.to(room).emit("chat:message", message);
    return { message };
  }));
});
http.listen(0, "127.0.0.1", () => console.log(`listening on ${http.address().port}`));
