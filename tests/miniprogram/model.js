// A life at random: requests, ends of sessions, faults, hiding, logouts, answers in any order. What must
// hold throughout is checked at every step; a life is told by its seed.
const { Clock, settled } = require('./clock')
const { Phone, refusal, NEVER } = require('./phone')

const BASE = 'https://api.example.com'
const STEPS = 40
// In milliseconds: WeChat allows 4 calls of wx.login a second and user.
const GAP = 250
// Until then a login that is not answered is under way.
const LOGIN_TIMEOUT = 60_000
// The wait after so many failures in a row.
const backoff = failures => Math.min(2 ** (failures - 1), 60) * 1000

// mulberry32
function randomFrom(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

class Broken extends Error {
  constructor(invariant, detail) {
    super(`${invariant}: ${detail}`)
    this.invariant = invariant
  }
}

// What the server and the network do to a request, and to a login.
const FAULTS = {
  none: () => undefined,
  'store down': () => refusal(503, { retryAfter: 1 }),
  'store down for long': () => refusal(503, { retryAfter: 20 }),
  'gateway down': () => ({ statusCode: 502, data: 'Bad Gateway', header: {} }),
  'firewall in the way': () => ({ statusCode: 403, data: '<html>', header: {} }),
  'fault that says login': () => ({ ...refusal(401), statusCode: 500 }),
  'network down': () => null,
  'every token refused': () => refusal(401),
}
const LOGIN_FAULTS = {
  ...FAULTS,
  'code rejected': () => ({ statusCode: 400, data: { errcode: 400, reason: 'code_rejected', action: 'login' }, header: {} }),
  busy: () => refusal(503, { retryAfter: 3 }),
  limited: () => refusal(429, { retryAfter: 60 }),
  blocked: () => refusal(403),
  'never answers': () => NEVER,
}

class Life {
  constructor(createSession, seed, only) {
    this.only = only
    this.random = randomFrom(seed)
    this.clock = new Clock()
    this.phone = new Phone(this.clock)
    // What happened, as far as it is checked.
    Object.assign(this, { requests: [], followed: [], codesAt: [], refused: new Set() })
    Object.assign(this, { epoch: 0, asked: 0, codesOut: 0, hasJumped: false, isOut: false, violation: null })
    // Logins that failed since the last that did not, and all failures: each token that was refused again counts once.
    Object.assign(this, { failedInARow: 0, failedAt: 0, failures: 0, longestWait: 0, refusedAgain: new Set() })
    this.fault = 'none'
    this.loginFault = 'none'
    this.watch()
    this.session = createSession({
      platform: this.phone.platform, baseUrl: BASE, storageKey: `life ${seed}`, onEvent: event => this.heard(event),
    })
  }

  pick(list) {
    return list[Math.floor(this.random() * list.length)]
  }

  // The first rule that is broken; what throws in a callback would be lost.
  check(condition, invariant, detail) {
    const isAsked = !this.only || this.only === invariant
    if (!condition && isAsked && !this.violation) this.violation = new Broken(invariant, detail)
  }

  watch() {
    const { phone } = this
    const { platform } = phone
    platform.getCode = () => this.code()
    phone.serve = sent => this.served(sent)
    const issued = () => ({ statusCode: 200, data: { token: phone.issue(), expires_in: 7200 }, header: {} })
    phone.serveLogin = () => {
      const fault = LOGIN_FAULTS[this.loginFault]()
      return fault === undefined ? issued() : fault
    }
    for (const kind of ['request', 'uploadFile', 'downloadFile']) {
      const send = platform[kind]
      platform[kind] = options => {
        const task = send(options)
        const sent = phone.log[phone.log.length - 1]
        if (sent.path === '/login') this.loginSent(sent)
        else if (sent.path !== '/logout') this.requestSent(sent)
        return task
      }
    }
  }

  async code() {
    this.codesOut += 1
    this.check(this.codesOut === 1, 'one login at a time', 'two codes are asked for')
    this.check(!this.isOut, 'nothing logs in after a logout', 'a code is asked for')
    const gap = this.clock.steady - this.codesAt[this.codesAt.length - 1]
    this.check(this.hasJumped || !(gap < GAP), 'few logins a second', `${gap} ms`)
    this.codesAt.push(this.clock.steady)
    await null
    this.codesOut -= 1
    return `code:${this.codesAt.length}`
  }

  loginSent({ token }) {
    const isUnderWay = ({ path, at }) => path === '/login' && this.clock.steady - at < LOGIN_TIMEOUT
    const underWay = this.phone.waiting.filter(isUnderWay).length
    this.check(this.hasJumped || underWay === 1, 'one login at a time', `${underWay} under way`)
    const isProven = token === '' || this.refused.has(token) || this.asked > 0
    this.check(isProven, 'no login without proof', 'the server has refused no such token')
  }

  requestSent({ path, token, at }) {
    const request = this.requests[Number(path.split('/')[2])]
    request.sentAt.push(at)
    this.check(request.sentAt.length <= 2, 'no request is sent three times', path)
    this.check(request.epoch === this.epoch, 'no request outlives a logout', path)
    const early = request.notBefore - at
    this.check(this.hasJumped || !(early > 0.001), 'nobody comes back before it was asked to', `${early} ms`)
    this.check(token !== '', 'every request carries a token', path)
  }

  served({ path, token }) {
    if (path === '/logout') return { statusCode: 204, data: '', header: {} }
    const fault = FAULTS[this.fault]()
    if (fault === undefined && token === this.phone.good) return { statusCode: 200, data: {}, header: {} }
    const answer = fault === undefined ? refusal(401) : fault
    const request = this.requests[Number(path.split('/')[2])]
    if (answer?.statusCode === 401) this.refused.add(token)
    if (answer?.statusCode === 401 && request.sentAt.length === 2 && !this.refusedAgain.has(token)) {
      this.refusedAgain.add(token)
      this.fail(0)
    }
    const seconds = answer?.data.action === 'retry' ? Number(answer.header['Retry-After']) : 0
    request.notBefore = this.clock.steady + seconds * 1000
    return answer
  }

  fail(seconds) {
    this.failures += 1
    this.longestWait = Math.max(this.clock.steady + Math.max(backoff(this.failures), seconds * 1000), this.longestWait)
  }

  heard(event) {
    this.noSecretIn(event)
    const { type, attempt, reason, retryAfter } = event
    const { steady } = this.clock
    if (type === 'login' && attempt === 1 && this.failedInARow) {
      const early = this.failedAt + backoff(this.failedInARow) - steady
      this.check(this.hasJumped || !(early > 0), 'only a login that succeeds forgives one that failed', `${early} ms`)
    }
    if (type === 'logged_in') this.failedInARow = 0
    if (type !== 'login_failed' || reason === 'logged_out') return
    this.failedInARow += 1
    this.failedAt = steady
    this.fail(retryAfter)
  }

  noSecretIn(told) {
    this.check(!/token-\d|code:\d/.test(JSON.stringify(told)), 'no secret is told', JSON.stringify(told))
  }

  // Notes when it settles, and with what.
  follow(promise, about = {}) {
    this.followed.push(about)
    return promise.then(() => { about.isSettled = about.isServed = true }, error => {
      about.isSettled = true
      about.error = error
      this.check(error.name === 'SessionError', 'every error is one of ours', String(error.stack))
      this.noSecretIn({ ...error, message: error.message })
    })
  }

  request() {
    const request = { epoch: this.epoch, sentAt: [], notBefore: 0 }
    const id = this.requests.push(request) - 1
    const kind = this.pick(['request', 'request', 'uploadFile', 'downloadFile'])
    this.follow(this.session[kind]({ url: `/r/${id}`, onTask: task => { request.task = task } }), request)
  }

  async logIn() {
    this.asked += 1
    this.isOut = false
    const about = {}
    this.follow(this.session.login(), about).then(() => { this.asked -= 1 })
    await settled()
    // It was refused without an answer of anybody.
    const isKeptOut = about.error && about.error.reason !== 'logged_out' && about.error.reason !== 'code_unavailable'
    const long = this.clock.steady - this.longestWait
    this.check(this.hasJumped || !isKeptOut || long < 0, 'a token that is refused to many is one failure', `${long} ms too long`)
  }

  logOut() {
    this.epoch += 1
    this.isOut = true
    this.follow(this.session.logout())
  }

  // Out, in and out again while a login may be under way.
  changeOfMind() {
    this.logOut()
    this.logIn()
    this.logOut()
  }

  // Twenty tokens are refused, and their successor, too.
  async storm() {
    this.fault = 'every token refused'
    for (let count = 0; count < 20; count += 1) this.request()
    await this.phone.answerAll()
    this.fault = 'none'
  }

  jump() {
    this.hasJumped = true
    this.clock.jump((this.random() - 0.5) * 200_000)
  }

  async step() {
    const { phone, clock } = this
    const waiting = () => this.pick(phone.waiting)
    const steps = [
      [8, () => this.request()],
      [4, () => { for (let count = 0; count < 20; count += 1) this.request() }],
      [20, () => phone.waiting.length && phone.answer(waiting())],
      [6, () => [...phone.waiting].forEach(sent => phone.answer(sent))],
      [5, () => { phone.good = null }],
      [4, () => { this.fault = this.pick(Object.keys(FAULTS)) }],
      [4, () => { this.loginFault = this.pick(Object.keys(LOGIN_FAULTS)) }],
      [4, () => { this.fault = this.loginFault = 'none' }],
      [8, () => clock.advance(this.random() * 5)],
      [2, () => clock.advance(this.random() * 100)],
      [2, () => clock.hide()],
      [3, () => clock.show({ loses: this.random() < 0.3 })],
      [1, () => this.random() < 0.2 && this.jump()],
      [1, () => { phone.isFull = !phone.isFull }],
      [1, () => this.pick(this.requests)?.task?.abort()],
      [1, () => this.logOut()],
      [1, () => this.changeOfMind()],
      [1, () => this.storm()],
      [2, () => this.logIn()],
    ]
    let at = this.random() * steps.reduce((sum, [weight]) => sum + weight, 0)
    const [, act] = steps.find(([weight]) => (at -= weight) < 0)
    await act()
    await settled()
    this.check(!this.isOut || this.session.token() === '', 'nothing logs in after a logout', 'there is a token')
    if (this.violation) throw this.violation
  }

  // Everything works again, and there is time: everything settles, and whoever asks is served, even if the session
  // ends once more.
  async rest() {
    this.fault = this.loginFault = 'none'
    await this.clock.show()
    await this.logIn()
    for (let minute = 0; minute < 5; minute += 1) {
      await this.phone.answerAll()
      await this.clock.advance(60)
    }
    const open = this.followed.filter(({ isSettled }) => !isSettled).length
    this.check(open === 0, 'every promise settles', `${open} are open`)
    this.phone.good = null
    this.request()
    await this.phone.answerAll()
    await this.clock.advance(60)
    await this.phone.answerAll()
    const last = this.requests[this.requests.length - 1]
    this.check(this.session.token() === this.phone.good && last.isServed, 'whoever asks is served in the end', this.session.token())
    if (this.violation) throw this.violation
  }
}

// One life; throws the first rule that it broke, or the first break of the one rule that is asked for.
async function live(createSession, seed, only) {
  const life = new Life(createSession, seed, only)
  const { random } = Math
  Math.random = life.random
  try {
    for (let step = 0; step < STEPS; step += 1) await life.step()
    await life.rest()
  } finally {
    Math.random = random
  }
}

module.exports = { live }
