/** Jobs: queues, one job's life, dead letters, schedules, and who did what to them. */

import { run } from "./frame.js";
import { deadLetters } from "./dead_letters.js";
import { job, jobs, queues } from "./jobs.js";
import { operations } from "./operations.js";
import { schedules } from "./schedules.js";

run({ queues, jobs, job, "dead-letters": deadLetters, schedules, log: operations });
