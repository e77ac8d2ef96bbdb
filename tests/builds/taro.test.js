// The page in `taro/`, built by Taro.
const { test } = require('node:test')
const { inBrowser, onPhone } = require('./built')
const { build } = require('./project')
const { story } = require('./story')

test('Taro for WeChat: one login for twenty requests, none in an outage', async () => {
  await onPhone(await build('taro', 'weapp'), story)
})

test('Taro for H5, in a browser: one login for twenty requests, none in an outage', async () => {
  await inBrowser(await build('taro', 'h5'), story)
})
