// The client half of a login session: one token for all requests, and one login when it is over.
//
// ES2015 without modules, which every developer tool, bundler and browser takes as it is. No file shares
// a name with another, so that a page can load them as plain scripts: see README.md.

// Pages of one app that each make a session get the same one.
const sessions = {}

function createSession(options) {
  const { platform, baseUrl, loginPath = '/login', logoutPath = '/logout', storageKey = `session ${baseUrl}`, onEvent } = options
  const { loginData = {}, renewBefore = 0, maxWait = 60, socketToken = platform.socketToken } = options
  const address = addressIn(baseUrl.replace(/\/+$/, ''))
  const urls = { address, loginUrl: address(loginPath).url, logoutUrl: address(logoutPath).url }
  const parts = { platform, storageKey, loginData, renewBefore, maxWait, socketToken, now: platform.now || Date.now }
  const session = sessions[storageKey] = sessions[storageKey] || start(Object.assign(parts, urls))
  if (onEvent) session.on(onEvent)
  return session
}

// Absolute addresses; tokens go to no other server than ours.
const addressIn = base => (url, scheme = 'http') => {
  const root = base.replace(/^http/, scheme)
  const full = /^[a-z]+:\/\//i.test(url) ? url : `${root}${url[0] === '/' ? '' : '/'}${url}`
  // `//host`, also with a backslash or a tab in it, is another server to a browser.
  return { url: full, isOurs: full.indexOf(root) === 0 && /^(\/(?![/\\])|[?#]|$)[^\\\t\r\n]*$/.test(full.slice(root.length)) }
}

function start(parts) {
  const listeners = parts.listeners = new Set()
  parts.emit = (type, about) => listeners.forEach(listener => {
    try { listener(Object.assign({ type, at: parts.now() }, about)) } catch (theirs) { console.error(theirs) }
  })
  const tokens = parts.tokens = require('./tokens').createTokens(parts)
  Object.assign(parts, require('./platform').createPlatform(parts))
  const login = parts.login = require('./login').createLogin(parts)
  const { send } = Object.assign(parts, require('./send').createSend(parts))
  return {
    request: options => send('request', options),
    uploadFile: options => send('uploadFile', options),
    downloadFile: options => send('downloadFile', options),
    connectSocket: require('./socket').createConnect(parts),
    login() {
      tokens.read()
      tokens.isOut = false
      return login.logIn()
    },
    // Here it is over at once, whatever becomes of the request that tells the server.
    logout() {
      const { token } = tokens
      tokens.leave()
      parts.emit('logged_out')
      return token ? login.end(token) : Promise.resolve()
    },
    token: () => tokens.token,
    on: listener => listeners.add(listener),
    off: listener => listeners.delete(listener),
  }
}

module.exports = { createSession, adapters: require('./adapters') }
