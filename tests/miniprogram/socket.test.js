// A socket that outlives its session, on a platform and a server in memory.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const { settled } = require('./clock')
const { refusal } = require('./phone')
const { BASE, loggedIn } = require('./device')

// Sockets that the test opens and closes; each is what WeChat gives.
function withSockets(phone) {
  const sockets = []
  phone.platform.connectSocket = options => {
    const listeners = {}
    const socket = {
      options, sent: [], closed: [], listeners,
      send: message => socket.sent.push(message.data),
      close(how) {
        socket.closed.push(how.code || 1000)
        setImmediate(() => listeners.Close({ code: how.code || 1000, reason: '' }))
      },
    }
    for (const event of ['Open', 'Message', 'Close', 'Error']) socket[`on${event}`] = listener => { listeners[event] = listener }
    sockets.push(socket)
    return socket
  }
  return sockets
}

async function connected(given, options) {
  const device = await loggedIn(options)
  const sockets = withSockets(device.phone)
  const told = []
  const tell = event => value => told.push([event, value?.data ?? value?.reason ?? value?.code])
  const socket = device.session.connectSocket({
    url: '/ws', onOpen: () => told.push(['open']), onMessage: tell('message'), onError: tell('error'),
    onClose: ({ code }) => told.push(['close', code]), ...given,
  })
  await settled()
  return { ...device, sockets, socket, told }
}

test('a socket carries the token where the platform and the server agree', async () => {
  const { sockets: [header] } = await connected({ header: { a: 'b' } })
  assert.deepEqual([header.options.url, header.options.header], ['wss://api.example.com/ws', { a: 'b', Authorization: 'Bearer token-1' }])
  const { sockets: [query] } = await connected({ url: '/ws?a=b' }, { socketToken: 'query' })
  assert.deepEqual([query.options.url, query.options.header], ['wss://api.example.com/ws?a=b&token=token-1', undefined])
  const { sockets: [protocol] } = await connected({ url: 'wss://api.example.com/ws', protocols: ['chat'] }, { socketToken: 'protocol' })
  assert.deepEqual([protocol.options.url, protocol.options.protocols], ['wss://api.example.com/ws', ['bearer', 'token-1', 'chat']])
})

test('messages go both ways, and the close of the user is one', async () => {
  const { sockets: [native], socket, told } = await connected()
  native.listeners.Open({})
  native.listeners.Message({ data: 'hello' })
  socket.send({ data: 'good day' })
  socket.close()
  await settled()
  assert.deepEqual(native.sent, ['good day'])
  assert.deepEqual(told, [['open'], ['message', 'hello'], ['close', 1000]])
})

test('the close of the application and of the network are given as they are', async () => {
  for (const code of [1000, 1006, 4000]) {
    const { sockets, told, phone } = await connected()
    sockets[0].listeners.Open({})
    sockets[0].listeners.Close({ code })
    await settled()
    assert.deepEqual(told, [['open'], ['close', code]])
    assert.deepEqual([sockets.length, phone.log.length], [1, 0])
  }
})

test('4401, and a last message that says so, are a login and another socket, once', async () => {
  const over = JSON.stringify({ reason: 'session_revoked', action: 'login' })
  for (const [last, code] of [[null, 4401], [over, 1006]]) {
    const { clock, phone, sockets, told } = await connected()
    const end = async socket => {
      if (last) socket.listeners.Message({ data: last })
      socket.listeners.Close({ code })
      await phone.answerAll()
    }
    sockets[0].listeners.Open({})
    phone.good = null
    await end(sockets[0])
    assert.equal(phone.sent('/login').length, 1)
    assert.equal(sockets[1].options.header.Authorization, 'Bearer token-2')
    sockets[1].listeners.Open({})
    await end(sockets[1])
    assert.equal(sockets.length, 2)
    assert.equal(phone.sent('/login').length, 1)
    assert.deepEqual(told.filter(([event]) => event !== 'message'), [['open'], ['open'], ['close', code]])
    await clock.advance(1)
  }
})

