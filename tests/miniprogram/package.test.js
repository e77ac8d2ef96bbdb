// What is published: how much, in which language, and what of it.
const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const vm = require('node:vm')
const { folder } = require('./fresh')

const files = fs.readdirSync(folder).filter(name => name.endsWith('.js'))
const source = name => fs.readFileSync(path.join(folder, name), 'utf8')
const linesOf = name => source(name).split('\n').filter(line => line.trim() && !line.trim().startsWith('//')).length
const sum = numbers => numbers.reduce((all, one) => all + one, 0)

test('the client has at most 350 lines of code, the adapters of all platforms at most 100', () => {
  const client = files.filter(name => name !== 'adapters.js')
  assert.ok(client.length > 5)
  const counted = [sum(client.map(linesOf)), linesOf('adapters.js')]
  assert.ok(counted[0] <= 350 && counted[1] <= 100, String(counted))
})

test('every file is ES2015: developer tools need to translate nothing', () => {
  const { parse } = require('acorn')
  for (const name of files) parse(source(name), { ecmaVersion: 2015, sourceType: 'script' })
  assert.throws(() => parse('a ?? b', { ecmaVersion: 2015 }))
})

test('it calls nothing that ES2015 and the platforms have not', () => {
  const allowed = ['answer', 'tokens', 'platform', 'login', 'send', 'socket', 'adapters'].map(name => `./${name}`)
  for (const name of files) {
    const required = [...source(name).matchAll(/require\('(.*?)'\)/g)].map(([, what]) => what)
    assert.deepEqual(required.filter(what => !allowed.includes(what)), [], name)
  }
})

function tsc(...options) {
  const compiler = require.resolve('typescript/lib/tsc.js')
  try {
    execFileSync(process.execPath, [compiler, '--noEmit', ...options], { encoding: 'utf8', stdio: 'pipe' })
    return ''
  } catch (failed) {
    return failed.stdout
  }
}

test('the types fit WeChat\'s own, and refuse what is wrong', () => {
  const typings = path.dirname(require.resolve('miniprogram-api-typings/package.json'))
  const usage = path.join(__dirname, 'types.ts')
  const options = ['--strict', '--target', 'es2015', '--lib', 'es2015', '--moduleResolution', 'node', '--types', typings]
  assert.equal(tsc(...options, usage), '')
})

test('the compiler finds no fault in the code, nor a method younger than ES2015', () => {
  const options = ['--allowJs', '--checkJs', '--target', 'es2015', '--lib', 'es2015,dom', '--module', 'commonjs', '--typeRoots', folder]
  const complaints = tsc(...options, ...files.map(name => path.join(folder, name)), path.join(__dirname, 'younger.js'))
  const of = complaints.trim().split('\n').map(line => line.match(/(\w+\.js)\(.*(TS\d+)/).slice(1, 3).join(' '))
  assert.deepEqual(of, Array(4).fill('younger.js TS2550'))
})

test('npm packs the code, the types and the licences', () => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: folder, encoding: 'utf8' })
  const [{ files: names, size, unpackedSize }] = JSON.parse(packed)
  const expected = [...files, 'index.d.ts', 'package.json', 'README.md', 'LICENSE-APACHE', 'LICENSE-MIT']
  assert.deepEqual(names.map(({ path: name }) => name).sort(), expected.sort())
  assert.ok(size < 20_000 && unpackedSize < 60_000, `${size} ${unpackedSize}`)
})

test('its licences are the project\'s', () => {
  for (const name of ['LICENSE-APACHE', 'LICENSE-MIT']) {
    assert.equal(source(name), fs.readFileSync(path.join(folder, '../../..', name), 'utf8'))
  }
})

// A page of a browser, as the package's README has it: the shim, and a script for each file.
function page() {
  const readme = source('README.md')
  const [, html] = readme.match(/```html\n([^]*?)```/)
  const [, shim] = html.match(/<script>\n([^]*?)<\/script>/)
  const scripts = [...html.matchAll(/src="session\/(\w+\.js)"/g)].map(([, name]) => name)
  const document = {}
  const window = { document }
  window.window = window
  const context = vm.createContext(window)
  vm.runInContext(shim, context)
  for (const name of scripts) {
    document.currentScript = { src: `https://h5.example.com/session/${name}` }
    vm.runInContext(source(name), context)
  }
  return { scripts, require: vm.runInContext('require', context) }
}

test('a page takes the same files as plain scripts', () => {
  const { scripts, require: inPage } = page()
  assert.deepEqual([...scripts].sort(), [...files].sort())
  const { createSession, adapters } = inPage('./index')
  assert.equal(typeof createSession, 'function')
  assert.equal(typeof adapters.h5, 'function')
})
