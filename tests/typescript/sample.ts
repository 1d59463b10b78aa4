// A client that uses the generated types; scripts/test compiles it, nothing runs it.
import { io, type Socket } from "socket.io-client";
import type {
  Auth,
  ClientToServerEvents,
  ErrorObject,
  paths,
  ServerToClientEvents,
} from "../../clients/typescript/showdown.js";

type Guest = paths["/api/v1/auth/guest"]["post"];
type Tokens = Guest["responses"][201]["content"]["application/json"];

const auth = (tokens: Tokens): Auth => ({ token: tokens.access_token });

export async function play(url: string, tokens: Tokens, opponent: string): Promise<string> {
  const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url, { auth: auth(tokens) });
  socket.on("chat:message", ({ from, text, sent_at }) => {
    const line: string = `${new Date(sent_at).toISOString()} ${from.name}: ${text}`;
    console.log(line);
  });
  socket.on("duel:state", (view) => {
    const hand: string[] = view.you?.hand ?? [];
    console.log(view.status, hand.length);
  });
  // @ts-expect-error There is no such event.
  socket.on("duel:nothing", () => {});
  // @ts-expect-error A challenge needs a key.
  socket.emit("duel:challenge", { opponent_id: opponent }, () => {});

  const answer = await socket.emitWithAck("duel:challenge", { opponent_id: opponent, key: "1" });
  if (answer.ok) return answer.data.duel.id;
  const error: ErrorObject = answer.error;
  // @ts-expect-error A challenge is never refused with that.
  if (answer.error.code === "duel_over") return "";
  return answer.error.code === "already_in_duel" ? "busy" : error.detail;
}

// @ts-expect-error A name is text.
export const body: NonNullable<Guest["requestBody"]>["content"]["application/json"] = { name: 1 };