test('a socket that was open for a while may come back again', async () => {
  const { clock, phone, sockets, told } = await connected()
  for (let round = 0; round < 5; round += 1) {
    sockets[round].listeners.Open({})
    await clock.advance(61)
    sockets[round].listeners.Close({ code: 4401 })
    await phone.answerAll()
  }
  assert.equal(sockets.length, 6)
  assert.deepEqual(told, Array(5).fill(['open']))
})

test('a refused socket asks over HTTP why, logs in if the session is over, and opens once more', async () => {
  const { phone, sockets, told } = await connected()
  phone.good = null
  sockets[0].listeners.Error({ errMsg: 'connect fail' })
  sockets[0].listeners.Close({ code: 1006 })
  await phone.answerAll()
  assert.deepEqual(phone.log.map(({ path, token }) => [path, token]), [['/ws', 'token-1'], ['/login', 'token-1'], ['/ws', 'token-2']])
  assert.equal(phone.log[0].options.url, `${BASE}/ws`)
  assert.equal(sockets[1].options.header.Authorization, 'Bearer token-2')
  sockets[1].listeners.Error({ errMsg: 'connect fail' })
  await phone.answerAll()
  assert.equal(sockets.length, 2)
  assert.deepEqual(told, [['error', 'socket_refused'], ['close', 1006]])
})

test('a store that is down lets a socket wait, and a network that is down ends it; neither logs in', async () => {
  const { clock, phone, sockets, told } = await connected()
  const { serve } = phone
  phone.serve = () => refusal(503, { retryAfter: 1 })
  sockets[0].listeners.Error({})
  await phone.answerAll()
  phone.serve = serve
  await clock.advance(2)
  await phone.answerAll()
  assert.equal(sockets.length, 2)
  phone.serve = () => null
  const other = await connected()
  other.phone.serve = () => null
  other.sockets[0].listeners.Error({})
  await other.phone.answerAll()
  assert.deepEqual(other.told, [['error', 'network'], ['close', 1006]])
  assert.deepEqual([phone.logins, other.phone.logins, told], [1, 1, []])
})

test('a logout closes it for good', async () => {
  const { phone, session, sockets, told } = await connected()
  phone.serve = () => ({ statusCode: 204, data: '', header: {} })
  sockets[0].listeners.Open({})
  session.logout()
  sockets[0].listeners.Message({ data: 'for the user before' })
  await phone.answerAll()
  assert.deepEqual(sockets[0].closed, [1000])
  assert.deepEqual([sockets.length, phone.sent('/login').length], [1, 0])
  assert.deepEqual(told, [['open'], ['error', 'logged_out'], ['close', 1006]])
})

test('a socket of before a logout is not opened for whoever logs in after', async () => {
  const { phone, session, sockets, told } = await connected()
  phone.serve = ({ path }) => ({ statusCode: path === '/ws' ? 400 : 204, data: '', header: {} })
  sockets[0].listeners.Error({})
  await settled()
  const [asking] = phone.waiting
  session.logout()
  session.login()
  for (let turn = 0; turn < 3; turn += 1) {
    phone.waiting.filter(sent => sent !== asking).forEach(sent => phone.answer(sent))
    await settled()
  }
  assert.equal(session.token(), 'token-2')
  phone.answer(asking)
  await settled()
  assert.equal(sockets.length, 1)
  assert.deepEqual(told, [['error', 'logged_out'], ['close', 1006]])
})

test('one that is closed before it is open is not opened', async () => {
  const { phone, session } = await loggedIn()
  const sockets = withSockets(phone)
  const told = []
  session.connectSocket({ url: '/ws', onError: () => told.push('error'), onClose: () => told.push('close') }).close()
  await settled()
  assert.deepEqual([sockets.length, told], [0, ['close']])
})

