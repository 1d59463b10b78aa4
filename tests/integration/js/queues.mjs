// BullMQ of Node looks into our queues: node queues.mjs <socket> <queue> <job>…
import { Queue } from "bullmq";

const [path, name, ...ids] = process.argv.slice(2);
const queue = new Queue(name, { connection: { path }, prefix: "{bull}" });
const counts = await queue.getJobCounts();
const jobs = await Promise.all(ids.map((id) => queue.getJob(id)));
const seen = jobs.map((job) => ({
  id: job.id,
  name: job.name,
  data: job.data.payload,
  result: job.returnvalue,
  reason: job.failedReason ?? null,
  attempts: job.attemptsMade,
}));
console.log(JSON.stringify({ step: "seen", data: { counts, jobs: seen } }));
await queue.close();
