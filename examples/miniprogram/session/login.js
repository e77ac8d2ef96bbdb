// One login for everyone who needs one, and few of them.

// In seconds. WeChat allows 4 calls of wx.login a second and user, and some phones never call back.
const GAP = 0.3
const CODE_TIMEOUT = 10
const LONGEST_BACKOFF = 60
// How many codes one login may use up.
const CODES = 3

function createLogin({ platform, tokens, pause, call, now, emit, loginUrl, logoutUrl, loginData, maxWait }) {
  const { bodyOf, refusalOf, sessionError } = require('./answer')
  let flight = null
  let codeAt = -Infinity
  let failure = null

  const loggedOut = () => sessionError({ reason: 'logged_out', action: 'login' })
  // A clock that was set back must not keep anybody out.
  const isWithin = (seconds, since) => now() >= since && now() - since < seconds * 1000

  // The server has accepted the token.
  function worked() {
    failure = null
    tokens.used()
  }

  function failed(error) {
    const seconds = Math.min(failure ? 2 * failure.seconds : 1, LONGEST_BACKOFF)
    failure = { error, at: now(), seconds: Math.max(seconds, error.retryAfter) }
  }

  // Resolves when there is another token than the one that was sent.
  function replace(sent) {
    tokens.read()
    if (tokens.isOut) return Promise.reject(loggedOut())
    return tokens.token && tokens.token !== sent ? Promise.resolve() : logIn()
  }

  function logIn() {
    const { epoch } = tokens
    if (flight) return flight.epoch === epoch ? flight : flight.catch(() => {}).then(logIn)
    if (failure && isWithin(failure.seconds, failure.at)) return Promise.reject(failure.error)
    flight = attempt(1, epoch)
    flight.epoch = epoch
    flight.then(() => {
      flight = null
      emit('logged_in', { expiresIn: tokens.expiresIn })
    }, error => {
      flight = null
      if (error.reason !== 'logged_out') failed(error)
      emit('login_failed', error)
    })
    return flight
  }

  function attempt(number, epoch) {
    const gap = isWithin(GAP, codeAt) ? pause(GAP) : Promise.resolve()
    return gap.then(() => freshCode(epoch)).then(code => {
      emit('login', { attempt: number })
      const data = Object.assign({}, loginData, typeof code === 'string' ? { code } : code)
      return call('request', { url: loginUrl, method: 'POST', data }, tokens.token)
    }).then(answer => {
      const refusal = refusalOf(answer)
      const { token, expires_in: seconds } = refusal ? {} : bodyOf(answer)
      // Whoever logged out meanwhile gets no new session: neither here nor on the server.
      if (tokens.epoch !== epoch && token) end(token).catch(() => {})
      if (tokens.epoch !== epoch) throw loggedOut()
      if (token) return tokens.adopt(token, seconds)
      const error = refusal || { reason: 'login_unavailable', action: 'retry', statusCode: answer.statusCode }
      const mayGoOn = refusal && refusal.action !== 'none' && refusal.retryAfter <= maxWait && number < CODES
      if (!mayGoOn) throw sessionError(error)
      if (refusal.retryAfter) emit('wait', { seconds: refusal.retryAfter })
      return pause(refusal.retryAfter).then(() => attempt(number + 1, epoch))
    })
  }

  function freshCode(epoch) {
    if (tokens.epoch !== epoch) throw loggedOut()
    codeAt = now()
    const given = Promise.resolve().then(platform.getCode).catch(() => '')
    return Promise.race([given, pause(CODE_TIMEOUT)]).then(code => {
      if (!code) throw sessionError({ reason: 'code_unavailable', action: 'retry' })
      return code
    })
  }

  // Ends a session on the server. One that is over already is fine.
  const end = token => call('request', { url: logoutUrl, method: 'POST' }, token).then(answer => {
    const refusal = refusalOf(answer)
    if (refusal && refusal.action !== 'login') throw sessionError(refusal)
  })

  return { logIn, replace, failed, worked, loggedOut, end }
}

module.exports = { createLogin }
