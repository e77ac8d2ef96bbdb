// The mini program itself, as far as it goes without WeChat: its files are there, and its pages work
// with the example server.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { after, before, test } = require('node:test')
const { Server } = require('./server')
const { Device, wechat } = require('./shims')

const root = path.resolve(__dirname, '../../examples/miniprogram')
const json = name => JSON.parse(fs.readFileSync(path.join(root, name), 'utf8'))
const text = name => fs.readFileSync(path.join(root, name), 'utf8')

let server
before(async () => { server = await Server.start() })
after(() => server.stop())

// A start of the program on a device: the app, and a page by its name.
// The session's timers are longer than the tests: none of them keeps the process.
const { setTimeout: later } = globalThis
globalThis.setTimeout = (...given) => later(...given).unref()

async function launch(device) {
  Object.keys(require.cache).filter(file => file.startsWith(root)).forEach(file => delete require.cache[file])
  require(path.join(root, 'config.js')).baseUrl = server.base
  require(path.join(root, 'config.js')).user = device.user
  let app
  let made
  Object.assign(globalThis, {
    wx: { ...wechat(device), chooseMedia: ({ success }) => success({ tempFiles: [{ tempFilePath: 'photo.png' }] }) },
    App: given => { app = given },
    Page: given => { made = given },
    getApp: () => app,
  })
  require(path.join(root, 'app.js'))
  app.onLaunch()
  const open = name => {
    require(path.join(root, `pages/${name}/${name}.js`))
    return Object.assign(made, { setData(data) { Object.assign(this.data, data) } })
  }
  return { app, open }
}

async function until(condition) {
  const end = Date.now() + 10_000
  while (!condition()) {
    assert.ok(Date.now() < end, `never: ${condition}`)
    await new Promise(setImmediate)
  }
}

test('every file that the program names is there', () => {
  const { pages, tabBar, themeLocation, sitemapLocation } = json('app.json')
  for (const page of pages) for (const kind of ['js', 'json', 'wxml', 'wxss']) assert.ok(fs.existsSync(path.join(root, `${page}.${kind}`)), `${page}.${kind}`)
  pages.forEach(page => json(`${page}.json`))
  assert.deepEqual(tabBar.list.map(({ pagePath }) => pagePath), pages)
  const { light, dark } = json(themeLocation)
  assert.deepEqual(Object.keys(light), Object.keys(dark))
  for (const [, colour] of text('app.json').matchAll(/"@(\w+)"/g)) assert.ok(light[colour], colour)
  json(sitemapLocation)
  json('project.config.json')
})

test('every handler and every value that a page shows is in its code', () => {
  for (const page of json('app.json').pages) {
    const [code, view] = [text(`${page}.js`), text(`${page}.wxml`)]
    const handlers = [...view.matchAll(/bind\w+="(\w+)"/g)].map(([, name]) => name)
    const values = [...view.matchAll(/{{!?(\w+)/g)].map(([, name]) => name).filter(name => name !== 'item')
    for (const name of handlers) assert.match(code, new RegExp(`^  ${name}\\(`, 'm'), `${page}: ${name}`)
    for (const name of values) assert.match(code, new RegExp(`data: {.*\\b${name}:`), `${page}: ${name}`)
  }
})

test('me: logs in by itself, sends twenty requests with one login at an end, and logs out', async () => {
  const device = new Device('mini-me')
  const { open } = await launch(device)
  const me = open('me')
  await me.look()
  assert.match(me.data.openid, /^o/)
  await server.demo('kick_out')
  await me.many()
  assert.deepEqual([me.data.summary, me.data.error], ['20 个请求都成功，登录 1 次', ''])
  await me.logOut()
  assert.equal(me.data.openid, '')
  await me.look()
  assert.equal(me.data.error, '已经退出登录')
  await me.logIn()
  assert.match(me.data.openid, /^o/)
})

test('devices: shows both, and logs the other one out', async () => {
  const one = await launch(new Device('mini-two'))
  await one.open('me').look()
  const { open } = await launch(new Device('mini-two'))
  const devices = open('devices')
  await devices.onShow()
  assert.deepEqual(devices.data.devices.map(({ current }) => Boolean(current)).sort(), [false, true])
  assert.match(devices.data.devices[0].since, /^\d+月\d+日 \d\d:\d\d$/)
  await devices.logOutElsewhere()
  assert.deepEqual([devices.data.others, devices.data.devices.length, devices.data.error], [0, 1, ''])
})

test('upload: tells what the server has received', async () => {
  const { open } = await launch(new Device('mini-up'))
  const upload = open('upload')
  upload.choose()
  await until(() => upload.data.bytes)
  assert.ok(upload.data.bytes > 100)
  assert.equal(upload.data.progress, 100)
})

test('socket: talks, comes back after the end of its session, and can be closed', async () => {
  const { open } = await launch(new Device('mini-ws'))
  const page = open('socket')
  page.connect()
  await until(() => page.data.isOpen)
  page.write({ detail: { value: 'hello' } })
  page.send()
  await until(() => page.data.messages.some(({ text: said }) => said === 'hello'))
  await server.demo('kick_out')
  const hellos = () => page.data.messages.filter(({ text: said }) => /openid/.test(said)).length
  await until(() => hellos() === 2)
  page.close()
  await until(() => !page.data.isOpen)
  assert.equal(page.data.state, '已断开')
})

test('socket: says so when it is closed by others, and a late close of the last one is nothing to the next', async () => {
  const { open } = await launch(new Device('mini-late'))
  const page = open('socket')
  const given = []
  getApp().session.connectSocket = options => { given.push(options); return { close() {}, send() {} } }
  page.connect()
  given[0].onOpen()
  page.connect()
  given[1].onOpen()
  given[0].onClose({ code: 1000 })
  assert.deepEqual([page.data.state, page.data.isOpen], ['已连接', true])
  given[1].onClose({ code: 1006 })
  assert.deepEqual([page.data.state, page.data.isOpen], ['已断开', false])
  page.connect()
  given[2].onError({ reason: 'socket_refused' })
  given[2].onClose({ code: 1006 })
  assert.equal(page.data.state, '连不上')
})

test('events: tells all that happened, the last first', async () => {
  const { open } = await launch(new Device('mini-log'))
  const me = open('me')
  await me.look()
  const events = open('events')
  events.onShow()
  assert.deepEqual(events.data.lines.map(({ text: line }) => line), ['/me 响应 200', '发送 /me', '登录成功', 'wx.login'])
  await me.logOut()
  await until(() => events.data.lines[0].text === '退出登录')
  events.onHide()
})

test('an error of the server is told in the user\'s words', async () => {
  await server.demo('wechat', { state: 'blocked' })
  const { open } = await launch(new Device('mini-blocked'))
  const me = open('me')
  await me.look()
  await server.demo('wechat', { state: 'ok' })
  assert.deepEqual([me.data.error, me.data.isBusy], ['这个账号不能登录', false])
})
