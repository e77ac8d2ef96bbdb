// What is sent, where to, how often, and what becomes of the answer.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const { settled } = require('./clock')
const { refusal } = require('./phone')
const { BASE, start, loggedIn, me } = require('./device')

const ok = data => ({ statusCode: 200, data, header: {} })

test('a request that was sent with a token already replaced is sent again without a login', async () => {
  const { phone, session } = await loggedIn()
  phone.good = null
  const [early, late] = me(session, 2)
  await settled()
  const [first, second] = phone.waiting
  phone.answer(first)
  await settled()
  const login = phone.waiting.find(({ path }) => path === '/login')
  phone.answer(login)
  await settled()
  phone.answer(second)
  await phone.answerAll()
  await Promise.all([early, late])
  assert.equal(phone.sent('/login').length, 1)
  assert.deepEqual(phone.sent('/me').map(({ token }) => token), ['token-1', 'token-1', 'token-2', 'token-2'])
})

test('no request is sent a third time', async () => {
  for (const status of [401, 503]) {
    const { clock, phone, session } = await loggedIn()
    phone.serve = () => refusal(status)
    const requests = me(session, 5)
    await phone.answerAll()
    await clock.advance(5)
    await phone.answerAll()
    for (const request of requests) await assert.rejects(request, { statusCode: status })
    assert.equal(phone.sent('/me').length, 10)
  }
})

test('a session that ends during an outage is replaced by the next request', async () => {
  const { clock, phone, session } = await loggedIn()
  phone.serve = () => refusal(503)
  const first = session.request({ url: '/me' })
  await phone.answerAll()
  phone.serve = ({ token }) => (token === 'token-2' ? ok({}) : refusal(401))
  await clock.advance(2)
  await phone.answerAll()
  await assert.rejects(first, { reason: 'session_idle_expired', action: 'login' })
  const next = session.request({ url: '/me' })
  await phone.answerAll()
  assert.equal((await next).statusCode, 200)
})

test('what is refused for good is one error, with the answer', async () => {
  const { phone, session } = await loggedIn()
  const ambiguous = { errcode: 400, errmsg: 'several different session tokens', reason: 'ambiguous_token', action: 'none' }
  phone.serve = () => ({ statusCode: 400, data: ambiguous, header: { 'X-Request-Id': '7' } })
  const [request] = me(session, 1)
  await phone.answerAll()
  await assert.rejects(request, error => {
    assert.deepEqual({ ...error }, {
      name: 'SessionError', reason: 'ambiguous_token', action: 'none', statusCode: 400, retryAfter: 0,
      errMsg: 'several different session tokens',
      answer: { statusCode: 400, data: ambiguous, header: { 'X-Request-Id': '7' } },
    })
    return error instanceof Error
  })
  assert.equal(phone.log.length, 1)
})

test('whatever the application answers is given as it is', async () => {
  const answers = [
    { statusCode: 404, data: 'not found', header: {} },
    { statusCode: 500, data: { error: 'a fault' }, header: {} },
    { statusCode: 503, data: 'Bad Gateway', header: { 'Retry-After': '1' } },
    ok({ action: 'login', to: 'the next level' }),
    ok({ errcode: 0, reason: 'none', action: 'jump' }),
  ]
  for (const answer of answers) {
    const { phone, session } = await loggedIn()
    phone.serve = () => answer
    const [request] = me(session, 1)
    await phone.answerAll()
    assert.deepEqual(await request, answer)
    assert.equal(phone.log.length, 1)
  }
})

test('the fail of Alipay, with a status, is an answer', async () => {
  const { phone, session } = await loggedIn()
  const [request] = me(session, 1)
  await settled()
  phone.waiting[0].options.fail({ error: 19, status: 404, data: 'not found', headers: { a: 'b' } })
  assert.deepEqual(await request, {
    error: 19, status: 404, statusCode: 404, data: 'not found', headers: { a: 'b' }, header: { a: 'b' },
  })
})

test('tokens go to no other server, and what is no business of the session is left alone', async () => {
  const { phone, session } = await loggedIn()
  phone.serve = () => refusal(401)
  const foreign = [
    `${BASE}.evil.example/me`, 'https://evil.example/me', 'http://api.example.com/me', `${BASE}:8443/me`, `${BASE}@evil.example/me`,
  ]
  const requests = foreign.map(url => session.request({ url }))
  requests.push(session.request({ url: '/public', session: false }))
  await phone.answerAll()
  for (const request of requests) assert.equal((await request).statusCode, 401)
  assert.deepEqual(phone.log.map(({ token }) => token), Array(6).fill(''))
})

