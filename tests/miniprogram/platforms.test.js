// Every platform against the example server, with each preset.
const assert = require('node:assert/strict')
const { after, before, describe, test } = require('node:test')
const { fresh } = require('./fresh')
const { Server } = require('./server')
const { Device, PLATFORMS } = require('./shims')

const COUNT = 20

// The refusals of one device, held back.
class Held {
  constructor() {
    this.refusals = []
  }

  deliver = (answer, { path, outcome }) => {
    const isRefusal = path === '/me' && /session_idle_expired/.test(outcome.text)
    if (isRefusal) this.refusals.push(answer)
    else answer()
  }

  // Lets them through one by one: the next when all is over that came of the last.
  async release(device) {
    for (let quiet = 0; quiet < 5; quiet = device.running === this.refusals.length ? quiet + 1 : 0) {
      await new Promise(setImmediate)
    }
    this.refusals.shift()?.()
    if (device.running) await this.release(device)
  }
}

let users = 0
function start(server, name, deliver) {
  const device = new Device(`user-${users += 1}`, deliver)
  const { createSession, adapters } = fresh()
  let ahead = 0
  // Waits are a tenth as long, so that the tests are.
  const clock = { now: () => Date.now() + ahead, setTimeout: (run, length) => setTimeout(run, length / 10).unref() }
  const platform = { ...PLATFORMS[name](device)(adapters), ...clock }
  const idleOut = async () => {
    ahead += 7200 * 1000
    await server.demo('idle_out')
  }
  return { device, idleOut, session: createSession({ platform, baseUrl: server.base }) }
}

const me = session => session.request({ url: '/me' })
const body = ({ data }) => (typeof data === 'string' ? JSON.parse(data) : data)

for (const preset of ['json', 'ok_json', 'wafer']) {
  describe(`with ${preset}`, () => {
    let server
    before(async () => { server = await Server.start(preset) })
    after(() => server.stop())

    for (const name of Object.keys(PLATFORMS)) {
      test(`${name}: twenty requests at an expiry, answered at once, are one login`, async () => {
        const { session, idleOut } = start(server, name)
        const { openid } = body(await me(session))
        await idleOut()
        const exchanges = await server.exchanges()
        const answers = await Promise.all(Array.from({ length: COUNT }, () => me(session)))
        assert.deepEqual(answers.map(answer => body(answer).openid), Array(COUNT).fill(openid))
        assert.equal(await server.exchanges() - exchanges, 1)
      })

      test(`${name}: … answered one by one, are one login`, async () => {
        const held = new Held()
        const { session, device, idleOut } = start(server, name, held.deliver)
        const { openid } = body(await me(session))
        await idleOut()
        const exchanges = await server.exchanges()
        const requests = Array.from({ length: COUNT }, () => me(session))
        await held.release(device)
        assert.deepEqual((await Promise.all(requests)).map(answer => body(answer).openid), Array(COUNT).fill(openid))
        assert.equal(await server.exchanges() - exchanges, 1)
      })

      test(`${name}: a user who is blocked is one clear error`, async () => {
        const { session, device } = start(server, name)
        await server.demo('wechat', { state: 'blocked' })
        const outcomes = await Promise.allSettled(Array.from({ length: COUNT }, () => me(session)))
        await server.demo('wechat', { state: 'ok' })
        assert.equal(new Set(outcomes.map(({ reason }) => reason)).size, 1)
        const { name: kind, reason, action, errMsg } = outcomes[0].reason
        assert.deepEqual([kind, reason, action], ['SessionError', 'user_blocked', 'none'])
        assert.equal(errMsg, 'user may not log in')
        assert.equal(device.sent.length, 1)
      })
    }

    for (const name of ['wx', 'my', 'h5']) {
      test(`${name}: a store that is down, a busy WeChat and a limit cost nobody a login who has a session`, async () => {
        const { session } = start(server, name)
        await me(session)
        const exchanges = await server.exchanges()
        for (const [part, state] of [['wechat', 'busy'], ['wechat', 'limited'], ['wechat', 'blocked'], ['store', 'down']]) {
          await server.demo(part, { state })
          if (part === 'store') await server.demo('advance', { seconds: 61 })
          const outcomes = await Promise.allSettled(Array.from({ length: COUNT }, () => me(session)))
          const reasons = new Set(outcomes.map(({ reason }) => reason?.reason))
          assert.deepEqual([...reasons], [part === 'store' ? 'store_unavailable' : undefined], state)
          await server.demo(part, { state: part === 'store' ? 'up' : 'ok' })
        }
        assert.equal(await server.exchanges() - exchanges, 0)
        while (await me(session).then(() => false, () => true)) await new Promise(resolve => setTimeout(resolve, 20))
        assert.equal(await server.exchanges() - exchanges, 0)
      })
    }
  })
}
