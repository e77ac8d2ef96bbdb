// The built files of a page and the example server, on one origin.
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }

class Site {
  static async start(folder, api) {
    const server = http.createServer((request, response) => {
      const name = new URL(request.url, api).pathname
      const file = path.join(folder, name === '/' ? 'index.html' : name)
      if (fs.existsSync(file)) {
        response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' })
        fs.createReadStream(file).pipe(response)
      } else pass(request, response, api)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return Object.assign(new Site(), { server, url: `http://127.0.0.1:${server.address().port}/` })
  }

  stop() {
    this.server.close()
    this.server.closeAllConnections()
  }
}

function pass(request, response, api) {
  const { method, headers } = request
  const passed = http.request(new URL(request.url, api), { method, headers }, answer => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  })
  passed.on('error', () => response.destroy())
  request.pipe(passed)
}

module.exports = { Site }
