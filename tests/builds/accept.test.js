// WeChat's own tool takes the mini programs as far as it goes without an account.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const { build, packages, repository, run } = require('./project')

const example = path.join(repository, 'examples/miniprogram')

async function accept(folder) {
  const env = { ...process.env, NODE_PATH: path.join(packages('miniprogram-ci'), 'node_modules') }
  const { stdout } = await run(process.execPath, [path.join(__dirname, 'accept.js'), folder], { env })
  return JSON.parse(stdout)
}

// What it says of a copy with a mistake in it.
async function refusal(name, change) {
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'tower-wx-session-mistake-'))
  fs.cpSync(example, copy, { recursive: true })
  const file = path.join(copy, name)
  fs.writeFileSync(file, change(fs.readFileSync(file, 'utf8')))
  try {
    return await accept(copy).then(() => 'nothing', ({ stderr }) => stderr)
  } finally {
    fs.rmSync(copy, { recursive: true })
  }
}

test('miniprogram-ci takes the example, with the client and without what belongs to its package', async () => {
  const files = await accept(example)
  const client = fs.readdirSync(path.join(example, 'session')).filter(name => name.endsWith('.js'))
  assert.deepEqual(files.filter(name => name.startsWith('session/')), client.map(name => `session/${name}`))
  for (const { pages } of [JSON.parse(fs.readFileSync(path.join(example, 'app.json')))])
    for (const page of pages) for (const kind of ['js', 'json', 'wxml', 'wxss']) assert.ok(files.includes(`${page}.${kind}`), page)
})

test('miniprogram-ci refuses the example with a mistake in it', async () => {
  assert.match(await refusal('app.json', text => text.replace('pages/me/me"', 'pages/you/you"')), /pages\/you\/you/)
  assert.match(await refusal('app.json', text => text.replace('"list": [', '"list": 1, "other": [')), /tabBar/)
  assert.match(await refusal('pages/me/me.json', text => text.replace('{', '')), /me\.json/)
  assert.match(await refusal('session/login.js', text => `${text}\n}`), /login\.js/)
})

for (const [name, platform] of [['uni', 'mp-weixin'], ['taro', 'weapp']]) {
  test(`miniprogram-ci takes what ${name} has built`, async () => {
    const files = await accept(await build(name, platform))
    for (const kind of ['js', 'json', 'wxml']) assert.ok(files.includes(`pages/me/me.${kind}`), kind)
  })
}
