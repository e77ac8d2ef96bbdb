// Thousands of lives at random, and clients that are broken on purpose: each breaks what it should.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const { folder, fresh } = require('./fresh')
const { live } = require('./model')

const LIVES = Number(process.env.LIVES) || 2000
const FIRST = Number(process.env.SEED) || 1

async function firstBroken(createSession, lives, only) {
  for (let seed = FIRST; seed < FIRST + lives; seed += 1) {
    try {
      await live(createSession, seed, only)
    } catch (broken) {
      return Object.assign(broken, { message: `SEED=${seed} LIVES=1: ${broken.message}` })
    }
  }
  return null
}

test(`${LIVES} lives at random break no rule`, async () => {
  const broken = await firstBroken(fresh().createSession, LIVES)
  if (broken) throw broken
})

// The rule that is broken, the file, what stands there, and what stands there instead.
const BROKEN = [
  ['one login at a time', 'login.js', 'if (flight) return', 'if (false) return'],
  ['one login at a time', 'login.js', 'flight.catch(() => {}).then(() => logIn(epoch))', 'attempt(1, epoch)'],
  ['few logins a second', 'login.js', 'isWithin(GAP, codeAt) ? pause(GAP)', 'false ? pause(GAP)'],
  ['no login without proof', 'answer.js', '(statusCode >= 500 ||', '(statusCode >= 5000 ||'],
  ['no login without proof', 'answer.js', '(!challenge && answer.statusCode === 401 &&', '(!challenge && answer.statusCode > 400 &&'],
  ['no login without proof', 'login.js', 'tokens.token && tokens.token !== sent ? Promise.resolve() : logIn()', 'logIn()'],
  ['no login without proof', 'platform.js', 'if (answer.statusCode) resolve(answer)', "if (true) resolve({ statusCode: 401, header: {} })"],
  ['no request is sent three times', 'send.js', 'number === 1 && remedy', 'number < 3 && remedy'],
  ['nobody comes back before it was asked to', 'platform.js', 'seconds * 1000 * (1 +', 'seconds * 900 * (0 +'],
  ['nobody comes back before it was asked to', 'platform.js', 'if (now() < beganAt || now() - beganAt >= length) end()', 'end()'],
  ['no request outlives a logout', 'send.js', 'login.check(epoch)', ''],
  ['every promise settles', 'platform.js', 'if (platform.onShow)', 'if (false)'],
  ['every error is one of ours', 'platform.js', 'reject(sessionError({', 'reject(({'],
  ['no secret is told', 'platform.js', "token ? text.split(token).join('…') : text", 'text'],
  ['whoever asks is served in the end', 'tokens.js', 'known = stored()\n  }\n\n  // Takes', 'known = "?"\n  }\n\n  // Takes'],
  ['whoever asks is served in the end', 'send.js', 'if (!refusal) return answer', 'if (!refusal) throw sessionError({ reason: "x" })'],
  ['nothing logs in after a logout', 'login.js', '.then(() => logIn(epoch))', '.then(() => logIn())'],
  ['a token that is refused to many is one failure', 'login.js', 'if (last && token && last.token === token) return', ''],
  ['only a login that succeeds forgives one that failed', 'login.js', 'if (isFresh) failures.token = null', 'failures.login = failures.token = null'],
  ['every promise settles', 'login.js', 'within(LOGIN_TIMEOUT, ', 'within(1e9, '],
]

function brokenClient(file, from, to) {
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'session-'))
  fs.cpSync(folder, copy, { recursive: true })
  const text = fs.readFileSync(path.join(copy, file), 'utf8')
  assert.equal(text.split(from).length, 2, `${file} has one: ${from}`)
  fs.writeFileSync(path.join(copy, file), text.replace(from, to))
  return { ...require(copy), remove: () => fs.rmSync(copy, { recursive: true }) }
}

for (const [rule, file, from, to] of BROKEN) {
  test(`${rule}: without "${from.split('\n')[0]}" it does not hold`, async () => {
    const { createSession, remove } = brokenClient(file, from, to)
    const broken = await firstBroken(createSession, 1500, rule)
    remove()
    assert.equal(broken?.invariant, rule, broken?.message)
  })
}
