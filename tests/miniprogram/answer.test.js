// What an answer asks for, whatever is left of it.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const { folder } = require('./fresh')
const { uniform, refusalOf } = require(`${folder}/answer`)

const over = { errcode: 401, errmsg: 'session idle for too long', reason: 'session_idle_expired', action: 'login' }
const down = { errcode: 503, errmsg: 'session store unavailable', reason: 'store_unavailable', action: 'retry' }
const blocked = { errcode: 403, errmsg: 'user blocked', reason: 'user_blocked', action: 'none' }
const bytes = text => new TextEncoder().encode(text).buffer

// Name, answer of the platform, action.
const ROWS = [
  ['json', { statusCode: 401, data: over, header: {} }, 'login'],
  ['ok_json', { statusCode: 200, data: over, header: {} }, 'login'],
  ['wafer', { statusCode: 200, data: { ...over, code: -1, error: 'ERR_INVALID_SESSION' }, header: {} }, 'login'],
  ['retry', { statusCode: 503, data: down, header: {} }, 'retry'],
  ['none', { statusCode: 403, data: blocked, header: {} }, 'none'],
  ['fail of Alipay', { error: 19, status: 401, data: over, headers: {} }, 'login'],
  ['fail of Alipay, text', { error: 19, status: 401, data: JSON.stringify(over), headers: {} }, 'login'],
  ['text of an upload', { statusCode: '401', data: JSON.stringify(over) }, 'login'],
  ['bytes', { statusCode: 200, data: bytes(JSON.stringify(over)), header: {} }, 'login'],
  ['no body, our header', { statusCode: 200, data: '', header: { 'X-WX-Action': 'retry' } }, 'retry'],
  ['our header in lower case', { statusCode: 503, data: '<html>', header: { 'x-wx-action': 'retry' } }, 'retry'],
  ['our header as a list', { statusCode: 401, data: null, header: { 'X-Wx-Action': ['login'] } }, 'login'],
  ['our header before the status', { statusCode: 401, data: '', header: { 'X-WX-Action': 'none' } }, 'none'],
  ['WWW-Authenticate', { statusCode: 200, data: '', header: { 'www-authenticate': 'Bearer error="invalid_token"' } }, 'login'],
  ['WWW-Authenticate, no error', { statusCode: 401, data: '', header: { 'WWW-Authenticate': 'Bearer' } }, 'login'],
  ['several tokens', { statusCode: 400, data: '', header: { 'WWW-Authenticate': 'Bearer error="invalid_request"' } }, null],
  ['a challenge of a proxy', { statusCode: 401, data: '', header: { 'WWW-Authenticate': 'Basic realm="staff"' } }, null],
  ['a bare 401', { statusCode: 401, data: undefined, header: undefined }, 'login'],
  ['a bare 401 of a download', { statusCode: 401, tempFilePath: 'wxfile://1' }, 'login'],
  ['a 401 of a proxy', { statusCode: 401, data: '<html>', header: {} }, 'login'],
  ['a 401 with an empty object', { statusCode: 401, data: {}, header: {} }, 'login'],
  ['a 401 of the application', { statusCode: 401, data: { error: 'wrong pin' }, header: {} }, null],
  ['a 401 of the application, text', { statusCode: 401, data: '{"error":"wrong pin"}', header: {} }, null],
  ['a bare 503', { statusCode: 503, data: 'Bad Gateway', header: {} }, null],
  ['a bare 429', { statusCode: 429, data: '', header: {} }, null],
  ['a bare 403', { statusCode: 403, data: '', header: {} }, null],
  ['a 500 that says login', { statusCode: 500, data: over, header: { 'X-WX-Action': 'login' } }, null],
  ['a 429 that says login', { statusCode: 429, data: over, header: {} }, null],
  ['an action of the application', { statusCode: 200, data: { action: 'login' }, header: {} }, null],
  ['a reason and an action of the application', { statusCode: 200, data: { reason: 'x', action: 'login' }, header: {} }, null],
  ['an errcode of the application', { statusCode: 200, data: { errcode: 0, reason: 'x', action: 'jump' }, header: {} }, null],
  ['a long text', { statusCode: 200, data: JSON.stringify({ ...over, more: 'x'.repeat(2000) }), header: {} }, null],
  ['nothing', { statusCode: 200, data: null, header: {} }, null],
]

for (const [name, answer, action] of ROWS) {
  test(`${name}: ${action}`, () => {
    assert.equal(refusalOf(uniform(answer))?.action ?? null, action)
  })
}

test('a refusal names its reason and its wait, and defaults where they were lost', () => {
  const whole = refusalOf(uniform({ statusCode: 503, data: down, header: { 'RETRY-AFTER': '7' } }))
  assert.deepEqual(whole, {
    action: 'retry', statusCode: 503, retryAfter: 7, reason: 'store_unavailable', errMsg: 'session store unavailable',
  })
  const bare = refusalOf(uniform({ statusCode: 401 }))
  assert.deepEqual(bare, { action: 'login', statusCode: 401, retryAfter: 0, reason: 'unauthorized', errMsg: 'HTTP 401' })
  const dated = { statusCode: 503, data: down, header: { 'Retry-After': 'Fri, 31 Dec 1999 23:59:59 GMT' } }
  assert.equal(refusalOf(uniform(dated)).retryAfter, 1)
})
