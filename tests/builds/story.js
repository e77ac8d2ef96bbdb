// What a user does on the page, in a browser and on a phone alike, and what the server has of it.
const assert = require('node:assert/strict')
const { setTimeout: pause } = require('node:timers/promises')

// Until the page shows it.
async function shows(page, selector, what) {
  const end = Date.now() + 60_000
  for (let text; ; await pause(20)) {
    text = await page.text(selector)
    if (what.test(text)) return text
    assert.ok(Date.now() < end, `${selector} never shows ${what}, but ${JSON.stringify(text)}`)
  }
}

async function story(page, server) {
  await shows(page, '#one', /我是谁/)
  await page.tap('#one')
  const [openid] = (await shows(page, '#told', /^1 × o[\w-]{27}$/)).match(/o.*/)
  assert.equal(await server.exchanges(), 1)

  await server.demo('idle_out')
  await page.tap('#twenty')
  assert.equal(await shows(page, '#told', /^20 × |^[a-z_]+$/), `20 × ${openid}`)
  assert.equal(await server.exchanges(), 2, 'one login for twenty requests')

  await server.demo('idle_out')
  await server.demo('store', { state: 'down' })
  await page.tap('#one')
  assert.equal(await shows(page, '#told', /^[a-z_]+$/), 'store_unavailable')
  assert.equal(await server.exchanges(), 2, 'no login in an outage')
}

module.exports = { shows, story }
