const textOf = require('../../errors')

Page({
  data: { state: '未连接', isOpen: false, text: '', messages: [] },

  // 会话结束时（关闭码 4401）会登录并重连一次。
  connect() {
    if (this.socket) this.socket.close()
    this.setData({ state: '连接中', isOpen: false, messages: [] })
    // 上一个连接的事件来得晚，与这一个无关。
    const round = this.round = {}
    const now = listener => value => { if (this.round === round) listener(value) }
    this.socket = getApp().session.connectSocket({
      url: '/ws',
      onOpen: now(() => this.setData({ state: '已连接', isOpen: true })),
      onMessage: now(({ data }) => this.hear(data)),
      onError: now(error => { round.error = error }),
      onClose: now(() => this.setData({ state: round.error ? textOf(round.error) : '已断开', isOpen: false })),
    })
  },

  hear(text) {
    const messages = [{ key: Date.now() + Math.random(), text }].concat(this.data.messages)
    this.setData({ messages: messages.slice(0, 50) })
  },

  close() {
    this.socket.close()
    this.setData({ state: '已断开' })
  },

  write({ detail }) {
    this.setData({ text: detail.value })
  },

  send() {
    this.socket.send({ data: this.data.text })
    this.setData({ text: '' })
  },

  onUnload() {
    if (this.socket) this.socket.close()
  },
})
