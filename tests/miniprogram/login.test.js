// One login for all, and few of them.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const { settled } = require('./clock')
const { refusal, NEVER } = require('./phone')
const { sessionOn, start, loggedIn, me, reasons } = require('./device')

test('the first request logs in, and carries the token', async () => {
  const { phone, session } = start()
  const request = session.request({ url: '/me' })
  await phone.answerAll()
  assert.deepEqual(await request, { statusCode: 200, data: { name: 'alice' }, header: {} })
  assert.deepEqual(phone.log.map(({ path, token }) => [path, token]), [['/login', ''], ['/me', 'token-1']])
  assert.deepEqual(phone.sent('/login')[0].options.data, { code: 'alice:1' })
})

test('twenty requests at an end make one login, in one go', async () => {
  const { phone, session } = await loggedIn()
  phone.good = null
  const requests = me(session, 20)
  await phone.answerAll()
  assert.deepEqual((await Promise.all(requests)).map(({ data }) => data.name), Array(20).fill('alice'))
  assert.equal(phone.logins, 2)
  assert.equal(phone.sent('/me').length, 40)
})

test('twenty requests at an end make one login, one after the other', async () => {
  const { phone, session } = await loggedIn()
  phone.good = null
  const requests = me(session, 20)
  await settled()
  for (const refused of [...phone.waiting]) {
    phone.answer(refused)
    await settled()
    // Whatever follows is over before the next of the twenty is refused.
    for (let more = phone.waiting.filter(sent => !refusedAtFirst(sent)); more.length; more = phone.waiting.filter(sent => !refusedAtFirst(sent))) {
      more.forEach(sent => phone.answer(sent))
      await settled()
    }
  }
  await Promise.all(requests)
  assert.equal(phone.logins, 2)
})
const refusedAtFirst = ({ path, token }) => path === '/me' && token === 'token-1'

test('a login carries the old token, so that the server retires it, and the settings of the app', async () => {
  const { phone, session } = await loggedIn({ loginData: { appid: 'wx1' } })
  phone.good = null
  const request = session.request({ url: '/me' })
  await phone.answerAll()
  await request
  const [login] = phone.sent('/login')
  assert.equal(login.token, 'token-1')
  assert.deepEqual(login.options.data, { appid: 'wx1', code: 'alice:2' })
})

test('a store that is down, a busy WeChat and a quota make nobody log in who has a session', async () => {
  for (const [status, retryAfter] of [[503, 1], [503, 3], [429, 60]]) {
    const { clock, phone, session } = await loggedIn()
    phone.serve = () => refusal(status, { retryAfter })
    const requests = me(session, 20)
    await phone.answerAll()
    await clock.advance(retryAfter - 0.001)
    assert.equal(phone.log.length, 20, 'nobody comes back before it was asked to')
    await clock.advance(retryAfter / 4 + 0.001)
    assert.ok(new Set(phone.log.slice(20).map(({ at }) => at)).size > 10, 'they do not all come back at once')
    await phone.answerAll()
    assert.deepEqual(await reasons(requests), Array(20).fill(REASON[status]))
    assert.equal(phone.log.length, 40)
    assert.equal(phone.logins, 1)
  }
})
const REASON = { 503: 'store_unavailable', 429: 'rate_limited' }

test('a wait that is too long is not waited', async () => {
  const { phone, session } = await loggedIn({ maxWait: 10 })
  phone.serve = () => refusal(503, { retryAfter: 11 })
  const request = session.request({ url: '/me' })
  await phone.answerAll()
  await assert.rejects(request, { reason: 'store_unavailable', action: 'retry', statusCode: 503, retryAfter: 11 })
  assert.equal(phone.log.length, 1)
})

test('a network that is down makes nobody log in', async () => {
  const { phone, session } = await loggedIn()
  phone.serve = () => null
  const request = session.request({ url: '/me' })
  await phone.answerAll()
  await assert.rejects(request, { reason: 'network', action: 'retry', statusCode: 0, errMsg: 'request:fail …' })
  assert.equal(phone.log.length, 1)
})

test('a user who is blocked is told once, by one error, to all who wait', async () => {
  const { phone, session } = await loggedIn()
  phone.good = null
  phone.serveLogin = () => refusal(403)
  const requests = me(session, 20)
  await phone.answerAll()
  const settledAs = await Promise.allSettled(requests)
  assert.equal(new Set(settledAs.map(({ reason }) => reason)).size, 1)
  const { reason, action, statusCode, errMsg } = settledAs[0].reason
  assert.deepEqual({ reason, action, statusCode, errMsg }, {
    reason: 'user_blocked', action: 'none', statusCode: 403, errMsg: 'what the server says',
  })
  assert.equal(phone.sent('/login').length, 1)
})

