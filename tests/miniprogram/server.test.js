// Uploads, sockets and logouts against the example server.
const assert = require('node:assert/strict')
const { after, before, test } = require('node:test')
const { fresh } = require('./fresh')
const { Server } = require('./server')
const { Device, PLATFORMS } = require('./shims')

let server
before(async () => { server = await Server.start() })
after(() => server.stop())

function start(name, user, options) {
  const device = new Device(user)
  const { createSession, adapters } = fresh()
  const events = []
  const platform = { ...PLATFORMS[name](device)(adapters), setTimeout: (run, length) => setTimeout(run, length / 10).unref() }
  const session = createSession({ platform, baseUrl: server.base, onEvent: event => events.push(event), ...options })
  return { device, events, session }
}

// A list of what happens, and a wait for the next of it.
function journal() {
  const [waiting, happened] = [[], []]
  return {
    note: what => (waiting.length ? waiting.shift()(what) : happened.push(what)),
    next: () => (happened.length ? happened.shift() : new Promise(resolve => waiting.push(resolve))),
  }
}

function uploadOn(name) {
  if (name !== 'h5') return { url: '/upload', filePath: 'photo.png', name: 'photo' }
  const data = new FormData()
  data.append('photo', new Blob(['photo.png']), 'photo.png')
  return { url: '/upload', data }
}

for (const name of ['wx', 'my', 'dd', 'h5']) {
  test(`${name}: an upload of a session that is over is sent again after the login`, async () => {
    const { device, session } = start(name, `uploader-${name}`)
    const whole = ({ data }) => (typeof data === 'string' ? JSON.parse(data) : data).bytes > 100
    assert.ok(whole(await session.uploadFile(uploadOn(name))))
    await server.demo('kick_out')
    assert.ok(whole(await session.uploadFile(uploadOn(name))))
    assert.deepEqual(device.sent.map(({ path }) => path), ['/login', '/upload', '/upload', '/login', '/upload'])
  })
}

test('a download of a session that is over is sent again after the login', async () => {
  const { device, session } = start('wx', 'downloader')
  assert.equal((await session.downloadFile({ url: '/me' })).statusCode, 200)
  await server.demo('kick_out')
  assert.equal((await session.downloadFile({ url: '/me' })).statusCode, 200)
  assert.equal(device.sent.filter(({ path }) => path === '/login').length, 2)
})

for (const [name, options] of [['wx', {}], ['wx', { socketToken: 'query' }], ['my', {}], ['dd', {}], ['h5', {}], ['Taro on WeChat', {}]]) {
  test(`${name}: a socket lives through the end of its session ${JSON.stringify(options)}`, async () => {
    const user = `socket-${name.replace(/ /g, '-')}-${options.socketToken}`
    const { device, session } = start(name, user, options)
    const { data: { openid } } = await session.request({ url: '/me' })
    const { note, next } = journal()
    const socket = session.connectSocket({
      url: '/ws', onOpen: () => note('open'), onMessage: ({ data }) => note(data), onError: ({ reason }) => note(reason), onClose: () => note('close'),
    })
    assert.equal(await next(), 'open')
    assert.deepEqual(JSON.parse(await next()), { openid })
    socket.send({ data: 'before' })
    assert.equal(await next(), 'before')
    await server.demo('kick_out')
    assert.deepEqual(JSON.parse(await next()), { reason: 'session_kicked_out', action: 'login' })
    assert.equal(await next(), 'open')
    assert.deepEqual(JSON.parse(await next()), { openid })
    socket.send({ data: 'after' })
    assert.equal(await next(), 'after')
    assert.equal(device.codes, 2)
    socket.close()
    assert.equal(await next(), 'close')
  })

  test(`${name}: a socket that is refused logs in and opens ${JSON.stringify(options)}`, async () => {
    const { device, session } = start(name, `refused-${name.replace(/ /g, '-')}-${options.socketToken}`, options)
    await session.login()
    await server.demo('kick_out')
    const { note, next } = journal()
    const socket = session.connectSocket({ url: '/ws', onOpen: () => note('open'), onError: ({ reason }) => note(reason), onClose: () => note('close') })
    assert.equal(await next(), 'open')
    assert.equal(device.codes, 2)
    socket.close()
    assert.equal(await next(), 'close')
  })
}

test('a logout ends the session on the server, and the requests in flight bring nobody back', async () => {
  const { device, session } = start('wx', 'leaver')
  await session.request({ url: '/me' })
  const token = session.token()
  const requests = Array.from({ length: 20 }, () => session.request({ url: '/me' }))
  const out = session.logout()
  const outcomes = await Promise.allSettled(requests)
  await out
  const reasons = outcomes.map(({ reason }) => reason?.reason).filter(Boolean)
  assert.deepEqual([...new Set(reasons)].filter(reason => reason !== 'logged_out'), [])
  const answer = await fetch(`${server.base}/me`, { headers: { Authorization: `Bearer ${token}` } })
  assert.equal((await answer.json()).reason, 'session_revoked')
  assert.equal(device.codes, 1)
  await session.login()
  assert.equal((await session.request({ url: '/me' })).statusCode, 200)
})

test('a login retires the token that it carries', async () => {
  const { session } = start('wx', 'renewer')
  await session.login()
  const old = session.token()
  await session.login()
  assert.notEqual(session.token(), old)
  const me = async () => (await fetch(`${server.base}/me`, { headers: { Authorization: `Bearer ${old}` } })).status
  assert.equal(await me(), 200, 'for requests in flight')
  await server.demo('advance', { seconds: 31 })
  assert.equal(await me(), 401)
  assert.equal((await session.request({ url: '/me' })).statusCode, 200)
})

test('"log out elsewhere" ends the other devices of the user', async () => {
  const [here, there] = [start('wx', 'owner'), start('my', 'owner2')]
  there.device.user = 'owner'
  there.device.codes = 100
  await Promise.all([here.session.login(), there.session.login()])
  const { data: devices } = await here.session.request({ url: '/sessions' })
  assert.equal(devices.length, 2)
  assert.equal((await here.session.request({ url: '/logout_others', method: 'POST' })).statusCode, 204)
  assert.equal((await here.session.request({ url: '/sessions' })).data.length, 1)
  assert.equal(here.device.codes, 1)
  await there.session.request({ url: '/me' })
  assert.equal(there.device.codes, 102)
})

test('no event of a whole life tells a token or a code', async () => {
  const { session, events } = start('h5', 'quiet')
  await session.request({ url: '/me' })
  const tokens = [session.token()]
  await server.demo('kick_out')
  await session.request({ url: '/me' })
  tokens.push(session.token())
  await session.logout()
  await session.request({ url: '/me' }).catch(error => events.push({ ...error, stack: error.stack }))
  const told = JSON.stringify(events)
  assert.ok(events.length > 8)
  for (const secret of [...tokens, 'quiet:']) assert.ok(!told.includes(secret))
})
