/** The page: puts its parts together. */

import { Account } from "./account.js";
import { Blackjack } from "./blackjack.js";
import { Chat } from "./chat.js";
import { Connection } from "./connection.js";
import { Deeds } from "./deeds.js";
import { byId } from "./dom.js";
import { SENTENCES, sentence, Refused, spell } from "./errors.js";
import { Duels } from "./duels.js";
import { showFriends } from "./friend_list.js";
import { Friends } from "./friends.js";
import { JackTable } from "./jack_table.js";
import { Ladder } from "./ladder.js";
import { Names } from "./names.js";
import { News } from "./news.js";
import { attempt, question, toast } from "./notices.js";
import { showOffers } from "./offers.js";
import { People } from "./people.js";
import { PlayerCard } from "./player_card.js";
import { Purse } from "./purse.js";
import { Ranks } from "./ranks.js";
import { Rooms } from "./rooms.js";
import { Session } from "./session.js";
import { Shop } from "./shop.js";
import { showProblem, wireSignIn } from "./sign_in.js";
import { Table } from "./table.js";
import { show, wireViews } from "./views.js";
import { Wallet } from "./wallet.js";

/** @typedef {import("./connection.js").Back} Back */
/** @typedef {import("./types.js").ErrorObject} ErrorObject */

const WATCH = /^#duel=([a-z0-9-]{1,64})$/;
/** @type {Record<string, string>} */
const BANNERS = {
  connecting: "Connecting …",
  reconnecting: "The connection is lost. Trying to come back …",
  restarting: "The server is restarting. The page comes back by itself …",
};

const session = new Session();
/** @type {Connection | null} */
let connection = null;

wireSignIn(session, start);
wireTheme();
wirePage();
session.addEventListener("ended", (event) => stop(/** @type {CustomEvent} */ (event).detail));
if (session.restore()) start();
else showSignIn();

function showSignIn() {
  byId("sign-in").hidden = false;
  byId("app").hidden = true;
  document.documentElement.dataset.ready = "signed-out";
  byId("guest-name").focus();
}

/** Signed out, here or elsewhere: nothing of the player may stay behind, so the page begins anew.
 * @param {string} why
 */
function stop(why) {
  connection?.close();
  if (why) sessionStorage.setItem("showdown.why", why);
  location.replace(location.pathname);
}

function start() {
  byId("sign-in").hidden = true;
  byId("app").hidden = false;
  connection = new Connection(session);
  const deeds = new Deeds(connection);
  const rooms = new Rooms(connection);
  const duels = new Duels(connection, deeds);
  const table = new Table(duels);
  table.wire();
  showOffers(duels);
  const purse = new Purse(connection);
  const challenge = (/** @type {string} */ id, /** @type {number} */ stake = 0) => void duels.challenge(id, stake).then((made) => made && show("table"));
  const whisper = (/** @type {import("./types.js").Named} */ who) => void chat.whisper(who);
  const friends = new Friends(connection);
  const card = new PlayerCard({ deeds, friends, challenge, whisper });
  const names = new Names(connection, rooms, duels, friends);
  const blocked = (/** @type {string} */ id) => friends.state(id) === "blocked";
  const chat = new Chat(connection, rooms, { challenge, blocked, card: (who) => card.open(who), show: () => show("chat") });
  friends.addEventListener("blocks", () => chat.again());
  /** @type {import("./friend_list.js").Acts} */
  const acts = { challenge, whisper, card: (who, how) => card.open(who, how) };
  const people = new People(connection, rooms, (id) => friends.state(id) === "friend", acts);
  friends.addEventListener("parted", (event) => people.forget(/** @type {CustomEvent} */ (event).detail));
  showFriends(friends, acts);
  const shop = new Shop({ connection, deeds, purse });
  const jack = new Blackjack({ connection, deeds });
  new JackTable(jack, purse);
  new Wallet({ connection, deeds, names, rooms, purse });
  new News(connection);
  const ladder = new Ladder(connection, duels);
  const ranks = new Ranks(connection, () => rooms.me.id, (who) => card.open(who));
  const account = new Account(session, connection);
  wireConnection(connection, { account, rooms, duels, chat, people, friends, purse, shop, jack, ladder, ranks });
  wireTable(duels, rooms, chat);
  byId("sign-out").addEventListener("click", signOut);
  connection.open();
}

/** A guest's way back is only here. */
async function signOut() {
  const guest = session.tokens?.account.username === null;
  const text = guest ? "You play as a guest: nobody can sign in as this player again." : undefined;
  if ((await question({ title: "Sign out?", text, ok: "Sign out", danger: guest })) !== null) await session.signOut();
}

/**
 * @param {Connection} socket
 * @param {{account: Account, rooms: Rooms, duels: Duels, chat: Chat, people: People, friends: Friends, purse: Purse, shop: Shop, jack: Blackjack, ladder: Ladder, ranks: Ranks}} parts
 */