test('after a login that failed nobody tries for a while, longer each time', async () => {
  const { clock, phone, session } = await loggedIn()
  phone.good = null
  phone.serveLogin = () => refusal(403)
  const trials = []
  for (let second = 0; second < 200; second += 1) {
    const before = phone.sent('/login').length
    const request = session.request({ url: '/me' })
    await phone.answerAll()
    await assert.rejects(request, { reason: 'user_blocked' })
    if (phone.sent('/login').length > before) trials.push(second)
    await clock.advance(1)
  }
  assert.deepEqual(trials, [0, 1, 3, 7, 15, 31, 63, 123, 183])
})

test('a limit of the login is kept to by everyone after', async () => {
  const { clock, phone, session } = await loggedIn()
  phone.good = null
  phone.serveLogin = () => refusal(429, { retryAfter: 3600 })
  for (let minute = 0; minute < 60; minute += 1) {
    const request = session.request({ url: '/me' })
    await phone.answerAll()
    await assert.rejects(request, { reason: 'rate_limited', retryAfter: 3600 })
    await clock.advance(59)
  }
  assert.equal(phone.codes, 2, 'the one of the first login, and one more')
})

test('a busy WeChat is asked again with a fresh code, three times at most', async () => {
  const { clock, phone, session } = start()
  phone.serveLogin = () => refusal(503, { retryAfter: 3 })
  const requests = me(session, 5)
  for (let second = 0; second < 20; second += 1) {
    await phone.answerAll()
    await clock.advance(1)
  }
  assert.deepEqual(await reasons(requests), Array(5).fill('store_unavailable'))
  assert.deepEqual(phone.sent('/login').map(({ options }) => options.data.code), ['alice:1', 'alice:2', 'alice:3'])
  const [first, second] = phone.sent('/login').map(({ at }) => at)
  assert.ok(second - first >= 3000 && second - first <= 3750, String(second - first))
})

test('a code that was spent is replaced by a fresh one, less than four times a second', async () => {
  const { clock, phone, session } = start()
  const spent = { errcode: 400, errmsg: 'code rejected', reason: 'code_rejected', action: 'login' }
  phone.serveLogin = () => ({ statusCode: 400, data: spent, header: {} })
  const request = session.request({ url: '/me' })
  for (let step = 0; step < 100; step += 1) {
    await phone.answerAll()
    await clock.advance(0.01)
  }
  await assert.rejects(request, { reason: 'code_rejected', action: 'login', statusCode: 400 })
  const times = phone.sent('/login').map(({ at }) => at)
  assert.equal(times.length, 3)
  assert.ok(times[1] - times[0] >= 300 && times[2] - times[1] >= 300, String(times))
})

test('a token that is refused as soon as it is issued does not make logins without end', async () => {
  const { clock, phone, session } = start()
  phone.serve = () => refusal(401)
  let trials = 0
  for (let second = 0; second < 60; second += 1) {
    const requests = me(session, 3)
    await phone.answerAll()
    await clock.advance(0.5)
    await phone.answerAll()
    assert.deepEqual(await reasons(requests), Array(3).fill('session_idle_expired'))
    await clock.advance(0.5)
    trials = phone.logins
  }
  assert.ok(trials >= 5 && trials <= 8, `${trials} logins in a minute`)
  phone.serve = () => ({ statusCode: 200, data: {}, header: {} })
  await clock.advance(60)
  const request = session.request({ url: '/me' })
  await phone.answerAll()
  assert.equal((await request).statusCode, 200)
})

test('a phone that gives no code, an empty one, or never calls back is an error of its own', async () => {
  for (const getCode of [async () => { throw new Error('login:fail') }, async () => '', () => new Promise(() => {})]) {
    const { clock, phone, session } = start()
    phone.platform.getCode = getCode
    const requests = me(session, 2)
    await clock.advance(13)
    assert.deepEqual(await reasons(requests), ['code_unavailable', 'code_unavailable'])
    assert.equal(phone.log.length, 0)
  }
})

test('a code may be more than a text', async () => {
  const { phone, session } = start()
  phone.platform.getCode = async () => ({ anonymous_code: 'a', code: '' })
  const login = session.login()
  await phone.answerAll()
  await login
  assert.deepEqual(phone.sent('/login')[0].options.data, { anonymous_code: 'a', code: '' })
})

