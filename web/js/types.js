/**
 * What the server is asked and answers, as the generated types of clients/typescript have it.
 *
 * @typedef {import("../../clients/typescript/showdown.js").ClientToServerEvents} Asked
 * @typedef {import("../../clients/typescript/showdown.js").ServerToClientEvents} Told
 */
/** @template {keyof Asked} E
 * @typedef {Parameters<Asked[E]>[0]} Body of an event */
/** @template {keyof Asked} E
 * @typedef {Extract<Parameters<Parameters<Asked[E]>[1]>[0], {ok: true}>["data"]} Answer its `data` */
/** @template {keyof Told} E
 * @typedef {Parameters<Told[E]>[0]} News what an event of the server tells */

/**
 * What the server sends, as docs/protocol-notes.md describes it.
 *
 * @typedef {{id: string, name: string}} Named
 * @typedef {{code: string, title?: string, detail?: string, retryable?: boolean,
 *   retry_after?: number, errors?: {field: string, message: string, type: string}[]}} ErrorObject
 * @typedef {{account: {id: string, username: string | null, role: string}, character: Named,
 *   access_token: string, refresh_token: string, expires_in: number}} TokenAnswer
 * @typedef {{id: string, room: string, from: Named, text: string, sent_at: number,
 *   edited_at?: number, deleted?: boolean}} ChatMessage
 * @typedef {{status: "online" | "away" | "busy" | "offline", last_seen: number | null,
 *   in_duel: boolean}} Presence
 * @typedef {{id: string, name: string, connected: boolean, score: number}} Fighter
 * @typedef {{round: number, hands: Record<string, string[]>, ranks: Record<string, string>,
 *   winner_id: string | null}} Round
 * @typedef {{id: string, status: string, players: Fighter[], round: number,
 *   stake: number, deadline: number | null, you?: {hand: string[], played: boolean}, opponent_played: boolean,
 *   rounds: Round[], winner_id?: string, end_reason?: string, commitment: string,
 *   seed?: string, version: number}} DuelView
 * @typedef {{player: {id: string, name: string, role: string}, session_id: string,
 *   recovered: boolean, server_time: number,
 *   resume: {rooms: string[], duel: DuelView | null, muted_until: number | null,
 *   match: import("../../clients/typescript/showdown.js").MatchView | null}}} Ready
 */

/**
 * @typedef {import("../../clients/typescript/showdown.js").EntryView} Entry
 * @typedef {import("../../clients/typescript/showdown.js").GameView} Game
 * @typedef {import("../../clients/typescript/showdown.js").HandView} JackHand
 * @typedef {import("../../clients/typescript/showdown.js").ItemView} Item
 * @typedef {import("../../clients/typescript/showdown.js").OwnedView} Owned
 * @typedef {import("../../clients/typescript/showdown.js").BoostView} Boost
 * @typedef {import("../../clients/typescript/showdown.js").PackView} Pack
 * @typedef {import("../../clients/typescript/showdown.js").WalletChanged} WalletChanged
 */

export {};
