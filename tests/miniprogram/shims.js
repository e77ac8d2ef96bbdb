// Platforms as their documents and their users describe them, over real HTTP. What differs: where an
// answer that is not 200 goes, what it is called there, the case of headers, and what a body becomes.
const WebSocket = require('ws')

// At most so many requests at a time; the others wait for their turn.
const AT_ONCE = 10

class Device {
  // `deliver` decides when an answer reaches the program.
  constructor(user, deliver = answer => answer()) {
    Object.assign(this, { user, deliver, storage: new Map(), codes: 0, running: 0, queue: [], sent: [] })
  }

  code() {
    return `${this.user}:${this.codes += 1}`
  }

  // Sends by `send`; `done` gets the response with its text, or an error.
  async perform({ url, method = 'GET', header = {}, body }, done) {
    if (this.running === AT_ONCE) await new Promise(turn => this.queue.push(turn))
    this.running += 1
    this.sent.push({ path: new URL(url).pathname, header })
    const outcome = await fetch(url, { method, headers: header, body }).then(
      async response => ({ status: response.status, headers: response.headers, text: await response.text() }),
      error => ({ error }),
    )
    this.deliver(() => {
      this.running -= 1
      this.queue.shift()?.()
      done(outcome)
    }, { path: new URL(url).pathname, outcome })
  }
}

const cased = (headers, style) => Object.fromEntries([...headers].map(([name, value]) => [style(name), value]))
const titled = name => name.replace(/(^|-)[a-z]/g, letter => letter.toUpperCase())
const lower = name => name
const upper = name => name.toUpperCase()
const parsed = text => { try { return JSON.parse(text) } catch { return text } }
const asJson = data => (data && typeof data === 'object' ? JSON.stringify(data) : data)
const asForm = data => (data && typeof data === 'object' ? new URLSearchParams(data).toString() : data)

// WeChat and those that took over its shape: `success` for every status.
function wechat(device, { style = titled, parse = parsed, login = 'login', file = 'name' } = {}) {
  const answered = (options, answerOf) => outcome => {
    const answer = outcome.error ? { errMsg: 'request:fail ' } : answerOf(outcome)
    const callback = outcome.error ? options.fail : options.success
    callback?.(answer)
    options.complete?.(answer)
  }
  const api = {
    request(options) {
      const { url, method, header, data } = options
      const body = method && method !== 'GET' ? asJson(data) : undefined
      device.perform({ url, method, body, header: { 'content-type': 'application/json', ...header } }, answered(options, ({ status, headers, text }) =>
        ({ statusCode: status, header: cased(headers, style), data: parse(text), errMsg: 'request:ok' })))
      return { abort() {} }
    },
    // The answer of an upload is text, and has no headers; a download has nothing but a file.
    uploadFile(options) {
      const { url, header, filePath } = options
      const body = new FormData()
      body.append(options[file], new Blob([filePath]), filePath)
      device.perform({ url, method: 'POST', header, body }, answered(options, ({ status, text }) => ({ statusCode: status, data: text })))
      return { abort() {}, onProgressUpdate: listener => listener({ progress: 50 }) }
    },
    downloadFile(options) {
      const { url, header } = options
      device.perform({ url, header }, answered(options, ({ status }) => ({ statusCode: status, tempFilePath: 'wxfile://tmp' })))
      return { abort() {} }
    },
    connectSocket({ url, header, protocols }) {
      const socket = new WebSocket(url, protocols, { headers: header })
      return {
        send: ({ data }) => socket.send(data),
        close: ({ code }) => socket.close(code || 1000),
        onOpen: listener => socket.on('open', () => listener({})),
        onMessage: listener => socket.on('message', data => listener({ data: String(data) })),
        onClose: listener => socket.on('close', (code, reason) => listener({ code, reason: String(reason) })),
        onError: listener => socket.on('error', () => listener({ errMsg: 'connectSocket:fail' })),
      }
    },
    [login]: ({ success }) => { queueMicrotask(() => success({ code: device.code() })) },
    getStorageSync: key => device.storage.get(key) ?? '',
    setStorageSync: (key, value) => { device.storage.set(key, value) },
    onAppShow: () => {},
  }
  return api
}

