// What happens to a device: full storage, other pages, clocks, hiding, logging out.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const { settled, Clock } = require('./clock')
const { Phone, refusal } = require('./phone')
const { fresh } = require('./fresh')
const { sessionOn, start, loggedIn, me, reasons } = require('./device')

async function answered(phone, request) {
  await phone.answerAll()
  return request
}

test('the next start goes on with the stored token', async () => {
  const { phone } = await loggedIn()
  const again = sessionOn(phone)
  await answered(phone, again.request({ url: '/me' }))
  assert.equal(phone.logins, 1)
  assert.equal(again.token(), 'token-1')
})

test('a full storage, and one that cannot be read, cost nothing until the next start', async () => {
  const { clock, phone, session } = await loggedIn()
  phone.isFull = true
  phone.good = null
  await answered(phone, session.request({ url: '/me' }))
  await clock.advance(60)
  for (let use = 0; use < 5; use += 1) await answered(phone, session.request({ url: '/me' }))
  assert.equal(phone.logins, 2)
  // The old token is still stored, and no news.
  phone.good = null
  phone.log.length = 0
  await answered(phone, session.request({ url: '/me' }))
  assert.deepEqual(phone.log.map(({ path, token }) => [path, token]), [['/me', 'token-2'], ['/login', 'token-2'], ['/me', 'token-3']])
  phone.platform.get = () => { throw new Error('getStorageSync:fail') }
  await answered(phone, session.request({ url: '/me' }))
  assert.equal(phone.logins, 3)
})

test('a storage that takes nothing and says nothing is the same', async () => {
  const { phone, session } = start()
  phone.platform.set = () => {}
  await answered(phone, session.login())
  for (let use = 0; use < 5; use += 1) await answered(phone, session.request({ url: '/me' }))
  assert.equal(phone.logins, 1)
})

test('what others have stored under our name is no token', async () => {
  for (const text of ['rubbish', 'null', '7', '"text"', '{}', '[]']) {
    const { phone, session } = start({ storageKey: 'session' }, new Map([['session', text]]))
    await answered(phone, session.request({ url: '/me' }))
    assert.equal(phone.logins, 1, text)
  }
})

test('the use of a session is stored ten times in its life, not at every request', async () => {
  const { clock, phone, session } = await loggedIn()
  let writes = 0
  const { set } = phone.platform
  phone.platform.set = (key, text) => { writes += 1; set(key, text) }
  for (let minute = 0; minute < 120; minute += 1) {
    await answered(phone, session.request({ url: '/me' }))
    await clock.advance(60)
  }
  assert.ok(writes >= 8 && writes <= 10, String(writes))
})

test('two pages of one app share the token and the login', async () => {
  const phone = new Phone(new Clock())
  const { createSession } = fresh()
  const [one, other] = [1, 2].map(() => sessionOn(phone, {}, { createSession }))
  const requests = [...me(one, 10), ...me(other, 10)]
  await phone.answerAll()
  await Promise.all(requests)
  assert.equal(phone.logins, 1)
})

test('two tabs use what the other has stored, and keep nothing of it from each other', async () => {
  const { clock, phone, session } = await loggedIn()
  const other = sessionOn(phone)
  phone.good = null
  await answered(phone, session.request({ url: '/me' }))
  await answered(phone, other.request({ url: '/me' }))
  assert.equal(phone.logins, 2)
  assert.equal(other.token(), 'token-2')
  // A tab that goes on with its old token does not overwrite the newer one.
  await clock.advance(60)
  phone.good = null
  await answered(phone, other.request({ url: '/me' }))
  phone.serve = () => ({ statusCode: 200, data: {}, header: {} })
  await clock.advance(1000)
  await answered(phone, session.request({ url: '/me' }))
  assert.equal(session.token(), 'token-2')
  assert.equal(sessionOn(phone).token(), 'token-3')
})

test('a logout in another tab logs nobody in here', async () => {
  const { phone, session } = await loggedIn()
  const other = sessionOn(phone)
  phone.good = null
  await answered(phone, session.logout())
  const request = other.request({ url: '/me' })
  await phone.answerAll()
  await assert.rejects(request, { reason: 'logged_out', action: 'login' })
  assert.equal(phone.sent('/login').length, 0)
  await answered(phone, session.login())
  await answered(phone, other.request({ url: '/me' }))
  assert.equal(other.token(), 'token-2')
})