test('what a browser takes for another host gets no token where the own server has no name', async () => {
  const { phone, session } = await loggedIn({ baseUrl: '/' })
  phone.serve = () => refusal(401)
  const foreign = ['//evil.example/me', '/\\evil.example/me', '/\t/evil.example/me', 'https://evil.example/me']
  const requests = foreign.map(url => session.request({ url }))
  await phone.answerAll()
  for (const request of requests) assert.equal((await request).statusCode, 401)
  assert.deepEqual(phone.log.map(({ token }) => token), Array(4).fill(''))
})

test('addresses of the own server, in any form, carry the token', async () => {
  for (const baseUrl of [BASE, `${BASE}/`]) {
    const { phone, session } = await loggedIn({ baseUrl })
    const urls = ['/me', 'me', `${BASE}/me`, '/me?a=b', `${BASE}?a=b`]
    const requests = urls.map(url => session.request({ url }))
    await phone.answerAll()
    await Promise.all(requests)
    assert.deepEqual(phone.log.map(({ token }) => token), Array(5).fill('token-1'))
    assert.equal(phone.log[1].options.url, `${BASE}/me`)
  }
})

test('options of the platform pass through, and headers stay', async () => {
  const { phone, session } = await loggedIn()
  const header = { 'X-Trace': '1' }
  const request = session.request({ url: '/me', method: 'PUT', data: { a: 1 }, header, timeout: 5, enableHttp2: true })
  await phone.answerAll()
  await request
  const { method, data, timeout, enableHttp2, header: sent } = phone.log[0].options
  assert.deepEqual({ method, data, timeout, enableHttp2 }, { method: 'PUT', data: { a: 1 }, timeout: 5, enableHttp2: true })
  assert.deepEqual(sent, { 'X-Trace': '1', Authorization: 'Bearer token-1' })
  assert.deepEqual(header, { 'X-Trace': '1' })
})

test('uploads and downloads are sent again, too', async () => {
  const { phone, session } = await loggedIn()
  phone.good = null
  const over = JSON.stringify(refusal(401).data)
  phone.serve = ({ kind, token }) => {
    if (token === phone.good) return kind === 'uploadFile' ? { statusCode: 200, data: '{"bytes":3}' } : { statusCode: 200, tempFilePath: 'x' }
    return kind === 'uploadFile' ? { statusCode: 401, data: over } : { statusCode: 401, tempFilePath: 'y' }
  }
  const upload = session.uploadFile({ url: '/upload', filePath: 'a.png', name: 'file' })
  const download = session.downloadFile({ url: '/file' })
  await phone.answerAll()
  assert.equal((await upload).data, '{"bytes":3}')
  assert.equal((await download).tempFilePath, 'x')
  assert.equal(phone.sent('/login').length, 1)
  assert.equal(phone.sent('/upload')[1].options.filePath, 'a.png')
})

test('callbacks are called once, with what the promise gives', async () => {
  const { phone, session } = await loggedIn()
  const calls = []
  const callbacks = {}
  for (const name of ['success', 'fail', 'complete']) callbacks[name] = outcome => calls.push([name, outcome.statusCode])
  session.request({ url: '/me', ...callbacks })
  await phone.answerAll()
  phone.good = null
  phone.serveLogin = () => refusal(403)
  session.request({ url: '/me', ...callbacks })
  await phone.answerAll()
  assert.deepEqual(calls, [['success', 200], ['complete', 200], ['fail', 403], ['complete', 403]])
})

test('the platform gets no callbacks but ours', async () => {
  const { phone, session } = await loggedIn()
  let completed = 0
  const request = session.request({ url: '/me', complete() { completed += 1 } })
  await settled()
  phone.waiting[0].options.complete({})
  assert.equal(completed, 0)
  await phone.answerAll()
  await request
  assert.equal(completed, 1)
})

test('each task of the platform is handed out, and can be aborted', async () => {
  const { phone, session } = await loggedIn()
  const tasks = []
  const request = session.request({ url: '/me', onTask: task => tasks.push(task) })
  await settled()
  tasks[0].abort()
  await assert.rejects(request, { reason: 'network', errMsg: 'request:fail abort' })
  assert.equal(phone.sent('/me').length, 1)
})

