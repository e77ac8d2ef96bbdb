#!/usr/bin/env bash
# Version: axios 1.16.1, node 18 or later.
# First guess: error.config.headers has what the interceptor has set, so a client that wants to know with which token
#   a refused request was sent compares it with what it would send now: `Bearer ${token}`.
# Behaviour: axios trims the values when it takes them in. Without a token yet, `Bearer ` (with the space) is kept and
#   sent as `Bearer`. So sent === `Bearer ${token}` is false for an empty token, and true for every other: a rule
#   "log in only if the token is still the one that was sent" never logs in for the first time.
# Output seen:
#   token "": set "Bearer ", kept "Bearer", sent "Bearer": the same as now? false
#   token "t1": set "Bearer t1", kept "Bearer t1", sent "Bearer t1": the same as now? true
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"
npm install --silent --no-audit --no-fund axios@1.16.1
cat > t.cjs <<'J'
const http = require("node:http");
const axios = require("axios");
let sent;
const server = http.createServer((request, response) => {
  sent = request.headers.authorization;
  response.writeHead(401, { "content-type": "application/json" });
  response.end("{}");
});
async function row(token, expected) {
  const client = axios.create({ baseURL: `http://127.0.0.1:${server.address().port}`, proxy: false });
  const bearer = () => `Bearer ${token}`;
  client.interceptors.request.use((config) => { config.headers.Authorization = bearer(); return config; });
  const error = await client.get("/").catch((error) => error);
  const kept = error.config.headers.Authorization;
  const same = kept === bearer();
  const text = [bearer(), kept, sent].map((value) => JSON.stringify(value));
  console.log(`token "${token}": set ${text[0]}, kept ${text[1]}, sent ${text[2]}: the same as now? ${same}`);
  if (same !== expected) { console.log(`CHANGED: expected ${expected}`); process.exitCode = 1; }
}
server.listen(0, "127.0.0.1", async () => {
  await row("", false);
  await row("t1", true);
  server.close();
  server.closeAllConnections();
});
J
node t.cjs