test('an answer to the login without a token is an error and no token', async () => {
  for (const answer of [{ statusCode: 502, data: 'Bad Gateway', header: {} }, { statusCode: 200, data: {}, header: {} }]) {
    const { phone, session } = start()
    phone.serveLogin = () => answer
    const login = session.login()
    await phone.answerAll()
    await assert.rejects(login, { reason: 'login_unavailable', action: 'retry', statusCode: answer.statusCode })
    assert.equal(session.token(), '')
  }
})

test('a login that has to wait for another does not outlive a logout', async () => {
  const { phone, session } = start()
  const first = session.login()
  await settled()
  session.logout()
  const queued = session.login()
  session.logout()
  await phone.answerAll()
  assert.deepEqual(await reasons([first, queued]), ['logged_out', 'logged_out'])
  assert.deepEqual([phone.codes, session.token()], [1, ''])
})

test('a fresh token that is refused to twenty requests costs a wait of one second', async () => {
  const { clock, phone, session } = await loggedIn()
  phone.serve = () => refusal(401)
  const requests = me(session, 20)
  await phone.answerAll()
  assert.deepEqual(await reasons(requests), Array(20).fill('session_idle_expired'))
  assert.equal(phone.logins, 2)
  const early = session.login()
  await phone.answerAll()
  await assert.rejects(early, { reason: 'session_idle_expired' })
  await clock.advance(1)
  const login = session.login()
  await phone.answerAll()
  await login
  assert.equal(phone.logins, 3)
})

test('no answer to a request ends the wait after a login that failed', async () => {
  for (const statusCode of [200, 403, 502]) {
    const { clock, phone, session } = await loggedIn()
    phone.serve = () => ({ statusCode, data: '<html>', header: {} })
    phone.serveLogin = () => refusal(403)
    const trials = []
    for (let second = 0; second < 20; second += 1) {
      const before = phone.sent('/login').length
      const both = [session.login(), session.request({ url: '/public' })]
      await phone.answerAll()
      await Promise.allSettled(both)
      if (phone.sent('/login').length > before) trials.push(second)
      await clock.advance(1)
    }
    assert.deepEqual(trials, [0, 1, 3, 7, 15], String(statusCode))
  }
})

test('a login that is never answered ends, and the next one is sent', async () => {
  const { clock, phone, session } = start()
  const { serveLogin } = phone
  phone.serveLogin = () => NEVER
  const requests = me(session, 3)
  await phone.answerAll()
  await clock.advance(76)
  assert.deepEqual(await reasons(requests), Array(3).fill('login_unavailable'))
  phone.serveLogin = serveLogin
  await clock.advance(1)
  const request = session.request({ url: '/me' })
  await phone.answerAll()
  assert.equal((await request).statusCode, 200)
})

test('a logout in another tab ends the login that is under way in this one', async () => {
  const { phone, session } = await loggedIn()
  const other = sessionOn(phone)
  phone.good = null
  const request = session.request({ url: '/me' })
  await settled()
  phone.answer(phone.waiting[0])
  await settled()
  other.logout()
  await phone.answerAll()
  await assert.rejects(request, { reason: 'logged_out' })
  assert.equal(session.token(), '')
  assert.deepEqual(phone.sent('/logout').map(({ token }) => token), ['token-1', 'token-2'])
  assert.equal(sessionOn(phone).token(), '')
})

test('whoever asks for a login gets one, though another tab has logged out before', async () => {
  const { phone, session } = await loggedIn()
  sessionOn(phone).logout()
  const login = session.login()
  await phone.answerAll()
  await login
  assert.equal(session.token(), 'token-2')
  assert.equal(sessionOn(phone).token(), 'token-2')
})

test('a platform that throws is an error of ours, without a token, and the wait after it has a length', async () => {
  const { clock, phone, session } = await loggedIn()
  const { request } = phone.platform
  phone.platform.request = ({ header }) => { throw new TypeError(`no ${header.Authorization}`) }
  await assert.rejects(session.request({ url: '/me' }), { name: 'SessionError', reason: 'network', errMsg: 'request:fail TypeError' })
  await assert.rejects(session.login(), { name: 'SessionError', reason: 'network', errMsg: 'request:fail TypeError' })
  phone.platform.request = request
  await assert.rejects(session.login(), { errMsg: 'request:fail TypeError' }, 'for a second')
  await clock.advance(1)
  const login = session.login()
  await phone.answerAll()
  await login
})