// Alipay and DingTalk: `fail` for every status but 200, with the names `status` and `headers`.
function alipay(device, { request = 'request', body = asJson } = {}) {
  const sockets = { listeners: {} }
  const api = {
    [request](options) {
      const { url, method = 'GET', headers, data } = options
      const sent = method === 'GET' ? undefined : body(data)
      device.perform({ url, method, body: sent, header: headers }, ({ error, status, headers: got, text }) => {
        if (error) options.fail({ error: 12, errorMessage: 'network' })
        else if (status === 200) options.success({ status, headers: cased(got, lower), data: parsed(text) })
        else options.fail({ error: 19, errorMessage: 'http status error', status, headers: cased(got, lower), data: text })
      })
      return { abort() {} }
    },
    uploadFile(options) {
      wechat(device, { file: 'fileName' }).uploadFile(options)
    },
    downloadFile(options) {
      wechat(device).downloadFile(options)
    },
    getAuthCode: ({ success }) => { queueMicrotask(() => success({ authCode: device.code() })) },
    getStorageSync: ({ key }) => ({ data: device.storage.get(key) ?? null }),
    setStorageSync: ({ key, data }) => { device.storage.set(key, data) },
    // One socket; its listeners stay until they are taken away.
    connectSocket({ url, header }) {
      const tell = event => value => (sockets.listeners[event] || []).forEach(listener => listener(value))
      const socket = sockets.socket = new WebSocket(url, { headers: header })
      socket.on('open', () => tell('Open')({}))
      socket.on('message', data => tell('Message')({ data: String(data), isBuffer: false }))
      socket.on('close', code => tell('Close')({ code }))
      socket.on('error', () => tell('Error')({ error: 1 }))
    },
    sendSocketMessage: ({ data }) => sockets.socket.send(data),
    closeSocket: () => sockets.socket.close(),
  }
  for (const event of ['Open', 'Message', 'Close', 'Error']) {
    api[`onSocket${event}`] = listener => (sockets.listeners[event] ||= []).push(listener)
    if (request === 'request') api[`offSocket${event}`] = () => { sockets.listeners[event] = [] }
  }
  return api
}

// uni-app maps names in all callbacks; without any callback it would give a promise.
function uniOnAlipay(device) {
  const my = alipay(device)
  const mapped = callback => ({ status, headers, ...rest }) => callback({ statusCode: status, header: headers, ...rest })
  return {
    ...wechat(device, { file: 'name' }),
    request: ({ header, ...options }) => my.request({ ...options, headers: header, success: mapped(options.success), fail: mapped(options.fail) }),
  }
}

// Taro gives a promise besides, which rejects; on Alipay with the native object.
function taro(device, request) {
  const api = wechat(device)
  const promised = call => options => new Promise((resolve, reject) => call({
    ...options,
    success: answer => { options.success?.(answer); resolve(answer) },
    fail: error => { options.fail?.(error); reject(error) },
  }))
  return {
    ...api,
    request: promised(request || api.request),
    login: promised(options => api.login(options)),
    connectSocket: async options => api.connectSocket(options),
  }
}

function taroOnAlipay(device) {
  const my = alipay(device)
  return taro(device, ({ header, ...options }) => my.request({
    ...options,
    headers: header,
    success: ({ status, headers, ...rest }) => options.success({ statusCode: status, header: headers, ...rest }),
  }))
}

// A window, as far as the package looks at it.
function browser(device) {
  return {
    AbortController, FormData, URL, setTimeout, clearTimeout, WebSocket,
    document: { addEventListener() {}, hidden: false },
    localStorage: {
      getItem: key => device.storage.get(key) ?? null,
      setItem: (key, text) => { device.storage.set(key, String(text)) },
    },
    fetch: (url, { method, headers, body }) => new Promise((resolve, reject) => {
      device.perform({ url, method, header: headers, body }, ({ error, status, headers: got, text }) => {
        if (error) reject(error)
        else resolve(new Response(status === 204 ? null : text, { status, headers: got }))
      })
    }),
  }
}

// Every platform: the adapter's name, and what it is given on this device.
const PLATFORMS = {
  wx: device => adapters => adapters.wx(wechat(device)),
  qq: device => adapters => adapters.qq(wechat(device, { style: lower, parse: text => text })),
  tt: device => adapters => adapters.tt(wechat(device, { style: lower })),
  swan: device => adapters => adapters.swan(wechat(device, { login: 'getLoginCode' })),
  ks: device => adapters => adapters.ks(wechat(device, { style: upper })),
  my: device => adapters => adapters.my(alipay(device)),
  dd: device => adapters => adapters.dd(alipay(device, { request: 'httpRequest', body: asForm })),
  'uni on WeChat': device => adapters => adapters.uni(wechat(device)),
  'uni on Alipay': device => adapters => adapters.uni(uniOnAlipay(device)),
  'Taro on WeChat': device => adapters => adapters.taro(taro(device)),
  'Taro on Alipay': device => adapters => adapters.taro(taroOnAlipay(device)),
  h5: device => adapters => adapters.h5({ window: browser(device), getCode: async () => device.code() }),
}

module.exports = { Device, PLATFORMS, wechat }
