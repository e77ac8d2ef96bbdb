// A real browser on one page, driven by the DevTools protocol.
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const WebSocket = require('ws')

const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--no-proxy-server',
  '--disable-background-networking', '--remote-debugging-port=0']

class Browser {
  static async open(url) {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), 'tower-wx-session-builds-'))
    const child = spawn(process.env.CHROMIUM || 'chromium', [...FLAGS, `--user-data-dir=${home}`, url],
      { env: { ...process.env, HOME: home }, stdio: ['ignore', 'ignore', 'pipe'] })
    child.on('error', error => { throw new Error(`${error.message}: these tests need chromium: install it, or name it in CHROMIUM`) })
    const browser = Object.assign(new Browser(), { child, home, answers: new Map(), sent: 0 })
    await browser.connect(await listening(child))
    return browser
  }

  async connect(address) {
    const { host } = new URL(address)
    const pages = await (await fetch(`http://${host}/json/list`)).json()
    this.socket = new WebSocket(pages.find(({ type }) => type === 'page').webSocketDebuggerUrl)
    await once(this.socket, 'open')
    this.socket.on('message', text => {
      const { id, ...answer } = JSON.parse(text)
      this.answers.get(id)?.(answer)
    })
  }

  async call(method, params) {
    const id = this.sent += 1
    const answer = new Promise(done => this.answers.set(id, done))
    this.socket.send(JSON.stringify({ id, method, params }))
    const { error, result } = await answer
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }

  async evaluate(expression) {
    const { result } = await this.call('Runtime.evaluate', { expression, returnByValue: true })
    return result.value
  }

  // What the element shows; nothing while it is not there.
  text(selector) {
    return this.evaluate(`document.querySelector('${selector}')?.innerText`)
  }

  // As a hand does it.
  async tap(selector) {
    const middle = await this.evaluate(`{
      const element = document.querySelector('${selector}')
      element.scrollIntoView({ block: 'center' })
      const { x, y, width, height } = element.getBoundingClientRect();
      ({ x: x + width / 2, y: y + height / 2 })
    }`)
    for (const type of ['mousePressed', 'mouseReleased'])
      await this.call('Input.dispatchMouseEvent', { type, ...middle, button: 'left', clickCount: 1 })
  }

  async close() {
    this.socket.terminate()
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
    fs.rmSync(this.home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

// The address that the browser tells on its error output.
async function listening(child) {
  for await (const line of readline.createInterface({ input: child.stderr })) {
    const [, address] = line.match(/^DevTools listening on (.*)/) ?? []
    if (address) return address
  }
  throw new Error('the browser ends before it listens')
}

module.exports = { Browser }
