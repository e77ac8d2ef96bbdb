// Calls account.v1.Account over gRPC and grpc-web as Connect does, and tells what it understood.
//
// Reads {"descriptors": [base64 FileDescriptorSet, …], "targets": [{"target": "host:port",
// "metadata": [[name, value], …]}]} from stdin, and writes one answer per target: for each
// transport and kind of call the replies, or the status with its details.

const { createFileRegistry, createRegistry, fromBinary } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");
const { createClient, ConnectError } = require("@connectrpc/connect");
const { createGrpcTransport, createGrpcWebTransport } = require("@connectrpc/connect-node");
const browser = require("@connectrpc/connect-web");

const TIMEOUT_MS = 20_000;

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

async function answer(target, registry) {
  const baseUrl = `http://${target.target}`;
  const transports = {
    grpc: createGrpcTransport({ baseUrl }),
    "grpc-web": createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
    // What runs in browsers: over HTTP/1, by `fetch`, which cannot stream both ways.
    "grpc-web by fetch": browser.createGrpcWebTransport({ baseUrl }),
  };
  const told = {};
  for (const [name, transport] of Object.entries(transports))
    told[name] = await callsOver(transport, target, registry);
  return told;
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const { descriptors, targets } = JSON.parse(Buffer.concat(chunks).toString());
  const registry = registryOf(descriptors);
  const answers = [];
  for (const target of targets) answers.push(await answer(target, registry));
  process.stdout.write(JSON.stringify(answers), () => process.exit(0));
}

main();
