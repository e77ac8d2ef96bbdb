#!/usr/bin/env bash
# Version: @connectrpc/connect 2.1.1, @connectrpc/connect-web 2.1.1, @bufbuild/protobuf 2.17.0, node 18 or later.
# First guess: where something in front of the server answers a unary call with HTTP 200 and an error of its own
#   in JSON ({"code":401,"message":"log in"}), the client fails: that is no answer of the method.
# Behaviour: Connect's JSON codec ignores fields that it does not know, and those left out have defaults. So any JSON
#   object with HTTP 200 and content type application/json is a success, with an empty message. With the binary
#   codec the same answer is an error (13, unsupported content type); with a 401 it is an error (16), but without
#   a reason unless the body has Connect's own form.
# Output seen:
#   json, HTTP 200, {"code":401,"message":"log in"}: success, value ""
#   binary, HTTP 200, the same: error 13
#   json, HTTP 401, the same: error 16
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"
npm install --silent --no-audit --no-fund @connectrpc/connect@2.1.1 @connectrpc/connect-web@2.1.1 @bufbuild/protobuf@2.17.0
cat > t.cjs <<'J'
const http = require("node:http");
const { createClient, ConnectError } = require("@connectrpc/connect");
const { createConnectTransport } = require("@connectrpc/connect-web");
const { createFileRegistry, create } = require("@bufbuild/protobuf");
const { FileDescriptorProtoSchema, FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");
const string = { name: "value", number: 1, type: 9, label: 1, jsonName: "value" };
const file = create(FileDescriptorProtoSchema, {
  name: "t.proto", package: "t", syntax: "proto3",
  messageType: [{ name: "Ask" }, { name: "Answer", field: [string] }],
  service: [{ name: "S", method: [{ name: "Get", inputType: ".t.Ask", outputType: ".t.Answer" }] }],
});
const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
let status = 200;
const server = http.createServer((request, response) => {
  request.resume();
  response.writeHead(status, { "content-type": "application/json" });
  response.end('{"code":401,"message":"log in"}');
});
async function call(useBinaryFormat, answered) {
  status = answered;
  const baseUrl = `http://127.0.0.1:${server.address().port}`;
  const client = createClient(registry.getService("t.S"), createConnectTransport({ baseUrl, useBinaryFormat }));
  try { return `success, value ${JSON.stringify((await client.get({})).value)}`; }
  catch (error) { return error instanceof ConnectError ? `error ${error.code}` : String(error); }
}
server.listen(0, "127.0.0.1", async () => {
  const rows = [
    ['json, HTTP 200, {"code":401,"message":"log in"}', await call(false, 200), 'success, value ""'],
    ["binary, HTTP 200, the same", await call(true, 200), "error 13"],
    ["json, HTTP 401, the same", await call(false, 401), "error 16"],
  ];
  for (const [name, seen] of rows) console.log(`${name}: ${seen}`);
  const changed = rows.filter(([, seen, expected]) => seen !== expected);
  for (const [name, , expected] of changed) console.log(`CHANGED: ${name}: expected ${expected}`);
  process.exit(changed.length ? 1 : 0);
});
J
NODE_PATH="$T/node_modules" node t.cjs
