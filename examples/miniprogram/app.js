const { createSession, adapters } = require('./session/index')
const { baseUrl, user } = require('./config')

// 「记录」页显示最近这么多条。
const KEPT = 200

const platform = adapters.wx(wx)
if (user) platform.getCode = () => Promise.resolve(`${user}:${Date.now()}${Math.random()}`)

App({
  session: createSession({ platform, baseUrl, renewBefore: 60, maxWait: 20 }),
  events: [],

  onLaunch() {
    this.session.on(event => {
      this.events.unshift(event)
      this.events.splice(KEPT)
    })
  },
})
