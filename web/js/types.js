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
 *   resume: {rooms: string[], duel: DuelView | null, muted_until: number | null}}} Ready
 */

export {};
