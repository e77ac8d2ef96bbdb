// A WebSocket that outlives its session: it is opened once more, after a login.

// Close codes from 4000 are the application's; this one means that the session is over.
const SESSION_OVER = 4401
// Whoever was open for so many seconds may be opened once more again.
const STABLE = 60

// Where the token goes. In a header or a subprotocol it stays out of the logs of servers and proxies.
const TOKEN_IN = {
  header: (token, { header }) => ({ header: Object.assign({}, header, { Authorization: `Bearer ${token}` }) }),
  protocol: (token, { protocols = [] }) => ({ protocols: ['bearer', token].concat(protocols) }),
  query: (token, { url }) => ({ url: `${url}${url.indexOf('?') < 0 ? '?' : '&'}token=${token}` }),
}

function createConnect({ platform, tokens, login, ready, send, address, now, emit, listeners, socketToken }) {
  const { bodyOf, sessionError } = require('./answer')

  return function connectSocket(options) {
    const { epoch } = tokens
    const { url, isOurs } = address(options.url, 'ws')
    let [native, openedAt, isClosed] = [null, 0, false]
    // What comes after a logout is no longer for this user.
    const leave = ({ type }) => { if (type === 'logged_out' && native) native.close({}) }
    listeners.add(leave)
    const tell = (event, value) => options[event] && options[event](value)

    // One native socket, until its end.
    const live = token => new Promise(resolve => {
      let [mine, isOver] = [undefined, false]
      openedAt = 0
      const ended = closed => {
        const { code, reason } = Object(closed)
        if (native === mine) native = null
        resolve({ code, reason, openedAt, isOver: code === SESSION_OVER || (isOver && code !== 1000) })
      }
      // Where there is one socket in the app, the listeners of the last one hear this one, too.
      const onTime = listener => value => { if (native === mine) listener(value) }
      const bind = task => {
        native = mine = task
        task.onOpen(onTime(value => { openedAt = now(); tell('onOpen', value) }))
        task.onMessage(onTime(message => {
          // Some platforms lose close codes: the server says it in its last message, too.
          isOver = bodyOf(message).action === 'login' && typeof bodyOf(message).reason === 'string'
          if (tokens.epoch === epoch) tell('onMessage', message)
        }))
        task.onClose(onTime(ended))
        task.onError(onTime(ended))
        if (isClosed || tokens.epoch !== epoch) task.close({})
      }
      const all = Object.assign({}, options, { url, success() {}, fail: ended, complete() {} })
      const task = platform.connectSocket(Object.assign(all, TOKEN_IN[socketToken](token, all)))
      // At once where the platform allows it: an event may come before the next turn.
      if (task && task.onOpen) bind(task)
      else Promise.resolve(task).then(bind, ended)
    })

    function open(opensLeft) {
      if (isClosed) return { code: 1000 }
      if (!isOurs) throw sessionError({ reason: 'foreign_address' })
      login.check(epoch)
      const sent = tokens.token
      emit('socket', { url: url.split('?')[0] })
      return live(sent).then(end => {
        if (!isClosed) login.check(epoch)
        const isStable = end.openedAt && now() - end.openedAt > STABLE * 1000
        const isCurable = !isClosed && (opensLeft > 1 || isStable) && (!end.openedAt || end.isOver)
        // A refused socket tells nobody why. The same address over HTTP does, because the refusal comes
        // before the upgrade; a session that is over is replaced on the way.
        const ask = () => send('request', { url: url.replace(/^ws/, 'http') })
        if (isCurable) return (end.openedAt ? login.replace(sent) : ask()).then(() => open(1))
        if (!end.openedAt && !isClosed) throw sessionError({ reason: 'socket_refused', action: 'retry' })
        return end
      })
    }

    const close = (code, reason) => { listeners.delete(leave); tell('onClose', { code, reason }) }
    ready().then(() => open(2)).then(({ code, reason }) => close(code, reason), thrown => {
      // An error of the platform's own may name the address, with the token in it.
      const error = thrown.reason ? thrown : sessionError({ reason: 'network', action: 'retry' })
      if (!isClosed) tell('onError', error)
      close(1006, error.reason)
    })
    return {
      send(message) {
        if (native && openedAt) native.send(message)
        else if (message.fail) message.fail(sessionError({ reason: 'socket_closed', action: 'retry' }))
      },
      close(how) {
        isClosed = true
        if (native) native.close(Object(how))
      },
    }
  }
}

module.exports = { createConnect }