test('a clock that jumps costs at most one login, and keeps nobody out', async () => {
  for (const jump of [86400, -86400, 3600 * 24 * 365, -3600 * 24 * 365]) {
    const { clock, phone, session } = await loggedIn({ renewBefore: 600 })
    clock.jump(jump)
    const requests = me(session, 20)
    await phone.answerAll()
    await Promise.all(requests)
    for (let use = 0; use < 20; use += 1) await answered(phone, session.request({ url: '/me' }))
    assert.ok(phone.logins <= 2, `${jump}: ${phone.logins}`)
    // A login that failed keeps others waiting, but not until the clock is where it was.
    await clock.advance(60)
    phone.good = null
    const { serveLogin } = phone
    phone.serveLogin = () => refusal(403)
    await assert.rejects(answered(phone, session.request({ url: '/me' })), { reason: 'user_blocked' })
    phone.serveLogin = serveLogin
    clock.jump(-jump)
    await clock.advance(1)
    assert.equal((await answered(phone, session.request({ url: '/me' }))).statusCode, 200)
  }
})

test('a wait goes on while the app is hidden, and ends when it is shown', async () => {
  for (const loses of [false, true]) {
    const { clock, phone, session } = await loggedIn()
    const { serve } = phone
    phone.serve = () => refusal(503, { retryAfter: 30 })
    const request = session.request({ url: '/me' })
    await phone.answerAll()
    phone.serve = serve
    clock.hide()
    await clock.advance(10)
    await clock.show()
    assert.equal(phone.waiting.length, 0, 'it is too early')
    clock.hide()
    await clock.advance(100)
    assert.equal(phone.waiting.length, 0, 'it is hidden')
    await clock.show({ loses })
    assert.equal((await answered(phone, request)).statusCode, 200)
    assert.equal(phone.sent('/me').length, 2)
    assert.equal(phone.logins, 1)
  }
})

test('a wait whose timer was lost ends, although the clock was set back meanwhile', async () => {
  const { clock, phone, session } = await loggedIn()
  const { serve } = phone
  phone.serve = () => refusal(503, { retryAfter: 30 })
  const request = session.request({ url: '/me' })
  await phone.answerAll()
  phone.serve = serve
  clock.hide()
  await clock.advance(100)
  clock.jump(-86400)
  await clock.show({ loses: true })
  assert.equal((await answered(phone, request)).statusCode, 200)
})

test('requests that fly while the user logs out bring nobody back', async () => {
  const { clock, phone, session } = await loggedIn()
  const requests = me(session, 10)
  await settled()
  const [inFlight] = phone.waiting
  phone.answer(inFlight)
  phone.serve = ({ path }) => (path === '/logout' ? { statusCode: 204, data: '', header: {} } : refusal(401))
  const out = session.logout()
  assert.equal(session.token(), '')
  await phone.answerAll()
  await out
  await clock.advance(60)
  assert.deepEqual(await reasons(requests), [undefined, ...Array(9).fill('logged_out')])
  assert.deepEqual(await reasons(me(session, 2)), ['logged_out', 'logged_out'])
  assert.equal(phone.sent('/login').length, 0)
  assert.deepEqual(phone.sent('/logout').map(({ token }) => token), ['token-1'])
  assert.deepEqual(await reasons(me(sessionOn(phone), 1)), ['logged_out'], 'nor does the next start')
})

test('waits end with the logout, and the one who logs in after gets no request of the one before', async () => {
  const { clock, phone, session } = await loggedIn()
  phone.serve = ({ path }) => (path === '/me' ? refusal(503) : { statusCode: 204, data: '', header: {} })
  const [waiting] = me(session, 1)
  await phone.answerAll()
  await answered(phone, session.logout())
  await answered(phone, session.login())
  await clock.advance(5)
  await assert.rejects(waiting, { reason: 'logged_out' })
  assert.deepEqual(phone.sent('/me').map(({ token }) => token), ['token-1'])
  assert.equal(session.token(), 'token-2')
})

test('a login under way when the user logs out leaves no session, here or on the server', async () => {
  const { phone, session } = start()
  const requests = me(session, 3)
  await settled()
  await session.logout()
  await phone.answerAll()
  assert.deepEqual(await reasons(requests), Array(3).fill('logged_out'))
  assert.equal(session.token(), '')
  assert.deepEqual(phone.sent('/logout').map(({ token }) => token), ['token-1'])
})

test('a login after a logout waits for the one under way, and is another', async () => {
  const { clock, phone, session } = start()
  const first = session.login()
  await settled()
  await session.logout()
  const second = session.login()
  await settled()
  assert.equal(phone.sent('/login').length, 1, 'one at a time')
  await phone.answerAll()
  await clock.advance(1)
  await phone.answerAll()
  await assert.rejects(first, { reason: 'logged_out' })
  await second
  assert.equal(session.token(), 'token-2')
})

test('a logout that the server does not hear of is one all the same, and says so', async () => {
  for (const [answer, reason] of [[null, 'network'], [refusal(503), 'store_unavailable']]) {
    const { phone, session } = await loggedIn()
    phone.serve = () => answer
    const out = session.logout()
    await phone.answerAll()
    await assert.rejects(out, { reason })
    assert.equal(session.token(), '')
  }
  const { phone, session } = await loggedIn()
  phone.serve = () => refusal(401)
  await answered(phone, session.logout())
})
