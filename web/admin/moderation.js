/** Moderation: reports, players and their records, what is in force, and the log. */

import { run } from "./frame.js";
import { moderationLog, sanctions } from "./sanctions.js";
import { player, players } from "./players.js";
import { report, reports } from "./reports.js";

run({ reports, report, players, player, sanctions, log: moderationLog });