function wireConnection(socket, { account, rooms, duels, chat, people, friends, purse, shop, jack, ladder, ranks }) {
  let missed = 0;
  socket.on("chat:message", (message) => {
    if (socket.catchingUp && message.from.id !== rooms.me.id) missed += 1;
  });
  socket.addEventListener("state", () => {
    const down = socket.state !== "online";
    if (down) rooms.lost();
    showState(socket.state);
  });
  socket.addEventListener("refused", (event) => refused(/** @type {CustomEvent} */ (event).detail));
  socket.addEventListener("ready", async (event) => {
    const back = /** @type {CustomEvent<Back>} */ (event).detail;
    const { player, resume } = back.ready;
    account.show(player);
    duels.me = player.id;
    chat.begin(player);
    chat.mute(resume.muted_until);
    const heard = missed;
    missed = 0;
    if (!back.recovered) {
      const found = await enterAll(rooms);
      if (!back.first) sayFresh(back.away, found, [...rooms.all.values()].some(({ gap }) => gap));
      await people.resume();
    } else sayRecovered(back.away, heard);
    await duels.resume(resume.duel);
    rooms.resend();
    await Promise.all([purse.look(), jack.resume(), shop.look(), friends.resume(), ladder.resume(resume.match), ranks.look(), account.look()]);
    if (back.first) followLink(duels);
    document.documentElement.dataset.ready = back.first ? "first" : back.recovered ? "recovered" : "fresh";
  });
  window.addEventListener("hashchange", () => followLink(duels));
}

/** @param {Rooms} rooms
 * @returns {Promise<number>} missed messages
 */
async function enterAll(rooms) {
  let missed = 0;
  for (const room of [...rooms.all.values()]) {
    try {
      missed += await rooms.enter(room);
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure;
      if (room.name.startsWith("duel:") || failure.code === "not_found") rooms.close(room.name);
    }
  }
  return missed;
}

/**
 * @param {number} away ms
 * @param {number} missed messages
 */
function sayRecovered(away, missed) {
  const what = missed ? `${count(missed)} that you missed ${missed === 1 ? "was" : "were"} delivered` : "there was nothing to miss";
  toast(`Back after ${spell(away / 1000)}, in the same session: ${what}.`, { kind: "good" });
}

/**
 * @param {number} away ms
 * @param {number} missed messages
 * @param {boolean} gap
 */
function sayFresh(away, missed, gap) {
  const what = gap ? "more was written meanwhile than is shown here" : missed ? `${count(missed)} came meanwhile and ${missed === 1 ? "is" : "are"} marked` : "nothing was written meanwhile";
  toast(`Back after ${spell(away / 1000)}, in a new session: ${what}.`, { kind: gap ? "info" : "good" });
}

/** @param {number} messages */
const count = (messages) => `${messages} message${messages === 1 ? "" : "s"}`;

/** @param {ErrorObject} error */
function refused(error) {
  if (["abuse", "replaced", "kicked"].includes(error.code)) {
    showState("refused");
    byId("banner-text").textContent = `${error.detail} This page has stopped.`;
    return;
  }
  session.end(error.code);
}

/** @param {import("./connection.js").State} state */
function showState(state) {
  const banner = byId("banner");
  banner.hidden = state === "online" || state === "closed";
  byId("banner-text").textContent = BANNERS[state] ?? "";
  byId("again").hidden = state !== "refused";
  document.documentElement.dataset.state = state;
}

// The table

/**
 * @param {Duels} duels
 * @param {Rooms} rooms
 * @param {Chat} chat
 */
function wireTable(duels, rooms, chat) {
  let talk = "";
  duels.addEventListener("table", () => {
    const room = duels.duel?.status === "active" ? `duel:${duels.duel.id}` : duels.duel ? talk : "";
    if (room === talk) return;
    if (talk) chat.leave(talk);
    talk = room;
    if (!room) return;
    show("table");
    const before = chat.room?.name;
    attempt(rooms.enter(rooms.open(room))).then(() => {
      if (chat.room?.name === before && talk === room && !byId("text").value) chat.select(room);
    });
  });
  byId("watch").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const id = byId("watch-id").value.trim().replace(/^.*#duel=/, "");
    byId("watch-id").value = "";
    if (id) duels.watch(id);
  });
}

/** @param {Duels} duels */
function followLink(duels) {
  const [, id] = location.hash.match(WATCH) ?? [];
  if (!id) return;
  history.replaceState(null, "", location.pathname);
  if (duels.duel?.status === "active" && duels.mine(duels.duel)) toast("Finish your own duel first.");
  else duels.watch(id);
}

// Looks

function wireTheme() {
  const root = document.documentElement;
  const choice = byId("theme");
  choice.value = root.dataset.theme ?? "auto";
  choice.addEventListener("change", () => {
    if (choice.value === "auto") {
      delete root.dataset.theme;
      localStorage.removeItem("showdown.theme");
    } else {
      root.dataset.theme = choice.value;
      localStorage.setItem("showdown.theme", choice.value);
    }
  });
}

function wirePage() {
  wireViews();
  byId("again").addEventListener("click", () => location.reload());
  const why = sessionStorage.getItem("showdown.why");
  sessionStorage.removeItem("showdown.why");
  if (why) showProblem(why in SENTENCES ? sentence(new Refused({ code: why })) : SENTENCES.token_revoked);
}