test('a session that must be over is replaced ahead, once, if asked to', async () => {
  const { clock, phone, session } = await loggedIn({ renewBefore: 600 })
  await clock.advance(6000)
  const used = session.request({ url: '/me' })
  await phone.answerAll()
  await used
  await clock.advance(6500)
  assert.equal(phone.logins, 1, 'it was used meanwhile')
  await clock.advance(200)
  const requests = me(session, 20)
  await phone.answerAll()
  await Promise.all(requests)
  assert.equal(phone.logins, 2)
  assert.deepEqual(new Set(phone.sent('/me').slice(1).map(({ token }) => token)), new Set(['token-2']))
})

test('nobody is asked to renew by default', async () => {
  const { clock, phone, session } = await loggedIn()
  await clock.advance(7199)
  const [request] = me(session, 1)
  await phone.answerAll()
  await request
  assert.equal(phone.logins, 1)
})

test('a renewal that fails leaves the session as it is', async () => {
  const { clock, phone, session } = await loggedIn({ renewBefore: 600 })
  await clock.advance(7000)
  phone.serveLogin = () => null
  const requests = me(session, 3)
  await phone.answerAll()
  await Promise.all(requests)
  assert.equal(phone.sent('/login').length, 1)
})

test('events tell what happened, without a token, and whoever throws in one harms nobody', async () => {
  const events = []
  const { phone, session } = await loggedIn({ onEvent: event => events.push(event) })
  const error = console.error
  console.error = () => {}
  session.on(() => { throw new Error('theirs') })
  const silent = event => events.push([event])
  session.on(silent)
  session.off(silent)
  phone.good = null
  events.length = 0
  const request = session.request({ url: '/me?secret=1' })
  await phone.answerAll()
  await request
  console.error = error
  const told = events.map(({ type, url, attempt, statusCode, action }) => [type, url, attempt, statusCode, action])
  assert.deepEqual(told, [
    ['send', `${BASE}/me`, 1, undefined, undefined],
    ['answer', `${BASE}/me`, 1, 401, 'login'],
    ['login', undefined, 1, undefined, undefined],
    ['logged_in', undefined, undefined, undefined, undefined],
    ['send', `${BASE}/me`, 2, undefined, undefined],
    ['answer', `${BASE}/me`, 2, 200, undefined],
  ])
  assert.ok(!JSON.stringify(events).includes('token-'))
})

test('a wait is told, with its length', async () => {
  const waits = []
  const { clock, phone, session } = await loggedIn({ onEvent: ({ type, seconds }) => type === 'wait' && waits.push(seconds) })
  phone.serve = () => refusal(503, { retryAfter: 7 })
  session.request({ url: '/me' })
  await phone.answerAll()
  await clock.advance(10)
  await phone.answerAll()
  phone.serve = () => refusal(401)
  phone.serveLogin = () => refusal(503, { retryAfter: 3 })
  session.request({ url: '/me' })
  for (let second = 0; second < 20; second += 1) {
    await phone.answerAll()
    await clock.advance(1)
  }
  assert.deepEqual(waits, [7, 3, 3])
})

test('a time to renew that is longer than the session is half of it', async () => {
  const { clock, phone, session } = await loggedIn({ renewBefore: 9000 })
  const requests = []
  for (let count = 0; count < 20; count += 1) {
    requests.push(session.request({ url: '/me' }))
    await phone.answerAll()
    await clock.advance(100)
  }
  await Promise.all(requests)
  assert.equal(phone.logins, 1)
  await clock.advance(3601)
  const late = session.request({ url: '/me' })
  await phone.answerAll()
  await late
  assert.equal(phone.logins, 2)
})

test('an answer that is an error is no use of the session', async () => {
  for (const [statusCode, logins] of [[200, 1], [302, 1], [403, 2], [502, 2]]) {
    const { clock, phone, session } = await loggedIn({ renewBefore: 600 })
    phone.serve = () => ({ statusCode, data: '<html>', header: {} })
    for (const seconds of [6000, 1000]) {
      await clock.advance(seconds)
      const request = session.request({ url: '/me' })
      await phone.answerAll()
      await request
    }
    assert.equal(phone.logins, logins, String(statusCode))
  }
})

test('an option that is undefined is one that is not given', async () => {
  const named = ['loginPath', 'logoutPath', 'loginData', 'storageKey', 'renewBefore', 'maxWait', 'socketToken', 'onEvent']
  const { phone, session } = await loggedIn(Object.fromEntries(named.map(name => [name, undefined])))
  phone.serve = () => refusal(503, { retryAfter: 61 })
  const request = session.request({ url: '/me' })
  await phone.answerAll()
  await assert.rejects(request, { reason: 'store_unavailable' })
  assert.deepEqual([...phone.storage.keys()], [`session ${BASE}`])
})
