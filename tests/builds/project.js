// A project of the field, as its own tool builds it: a copy beside the packages that `./test` has installed.
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')

const run = promisify(execFile)
const repository = path.resolve(__dirname, '../..')
const packages = name => path.join(repository, 'target/builds', name)

const PROJECTS = {
  uni: {
    command: platform => ['uni', 'build', '-p', platform],
    built: { h5: 'dist/build/h5', 'mp-weixin': 'dist/build/mp-weixin' },
  },
  taro: {
    command: platform => ['taro', 'build', '--no-check', '--type', platform],
    built: { h5: 'dist/h5', weapp: 'dist/weapp' },
  },
}

// The folder that a tool has built for a platform.
async function build(name, platform) {
  const folder = packages(name)
  const { command, built } = PROJECTS[name]
  if (!fs.existsSync(path.join(folder, 'installed-from'))) throw new Error(`${folder} is missing: run ./test builds once`)
  const result = path.join(folder, built[platform])
  for (const old of [result, path.join(folder, 'src')]) fs.rmSync(old, { recursive: true, force: true })
  fs.cpSync(path.join(__dirname, name), folder, { recursive: true })
  await installClient(folder)
  const env = { ...process.env, NODE_ENV: 'production', NODE_PATH: '' }
  await run('npx', ['--no-install', ...command(platform)], { cwd: folder, env })
  return result
}

// What `npm install` would make of the package that `npm pack` makes.
async function installClient(folder) {
  const client = path.join(folder, 'node_modules/tower-wx-session-client')
  fs.rmSync(client, { recursive: true, force: true })
  fs.mkdirSync(client)
  const source = path.join(repository, 'examples/miniprogram/session')
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: source })
  await run('tar', ['xzf', path.join(folder, stdout.trim()), '--strip-components', '1', '-C', client])
}

module.exports = { build, packages, repository, run }
