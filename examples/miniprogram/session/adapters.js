// What a session needs of a platform: `adapters.wx(wx)`, `adapters.my(my)`. Any function of what they
// return can be replaced.

const keep = (options, changes) => Object.assign({}, options, changes)
const JSON_HEADER = { 'Content-Type': 'application/json' }
const SOCKET_EVENTS = ['Open', 'Message', 'Close', 'Error']

// WeChat's shape is also that of QQ, Douyin, Baidu, Kuaishou, uni-app and Taro.
const wechat = api => ({
  socketToken: 'header',
  request: options => api.request(options),
  uploadFile: options => api.uploadFile(options),
  downloadFile: options => api.downloadFile(options),
  connectSocket: options => api.connectSocket(options),
  getCode: () => new Promise((resolve, reject) => {
    // Baidu has renamed it; Taro gives a promise besides, and Alipay's name of the code.
    const login = api.getLoginCode ? 'getLoginCode' : 'login'
    const asked = api[login]({ success: ({ code, authCode }) => resolve(code || authCode), fail: reject })
    if (asked && asked.catch) asked.catch(reject)
  }),
  get: key => api.getStorageSync(key),
  set: (key, text) => api.setStorageSync(key, text),
  onShow: listener => api.onAppShow && api.onAppShow(listener),
})

const alipay = api => keep(wechat(api), {
  request: options => api[api.request ? 'request' : 'httpRequest'](keep(options, { headers: options.header })),
  uploadFile: options => api.uploadFile(keep({ fileName: options.name, fileType: 'image' }, options)),
  connectSocket: options => onlySocket(api, options),
  getCode: () => new Promise((resolve, reject) => {
    api.getAuthCode({ scopes: 'auth_base', success: ({ authCode }) => resolve(authCode), fail: reject })
  }),
  get: key => api.getStorageSync({ key }).data,
  set: (key, data) => api.setStorageSync({ key, data }),
})

// It has Alipay's names, and sends an object as a form whatever the content type says.
function dingtalk(api) {
  const platform = alipay(api)
  const json = ({ data, header }) => ({ data: JSON.stringify(data), header: keep(JSON_HEADER, header) })
  const isObject = ({ method = 'GET', data }) => method !== 'GET' && Object(data) === data
  return keep(platform, { request: options => platform.request(keep(options, isObject(options) && json(options))) })
}

// One socket in the whole app is what all versions of Alipay and DingTalk have. Where the app's default
// is several, these listeners would hear nothing.
function onlySocket(api, options) {
  const socket = { send: message => api.sendSocketMessage(message), close: how => api.closeSocket(how) }
  SOCKET_EVENTS.forEach(event => {
    if (api[`offSocket${event}`]) api[`offSocket${event}`]()
    socket[`on${event}`] = listener => api[`onSocket${event}`](listener)
  })
  api.connectSocket(keep(options, { multiple: false }))
  return socket
}

// A browser. `getCode` is the application's own: by WeChat's OAuth in an official account, for example.
const browser = ({ getCode, window = self }) => ({
  getCode,
  // A page cannot set headers of a socket.
  socketToken: 'query',
  request: options => fetchIn(window, options, options.responseType === 'arraybuffer' ? 'arrayBuffer' : 'text'),
  // Its `data` is a `FormData`; that of a download's answer a `Blob`.
  uploadFile: options => fetchIn(window, keep(options, { method: 'POST' }), 'text'),
  downloadFile: options => fetchIn(window, options, 'blob'),
  connectSocket: options => socketIn(window, options),
  get: key => window.localStorage.getItem(key),
  set: (key, text) => window.localStorage.setItem(key, text),
  onShow: listener => window.document.addEventListener('visibilitychange', listener),
})

function fetchIn(window, { url, method = 'GET', header: headers, data: body, timeout = 60000, success, fail }, read) {
  // As mini programs have it: an object goes into the query of a GET, and is JSON otherwise.
  const isPlain = Array.isArray(body) || (body && Object.getPrototypeOf(body) === Object.prototype)
  if (method === 'GET' && isPlain) url += (url.indexOf('?') < 0 ? '?' : '&') + new URLSearchParams(body)
  if (isPlain) [headers, body] = [keep(JSON_HEADER, headers), JSON.stringify(body)]
  const running = new window.AbortController()
  const timer = window.setTimeout(() => running.abort(), timeout)
  const { signal } = running
  window.fetch(url, keep({ method, headers, signal }, method === 'GET' ? {} : { body })).then(response => {
    const header = {}
    response.headers.forEach((value, name) => { header[name] = value })
    return response[read]().then(data => success({ statusCode: response.status, header, data: parsed(data) }))
  }).catch(error => fail({ errMsg: `request:fail ${error.message}` })).then(() => window.clearTimeout(timer))
  return running
}

const parsed = data => { try { return JSON.parse(data) } catch (notJson) { return data } }

function socketIn(window, { url, protocols = [] }) {
  const socket = new window.WebSocket(url, protocols)
  const close = ({ code = 1000, reason }) => socket.close(code, reason)
  const task = { close, send: ({ data }) => socket.send(data) }
  SOCKET_EVENTS.forEach(event => {
    task[`on${event}`] = listener => socket.addEventListener(event.toLowerCase(), listener)
  })
  return task
}

module.exports = {
  wx: wechat, qq: wechat, tt: wechat, swan: wechat, ks: wechat, uni: wechat, taro: wechat,
  my: alipay, dd: dingtalk, h5: browser,
}