test('no token goes to another server, and none is in an error', async () => {
  const { sockets, told } = await connected({ url: 'wss://evil.example/ws' })
  assert.deepEqual([sockets.length, told], [0, [['error', 'foreign_address'], ['close', 1006]]])
  const { phone, session } = await loggedIn({ socketToken: 'query' })
  phone.platform.connectSocket = ({ url }) => { throw new Error(`cannot open ${url}`) }
  const error = await new Promise(onError => session.connectSocket({ url: '/ws', onError }))
  assert.deepEqual([error.reason, error.errMsg], ['network', 'network'])
})

test('events of a socket that has ended are nobody\'s, where the app has but one', async () => {
  const { phone, sockets, told } = await connected()
  sockets[0].listeners.Open({})
  phone.good = null
  sockets[0].listeners.Close({ code: 4401 })
  await phone.answerAll()
  sockets[1].listeners.Open({})
  sockets[0].listeners.Message({ data: 'heard twice' })
  sockets[0].listeners.Close({ code: 1000 })
  sockets[1].listeners.Message({ data: 'heard once' })
  await settled()
  assert.deepEqual(told, [['open'], ['open'], ['message', 'heard once']])
})

test('a platform that gives the socket later is waited for', async () => {
  const { phone, session } = await loggedIn()
  const sockets = withSockets(phone)
  const { connectSocket } = phone.platform
  phone.platform.connectSocket = async options => connectSocket(options)
  let opened = false
  session.connectSocket({ url: '/ws', onOpen: () => { opened = true } })
  await settled()
  sockets[0].listeners.Open({})
  assert.ok(opened)
})

test('one that is closed before the platform has given it is closed then, and a platform that gives none is an error', async () => {
  const { phone, session } = await loggedIn()
  const sockets = withSockets(phone)
  const { connectSocket } = phone.platform
  let give
  phone.platform.connectSocket = options => new Promise(resolve => { give = () => resolve(connectSocket(options)) })
  const told = []
  const socket = session.connectSocket({ url: '/ws', onClose: ({ code }) => told.push(code) })
  await settled()
  socket.close()
  give()
  await settled()
  await settled()
  assert.deepEqual([sockets[0].closed, told], [[1000], [1000]])
  phone.platform.connectSocket = async () => { throw new Error('connectSocket:fail') }
  session.connectSocket({ url: '/ws', onError: ({ reason }) => told.push(reason) })
  await phone.answerAll()
  assert.deepEqual(told, [1000, 'socket_refused'])
})

test('what is sent while there is no open socket fails, and throws nothing', async () => {
  const { phone, sockets, socket } = await connected()
  const failed = []
  const send = data => socket.send({ data, fail: ({ name, reason }) => failed.push([data, name, reason]) })
  send('early')
  sockets[0].listeners.Open({})
  sockets[0].listeners.Close({ code: 4401 })
  phone.good = null
  send('while it logs in')
  socket.send({ data: 'without a callback' })
  await phone.answerAll()
  send('while it opens')
  sockets[1].listeners.Open({})
  send('open')
  assert.deepEqual([sockets[0].sent, sockets[1].sent], [[], ['open']])
  assert.deepEqual(failed, ['early', 'while it logs in', 'while it opens'].map(data => [data, 'SessionError', 'socket_closed']))
})

test('a last message of the application that looks like ours is its own, where the close is a clean one', async () => {
  const { sockets, told, phone } = await connected()
  const data = JSON.stringify({ reason: 'level done', action: 'login' })
  sockets[0].listeners.Open({})
  sockets[0].listeners.Message({ data })
  sockets[0].listeners.Close({ code: 1000 })
  await phone.answerAll()
  assert.deepEqual(told, [['open'], ['message', data], ['close', 1000]])
  assert.deepEqual([sockets.length, phone.sent('/login').length], [1, 0])
})
