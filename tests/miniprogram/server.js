// The example server, in a process of its own.
const { spawn } = require('node:child_process')
const path = require('node:path')
const { once } = require('node:events')
const readline = require('node:readline')

const program = process.env.EXAMPLE_AXUM || path.resolve(__dirname, '../../target/debug/examples/axum')

class Server {
  static async start(refusal = 'json') {
    const env = { LISTEN: '127.0.0.1:0', REFUSAL: refusal, RUST_LOG: 'off' }
    const child = spawn(program, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    child.on('error', error => { throw new Error(`${error.message}: build it first: cargo build --all-features --examples`) })
    const [line] = await once(readline.createInterface({ input: child.stdout }), 'line')
    return Object.assign(new Server(), { child, base: line.replace('listening on ', '') })
  }

  // What a visitor does: see `examples/demo`.
  async demo(action, body = {}) {
    const answer = await fetch(`${this.base}/demo/${action}`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    })
    if (answer.status !== 204) throw new Error(`${action}: ${answer.status}`)
  }

  async exchanges() {
    return (await (await fetch(`${this.base}/demo/state`)).json()).exchanges
  }

  stop() {
    this.child.kill()
  }
}

module.exports = { Server }
