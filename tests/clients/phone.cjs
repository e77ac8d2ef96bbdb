// A phone: what it sends is real HTTP, and when an answer is delivered is in its hands.

const { parsed, send } = require("./http.cjs");
const { alipay, wechat } = require("./platform.cjs");

const MOST_AT_ONCE = 10;
const API = "https://api.example.com";

// What a library says to a developer is no outcome.
const silent = Object.fromEntries(["debug", "error", "info", "log", "warn"].map((name) => [name, () => {}]));

class Phone {
  /** How often the user was logged in at the platform: `wx.login`. */
  logins = 0;
  /** What each answer, but for logins, asks for: `login`, `retry`, `none` or nothing. */
  actions = [];
  /** Runs when the server has logged the user in, before the client learns of it. */
  afterLogin = async () => {};
  /** After this many logins the platform does not answer to another one. */
  mostLogins = Infinity;
  storage = new Map();

  #queue = [];
  #sending = 0;
  #underWay = 0;
  #toHold = 0;
  #isOneByOne = false;
  #held = [];
  #waiting = [];

  constructor(platform, base) {
    this.platform = platform;
    this.base = base;
  }

  /** What a mini program finds in its global scope, apart from the language. */
  globals() {
    const platform = this.platform === "wx" ? { wx: wechat(this) } : { my: alipay(this) };
    const framework = { getApp: () => ({}), getCurrentPages: () => [] };
    return { ...platform, ...framework, ...this.#timers(), console: silent };
  }

  /** Has the next answers wait for each other: then they are delivered in one go, or one by one, each when all is
   *  over that came of the one before. */
  hold(count, isOneByOne) {
    this.#toHold = count;
    this.#isOneByOne = isOneByOne;
  }

  /** Until nothing is under way any more. */
  quiet() {
    const quiet = new Promise((done) => this.#waiting.push(done));
    this.#lookWhetherQuiet();
    return quiet;
  }

  logIn(deliver) {
    if (this.logins === this.mostLogins) return;
    this.logins += 1;
    const code = `alice:${this.logins}-${Math.random()}`;
    this.#begin();
    setImmediate(() => {
      deliver(code);
      this.#end();
    });
  }

  request(options, deliver) {
    this.#begin();
    this.#queue.push(() => this.#send(options, deliver));
    this.#sendNext();
  }

  #sendNext() {
    while (this.#sending < MOST_AT_ONCE && this.#queue.length > 0) {
      this.#sending += 1;
      this.#queue.shift()();
    }
  }

  async #send(options, deliver) {
    const isLogin = options.url.startsWith(`${API}/login`);
    const isHeld = !isLogin && this.#toHold > 0;
    if (isHeld) this.#toHold -= 1;
    const answer = await send({ ...options, url: options.url.replace(API, this.base) });
    const body = parsed(answer.text);
    if (!isLogin) this.actions.push(body.action);
    if (isLogin && answer.text.includes("wxs_")) await this.afterLogin();
    this.#sending -= 1;
    this.#sendNext();
    if (isHeld) this.#held.push(() => deliver(answer));
    else deliver(answer);
    this.#end();
  }

  #timers() {
    const running = new Set();
    const end = (id) => running.delete(id) && this.#end();
    const set = (run, delay, ...args) => {
      const id = setTimeout(() => {
        run(...args);
        end(id);
      }, delay);
      running.add(id);
      this.#begin();
      return id;
    };
    const clear = (id) => {
      clearTimeout(id);
      end(id);
    };
    return { setTimeout: set, clearTimeout: clear };
  }

  #begin() {
    this.#underWay += 1;
  }

  #end() {
    this.#underWay -= 1;
    this.#lookWhetherQuiet();
  }

  // All promises that can go on have done so before an immediate runs.
  #lookWhetherQuiet() {
    const ifQuiet = (next) => setImmediate(() => this.#underWay === 0 && next());
    ifQuiet(() => ifQuiet(() => this.#goOn()));
  }

  #goOn() {
    const next = this.#held.splice(0, this.#isOneByOne ? 1 : Infinity);
    if (next.length === 0) return this.#waiting.splice(0).forEach((done) => done());
    next.forEach((deliver) => deliver());
    this.#lookWhetherQuiet();
  }
}

module.exports = { Phone };
