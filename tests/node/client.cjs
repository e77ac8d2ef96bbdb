// Calls account.v1.Account as Connect's libraries do, and tells what they understood.
//
// Reads {"descriptors": [base64 FileDescriptorSet, …], "transports": [name, …], "targets":
// [{"target": "host:port", "metadata": [[name, value], …]}]} from stdin, and writes one answer per
// target: for each transport and kind of call the replies, or the error with its details.

const { createFileRegistry, createRegistry, fromBinary } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");
const { createClient, ConnectError } = require("@connectrpc/connect");
const node = require("@connectrpc/connect-node");
const browser = require("@connectrpc/connect-web");

const TIMEOUT_MS = 20_000;

// What runs in browsers goes over HTTP/1 here, by `fetch`, which cannot stream both ways.
const TRANSPORTS = {
  grpc: (baseUrl) => node.createGrpcTransport({ baseUrl }),
  "grpc-web": (baseUrl) => node.createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  "grpc-web by fetch": (baseUrl) => browser.createGrpcWebTransport({ baseUrl }),
  "connect over HTTP/1.1": (baseUrl) => node.createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "connect over HTTP/2": (baseUrl) => node.createConnectTransport({ baseUrl, httpVersion: "2" }),
  "connect in JSON over HTTP/2": (baseUrl) =>
    node.createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false }),
  "connect by fetch": (baseUrl) => browser.createConnectTransport({ baseUrl }),
  "connect by fetch, in binary": (baseUrl) =>
    browser.createConnectTransport({ baseUrl, useBinaryFormat: true }),
  // WhoAmI has no side effects.
  "connect by fetch, by GET": (baseUrl) =>
    browser.createConnectTransport({ baseUrl, useHttpGet: true, fetch: onlyGetsOf("WhoAmI") }),
};

// A `fetch` that fails where a method is not called by GET.
function onlyGetsOf(method) {
  return (url, init) => {
    if (url.split("?")[0].endsWith(`/${method}`) && init.method !== "GET")
      throw new TypeError(`${method} was called by ${init.method}`);
    return fetch(url, init);
  };
}

function registryOf(descriptors) {
  const files = descriptors.map((set) =>
    createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(set, "base64"))),
  );
  return createRegistry(...files);
}

function understood(error, registry) {
  if (!(error instanceof ConnectError)) throw error;
  const answer = { code: error.code, message: error.rawMessage };
  const [info] = error.findDetails(registry.getMessage("google.rpc.ErrorInfo"));
  if (info) answer.info = [info.reason, info.domain, info.metadata];
  const [retry] = error.findDetails(registry.getMessage("google.rpc.RetryInfo"));
  if (retry) answer.retry = [Number(retry.retryDelay.seconds), retry.retryDelay.nanos];
  return answer;
}

async function outcome(call, registry) {
  try {
    const replies = [];
    for await (const reply of call()) replies.push(reply.openid ?? reply.text);
    return { replies };
  } catch (error) {
    return understood(error, registry);
  }
}

async function* only(reply) {
  yield await reply;
}

async function* messages() {
  yield { text: "first" };
  yield { text: "second" };
}

async function callsOver(transport, { metadata }, registry) {
  const client = createClient(registry.getService("account.v1.Account"), transport);
  const options = () => ({ headers: new Headers(metadata), timeoutMs: TIMEOUT_MS });
  return {
    unary: await outcome(() => only(client.whoAmI({}, options())), registry),
    streaming: await outcome(() => client.watch({}, options()), registry),
    "both ways": await outcome(() => client.echo(messages(), options()), registry),
  };
}

async function answer(target, transports, registry) {
  const told = {};
  for (const name of transports) {
    const transport = TRANSPORTS[name](`http://${target.target}`);
    told[name] = await callsOver(transport, target, registry);
  }
  return told;
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const { descriptors, transports, targets } = JSON.parse(Buffer.concat(chunks).toString());
  const registry = registryOf(descriptors);
  const answers = [];
  for (const target of targets) answers.push(await answer(target, transports, registry));
  process.stdout.write(JSON.stringify(answers), () => process.exit(0));
}

main();
