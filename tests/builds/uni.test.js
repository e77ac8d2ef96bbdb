// The page in `uni/`, built by uni-app.
const { test } = require('node:test')
const { inBrowser, onPhone } = require('./built')
const { build } = require('./project')
const { story } = require('./story')

test('uni-app for WeChat: one login for twenty requests, none in an outage', async () => {
  await onPhone(await build('uni', 'mp-weixin'), story)
})

test('uni-app for H5, in a browser: one login for twenty requests, none in an outage', async () => {
  await inBrowser(await build('uni', 'h5'), story)
})
