// A phone with WeChat and a server in memory: whatever is sent waits until the test has it answered.
const { settled } = require('./clock')

const REASONS = {
  401: ['session_idle_expired', 'login'],
  503: ['store_unavailable', 'retry'],
  403: ['user_blocked', 'none'],
  429: ['rate_limited', 'retry'],
}

function refusal(statusCode, { retryAfter, reason } = {}) {
  const [usual, action] = REASONS[statusCode]
  const data = { errcode: statusCode, errmsg: 'what the server says', reason: reason || usual, action }
  return { statusCode, data, header: retryAfter ? { 'Retry-After': String(retryAfter) } : {} }
}

// What a request gets that never calls back.
const NEVER = {}

class Phone {
  constructor(clock, storage = new Map()) {
    Object.assign(this, { clock, storage, waiting: [], log: [], logins: 0, codes: 0, good: null, isFull: false })
    // What the server answers to a request of the application, and to a login; replaced by tests.
    this.serve = ({ token }) => (token === this.good ? { statusCode: 200, data: { name: 'alice' }, header: {} } : refusal(401))
    this.serveLogin = () => ({ statusCode: 200, data: { token: this.issue(), expires_in: 7200 }, header: {} })
    this.platform = {
      socketToken: 'header',
      now: clock.now,
      setTimeout: clock.setTimeout,
      onShow: clock.onShow,
      request: options => this.send('request', options),
      uploadFile: options => this.send('uploadFile', options),
      downloadFile: options => this.send('downloadFile', options),
      connectSocket: () => { throw new Error('no sockets here') },
      getCode: async () => `alice:${this.codes += 1}`,
      get: key => this.storage.get(key) || '',
      set: (key, text) => {
        if (this.isFull) throw new Error('exceed storage max size 10Mb')
        this.storage.set(key, text)
      },
    }
  }

  issue() {
    this.logins += 1
    this.good = `token-${this.logins}`
    return this.good
  }

  send(kind, options) {
    const token = (options.header.Authorization || '').replace('Bearer ', '')
    const path = new URL(options.url, 'https://own.example').pathname
    const sent = { kind, path, token, options, at: this.clock.steady }
    this.log.push(sent)
    this.waiting.push(sent)
    return { abort: () => options.fail({ errMsg: 'request:fail abort' }) }
  }

  // Answers what was sent, as the server sees things now.
  answer(sent) {
    this.waiting.splice(this.waiting.indexOf(sent), 1)
    const answer = sent.path === '/login' ? this.serveLogin(sent) : this.serve(sent)
    if (answer === NEVER) return
    if (answer) sent.options.success(answer)
    else sent.options.fail({ errMsg: `request:fail ${sent.token}` })
  }

  // Answers everything, and what follows from it.
  async answerAll() {
    for (await settled(); this.waiting.length; await settled()) [...this.waiting].forEach(sent => this.answer(sent))
  }

  sent(path) {
    return this.log.filter(sent => sent.path === path)
  }
}

module.exports = { Phone, refusal, NEVER }
