// The example server, in a process of its own.

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { createInterface } = require("node:readline");

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

class Server {
  /** Without a store known sessions pass for one second: then an outage is a 503 for everybody. */
  static async start(preset) {
    const env = { LISTEN: "127.0.0.1:0", REFUSAL: preset, GRACE_SECONDS: "1", RUST_LOG: "off" };
    const child = spawn(process.env.EXAMPLE, { env, stdio: ["ignore", "pipe", "inherit"] });
    running.add(child);
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    return new Server(child, line.replace("listening on ", ""));
  }

  constructor(child, base) {
    this.child = child;
    this.base = base;
  }

  /** What `POST /demo/…` offers: see examples/demo/mod.rs. */
  async demo(what, body = {}) {
    const headers = { "content-type": "application/json" };
    const options = { method: "POST", headers, body: JSON.stringify(body) };
    const answer = await fetch(`${this.base}/demo/${what}`, options);
    if (!answer.ok) throw new Error(`/demo/${what}: ${answer.status}`);
  }

  /** How many codes have reached WeChat. */
  async exchanges() {
    const answer = await fetch(`${this.base}/demo/state`);
    return (await answer.json()).exchanges;
  }

  stop() {
    running.delete(this.child);
    this.child.kill("SIGKILL");
  }
}

module.exports = { Server };
