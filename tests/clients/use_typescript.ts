// Uses the types that openapi-typescript made: `use_typescript.js CLIENT_URL SCHEDULER_URL TOKEN`; prints JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./client.js";
import type { paths as schedulerPaths } from "./scheduler.js";

declare const process: { argv: string[] };
const [url, schedulerUrl, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const client = createClient<paths>({ baseUrl: url, headers });
const scheduler = createClient<schedulerPaths>({ baseUrl: schedulerUrl, headers });

const added = await client.POST("/add", { body: { key: "typescript/1", value: "hello" } });
const read = await client.GET("/read", { params: { query: { key: "typescript/1" } } });
const accepted = await client.POST("/run", { body: { key: "typescript/1" } });
const path = { task_id: accepted.data!.task_id };
const waited = await client.GET("/tasks/{task_id}", { params: { path, query: { wait: 30 } } });
// The route answers events, too, which are text, where the request accepts them.
const task = waited.data as components["schemas"]["TaskStatus"];
const refused = await client.POST("/add", { body: { key: "typescript/2", value: "write to jane@example.org" } });
const findings = refused.error?.findings as components["schemas"]["FindingView"][];
const silence = await client.POST("/silences", { body: { reason: "a test", hours: 1, entity: "EMAIL_ADDRESS" } });
const status = await scheduler.GET("/status");
console.log(
  JSON.stringify({
    version: added.data?.version,
    value: read.data?.value,
    state: task.state,
    result: task.result,
    status: refused.response.status,
    detail: refused.error?.detail,
    findings: findings.map((one) => one.entity),
    silence: silence.data?.entity,
    parts: status.data?.parts.map((part) => part.name),
  }),
);
