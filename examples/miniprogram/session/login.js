// One login for everyone who needs one, and few of them.

// In seconds. WeChat allows 4 calls of wx.login a second and user, and some phones never call back.
const GAP = 0.3
const CODE_TIMEOUT = 10
const LOGIN_TIMEOUT = 60
const LONGEST_BACKOFF = 60
// How many codes one login may use up.
const CODES = 3

function createLogin({ platform, tokens, pause, wait, call, now, emit, loginUrl, logoutUrl, loginData, maxWait }) {
  const { bodyOf, refusalOf, sessionError } = require('./answer')
  let [flight, codeAt] = [null, -Infinity]
  // The last login that failed, and the last token that was refused as soon as it was issued. Each is in
  // force until the opposite happens.
  const failures = { login: null, token: null }

  const loggedOut = () => sessionError({ reason: 'logged_out', action: 'login' })
  // Throws if there was a logout since.
  const check = epoch => { if (tokens.epoch !== epoch) throw loggedOut() }
  // A clock that was set back must not keep anybody out.
  const isWithin = (seconds, since) => now() >= since && now() - since < seconds * 1000

  // The server has accepted the token, or even the fresh one of the login that this request has asked for.
  const worked = isFresh => { if (isFresh) failures.token = null; tokens.used() }

  // Once for each token, however many requests it is refused to.
  function failed(kind, error, token) {
    const last = failures[kind]
    if (last && token && last.token === token) return
    const seconds = Math.min(last ? 2 * last.seconds : 1, LONGEST_BACKOFF)
    failures[kind] = { error, token, at: now(), seconds: Math.max(seconds, error.retryAfter) }
  }

  // Resolves when there is another token than the one that was sent.
  function replace(sent) {
    tokens.read()
    if (tokens.isOut) return Promise.reject(loggedOut())
    return tokens.token && tokens.token !== sent ? Promise.resolve() : logIn()
  }

  // Whoever has to wait for another's login may be logged out when the turn comes.
  function logIn(epoch = tokens.epoch) {
    if (tokens.epoch !== epoch) return Promise.reject(loggedOut())
    if (flight) return flight.epoch === epoch ? flight : flight.catch(() => {}).then(() => logIn(epoch))
    const failure = [failures.login, failures.token].find(each => each && isWithin(each.seconds, each.at))
    if (failure) return Promise.reject(failure.error)
    flight = Object.assign(attempt(1, epoch), { epoch })
    flight.then(() => {
      flight = failures.login = null
      emit('logged_in', { expiresIn: tokens.expiresIn })
    }, error => {
      flight = null
      if (error.reason !== 'logged_out') failed('login', error)
      emit('login_failed', error)
    })
    return flight
  }

  function attempt(number, epoch) {
    const gap = isWithin(GAP, codeAt) ? pause(GAP) : Promise.resolve()
    return gap.then(() => check(epoch)).then(freshCode).then(code => {
      check(epoch)
      emit('login', { attempt: number })
      const data = Object.assign({}, loginData, typeof code === 'string' ? { code } : code)
      return within(LOGIN_TIMEOUT, 'login_unavailable', call('request', { url: loginUrl, method: 'POST', data }, tokens.token))
    }).then(answer => {
      const refusal = refusalOf(answer)
      const { token, expires_in: seconds } = refusal ? {} : bodyOf(answer)
      // Whoever logged out meanwhile, if only in another tab, gets no new session: neither here nor on
      // the server.
      tokens.read()
      if (tokens.epoch !== epoch && token) end(token).catch(() => {})
      check(epoch)
      if (token) return tokens.adopt(token, seconds)
      const mayGoOn = refusal && refusal.action !== 'none' && refusal.retryAfter <= maxWait && number < CODES
      if (mayGoOn) return wait(refusal.retryAfter).then(() => attempt(number + 1, epoch))
      throw sessionError(refusal || { reason: 'login_unavailable', action: 'retry', statusCode: answer.statusCode })
    })
  }

  function freshCode() {
    codeAt = now()
    return within(CODE_TIMEOUT, 'code_unavailable', Promise.resolve().then(platform.getCode).catch(() => ''))
  }

  const within = (seconds, reason, promise) => Promise.race([promise, pause(seconds)])
    .then(value => value || Promise.reject(sessionError({ reason, action: 'retry' })))

  // Ends a session on the server. One that is over already is fine.
  const end = token => call('request', { url: logoutUrl, method: 'POST' }, token).then(answer => {
    const refusal = refusalOf(answer)
    if (refusal && refusal.action !== 'login') throw sessionError(refusal)
  })

  return { logIn, replace, failed, worked, check, end }
}

module.exports = { createLogin }
