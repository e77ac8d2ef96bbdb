// The pages of the example, by WeChat's own compiler.
const assert = require('node:assert/strict')
const path = require('node:path')
const { test } = require('node:test')
const { onPhone } = require('./built')
const { repository } = require('./project')
const { shows } = require('./story')

const root = path.join(repository, 'examples/miniprogram')

test('every page of the example shows itself', async () => {
  const config = require(path.join(root, 'config.js'))
  config.baseUrl = 'https://api.example.com'
  await onPhone(root, async (phone, server) => {
    await shows(phone, '.title', /^未登录$/)
    await phone.tap('.action')
    await shows(phone, '.mono', /^o[\w-]{27}$/)
    await shows(phone, '.title', /^已登录$/)
    assert.equal(await server.exchanges(), 1)
    const shown = { devices: /本机/, upload: /上传一张图片/, socket: /发什么，服务器就回什么/, events: /登录成功/ }
    for (const page of phone.pages.slice(1)) {
      phone.go(page)
      await shows(phone, '.page', shown[path.basename(page)])
    }
  })
})
