const TEXTS = {
  send: ({ url, attempt }) => `发送 ${pathOf(url)}${attempt > 1 ? '（第二次）' : ''}`,
  answer: ({ url, statusCode, action }) => `${pathOf(url)} 响应 ${statusCode}${action ? `，要求 ${action}` : ''}`,
  wait: ({ seconds }) => `等 ${seconds} 秒`,
  fail: ({ url, reason }) => `${pathOf(url)} 失败：${reason}`,
  login: ({ attempt }) => `wx.login${attempt > 1 ? `（第 ${attempt} 次）` : ''}`,
  logged_in: () => '登录成功',
  login_failed: ({ reason }) => `登录失败：${reason}`,
  logged_out: () => '退出登录',
  socket: ({ url }) => `打开 ${pathOf(url)}`,
}

const pathOf = url => url.replace(/^\w+:\/\/[^/]+/, '')

function timeOf(milliseconds) {
  const date = new Date(milliseconds)
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()]
  return parts.map(part => (part < 10 ? `0${part}` : part)).join(':')
}

Page({
  data: { lines: [] },

  onShow() {
    this.show = () => {
      const lines = getApp().events.map((event, key) => ({
        key, time: timeOf(event.at), text: TEXTS[event.type](event), isBad: /fail/.test(event.type) || event.statusCode >= 400,
      }))
      this.setData({ lines })
    }
    this.show()
    getApp().session.on(this.show)
  },

  onHide() {
    getApp().session.off(this.show)
  },
})
