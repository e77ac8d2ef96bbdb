// What a client does when its session is over, as seen from its phone and from the server.

const { open } = require("./bundle.cjs");
const { Phone } = require("./phone.cjs");
const { Server } = require("./server.cjs");

const PRESETS = ["json", "ok_json", "wafer"];
const REQUESTS = 20;
const OUTAGE_MS = 3_000;
const RECOVERY_MS = 30_000;
const PAUSE_MS = 100;
/** A client that logs in so often for one request will not stop. */
const ENDLESS = 10;

const pause = () => new Promise((done) => setTimeout(done, PAUSE_MS));

/** A client that has sent its first request, and so has logged in if it can. */
class Stage {
  static async set(script, platform, server) {
    const phone = new Phone(platform, server.base);
    const stage = new Stage(open(script, phone), phone, server);
    await stage.outcomes(1);
    return stage;
  }

  constructor(client, phone, server) {
    this.client = client;
    this.phone = phone;
    this.server = server;
  }

  /** How requests end that are sent at the same time. */
  async outcomes(count) {
    const outcomes = Array(count).fill("never ends");
    for (let n = 0; n < count; n += 1) {
      const answered = (body) => (outcomes[n] = body?.openid ? "answer" : "refusal");
      this.client.me(n).then(answered, () => (outcomes[n] = "error"));
    }
    await this.phone.quiet();
    return outcomes;
  }

  /** One request after the other until the time is over, or one is answered. */
  async requestsFor(span) {
    for (const end = Date.now() + span; Date.now() < end; await pause()) {
      const [outcome] = await this.outcomes(1);
      if (outcome === "answer") return true;
    }
    return false;
  }

  /** What comes of it, and the logins meanwhile: at the platform, or with a code that reached WeChat. */
  async loginsDuring(act) {
    const [calls, exchanges] = [this.phone.logins, await this.server.exchanges()];
    const outcomes = await act();
    const exchanged = (await this.server.exchanges()) - exchanges;
    return { outcomes, logins: Math.max(this.phone.logins - calls, exchanged) };
  }
}

async function expiry(script, platform, server, isOneByOne) {
  const stage = await Stage.set(script, platform, server);
  await server.demo("idle_out");
  stage.phone.hold(REQUESTS, isOneByOne);
  return stage.loginsDuring(() => stage.outcomes(REQUESTS));
}

/** The session is over, and WeChat does not log anybody in. */
async function failedLogin(script, platform, server) {
  const stage = await Stage.set(script, platform, server);
  await server.demo("idle_out");
  await server.demo("wechat", { state: "busy" });
  stage.phone.hold(REQUESTS, false);
  const result = await stage.loginsDuring(() => stage.outcomes(REQUESTS));
  await server.demo("wechat", { state: "ok" });
  return result;
}

/** The new session is over, too, before the request is repeated. */
async function secondRefusal(script, platform, server) {
  const stage = await Stage.set(script, platform, server);
  await server.demo("kick_out");
  stage.phone.afterLogin = () => server.demo("kick_out");
  stage.phone.mostLogins = stage.phone.logins + ENDLESS;
  const { outcomes, logins } = await stage.loginsDuring(() => stage.outcomes(1));
  return { outcomes, logins, isEndless: logins === ENDLESS };
}

/** Requests all the time while the store is down, and until one is answered when it is up again. */
async function outage(script, platform, server) {
  const stage = await Stage.set(script, platform, server);
  return stage.loginsDuring(async () => {
    await server.demo("store", { state: "down" });
    // For so long the session would pass.
    await server.demo("advance", { seconds: 60 });
    stage.phone.actions.length = 0;
    await stage.requestsFor(OUTAGE_MS);
    const { actions } = stage.phone;
    if (actions.length < 3 || actions.some((action) => action !== "retry")) throw new Error(`no outage: ${actions}`);
    await server.demo("store", { state: "up" });
    if (!(await stage.requestsFor(RECOVERY_MS))) throw new Error("no recovery");
  });
}

const isServed = ({ outcomes }) => outcomes.every((outcome) => outcome === "answer");

/** All of it, under the first preset that the client gets along with. */
async function measured(script, platform) {
  const servers = await Promise.all(PRESETS.map((preset) => Server.start(preset)));
  const atOnce = [];
  for (const server of servers) atOnce.push(await expiry(script, platform, server, false));
  const presets = PRESETS.filter((_, index) => isServed(atOnce[index]));
  const first = atOnce.findIndex(isServed);
  const result = { presets, atOnce: atOnce[Math.max(first, 0)] };
  if (first >= 0) {
    const run = (measure, ...more) => measure(script, platform, servers[first], ...more);
    result.oneByOne = await run(expiry, true);
    result.failedLogin = await run(failedLogin);
    result.secondRefusal = await run(secondRefusal);
    result.outage = await run(outage);
  }
  servers.forEach((server) => server.stop());
  return result;
}

module.exports = { measured, PRESETS, REQUESTS };
