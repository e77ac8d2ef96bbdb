// What an adapter hands to its platform, where platforms differ.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const { fresh } = require('./fresh')

const { adapters } = fresh()
const promised = call => new Promise((success, fail) => call({ success, fail }))

// A platform that notes what it is called with.
function noting(...names) {
  const calls = []
  const api = Object.fromEntries(names.map(name => [name, options => { calls.push([name, options]) }]))
  return { api, calls }
}

test('DingTalk gets objects as JSON text, but for GET; Alipay gets them as they are', () => {
  const { api, calls } = noting('httpRequest')
  for (const platform of [adapters.dd(api), adapters.my(api)]) {
    platform.request({ method: 'PUT', data: { a: 1 }, header: { b: 'c' } })
    platform.request({ data: { a: 1 } })
    platform.request({ method: 'POST', data: 'text' })
  }
  const sent = calls.map(([, { data, headers }]) => [data, headers])
  assert.deepEqual(sent, [
    ['{"a":1}', { 'Content-Type': 'application/json', b: 'c' }], [{ a: 1 }, undefined], ['text', undefined],
    [{ a: 1 }, { b: 'c' }], [{ a: 1 }, undefined], ['text', undefined],
  ])
})

test('Alipay is asked by its newer name where it has one, for one socket, and a file by its own name', () => {
  const { api, calls } = noting('request', 'httpRequest', 'uploadFile', 'connectSocket', 'onSocketOpen')
  const platform = adapters.my(api)
  platform.request({})
  platform.uploadFile({ name: 'photo' })
  platform.connectSocket({})
  assert.deepEqual(calls.map(([name, { fileName, fileType, multiple }]) => [name, fileName, fileType, multiple]), [
    ['request', undefined, undefined, undefined], ['uploadFile', 'photo', 'image', undefined], ['connectSocket', undefined, undefined, false],
  ])
})

test('a login code is taken where each platform has it', async () => {
  const codes = [
    adapters.wx({ login: ({ success }) => success({ code: 'wx' }) }),
    adapters.swan({ login() {}, getLoginCode: ({ success }) => success({ code: 'swan' }) }),
    adapters.taro({ login: async ({ success }) => success({ authCode: 'taro' }) }),
    adapters.my({ getAuthCode: ({ scopes, success }) => success({ authCode: scopes }) }),
  ].map(platform => platform.getCode())
  assert.deepEqual(await Promise.all(codes), ['wx', 'swan', 'taro', 'auth_base'])
  await assert.rejects(adapters.wx({ login: ({ fail }) => fail({ errMsg: 'login:fail' }) }).getCode(), { errMsg: 'login:fail' })
})

// A window whose network answers with what it was asked.
function mirror(answer) {
  const asked = []
  const fetch = async (url, init) => {
    asked.push([url, init])
    return answer instanceof Error ? Promise.reject(answer) : answer
  }
  return { asked, window: { fetch, AbortController, setTimeout, clearTimeout, URL } }
}

test('a browser sends and reads as mini programs do', async () => {
  const cases = [
    [{ url: '/a', data: { b: 'c d' } }, ['/a?b=c+d', 'GET', undefined]],
    [{ url: '/a?x=1', data: { b: 1 } }, ['/a?x=1&b=1', 'GET', undefined]],
    [{ url: '/a', method: 'POST', data: { b: 1 } }, ['/a', 'POST', '{"b":1}']],
    [{ url: '/a', method: 'POST', data: [1, 2] }, ['/a', 'POST', '[1,2]']],
    [{ url: '/a', method: 'POST', data: 'text' }, ['/a', 'POST', 'text']],
  ]
  for (const [options, expected] of cases) {
    const { asked, window } = mirror(new Response('{"d":1}', { status: 201, headers: { 'Retry-After': '3' } }))
    const answer = await promised(callbacks => adapters.h5({ window }).request({ ...options, ...callbacks }))
    assert.deepEqual(asked.map(([url, { method, body }]) => [url, method, body]), [expected])
    assert.deepEqual([answer.statusCode, answer.data, answer.header['retry-after']], [201, { d: 1 }, '3'])
  }
})

test('a browser\'s bytes, files and failures', async () => {
  const bytes = mirror(new Response('abc'))
  const request = callbacks => adapters.h5(bytes).request({ url: '/a', responseType: 'arraybuffer', ...callbacks })
  assert.equal((await promised(request)).data.byteLength, 3)
  const file = mirror(new Response('abc'))
  assert.equal((await promised(callbacks => adapters.h5(file).downloadFile({ url: '/a', ...callbacks }))).data.size, 3)
  const down = mirror(new TypeError('Failed to fetch'))
  const failed = promised(callbacks => adapters.h5(down).request({ url: '/a', ...callbacks }))
  await assert.rejects(failed, { errMsg: 'request:fail Failed to fetch' })
})

test('a browser gives up in time, and when it is told to', async () => {
  const fetch = (url, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const window = { fetch, AbortController, setTimeout, clearTimeout }
  const late = promised(callbacks => adapters.h5({ window }).request({ url: '/a', timeout: 1, ...callbacks }))
  await assert.rejects(late, { errMsg: /^request:fail .*abort/ })
  const aborted = promised(callbacks => adapters.h5({ window }).request({ url: '/a', ...callbacks }).abort())
  await assert.rejects(aborted, { errMsg: /^request:fail .*abort/ })
})
