// For a container's health check: exit status 0 when the process in it answers. One image, two processes: a node has a name.
const node = process.env.WHORL_NODE_NAME !== undefined;
const url = node ? `http://127.0.0.1:${process.env.WHORL_HTTP_PORT ?? 3000}/` : `http://127.0.0.1:${process.env.WHORL_API_PORT ?? 4000}/healthz`;

try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(3_000) });
  // A node knows no app by the name 127.0.0.1: that it says so is health enough.
  process.exit(node || answer.ok ? 0 : 1);
} catch (error) {
  console.error(`${url}: ${error.cause?.message ?? error.message}`);
  process.exit(1);
}
