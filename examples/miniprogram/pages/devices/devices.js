const textOf = require('../../errors')

const two = number => (number < 10 ? `0${number}` : `${number}`)

function timeOf(seconds) {
  const date = new Date(seconds * 1000)
  return `${date.getMonth() + 1}月${date.getDate()}日 ${two(date.getHours())}:${two(date.getMinutes())}`
}

Page({
  data: { devices: [], others: 0, error: '' },

  onShow() {
    return this.load()
  },

  load() {
    return getApp().session.request({ url: '/sessions' }).then(({ data }) => {
      const devices = data.map(({ id, issued_at: since, current }) => ({ id, current, since: timeOf(since) }))
      this.setData({ devices, others: devices.filter(({ current }) => !current).length, error: '' })
    }).catch(error => this.setData({ error: textOf(error) }))
  },

  logOutElsewhere() {
    return getApp().session.request({ url: '/logout_others', method: 'POST' })
      .then(() => this.load())
      .catch(error => this.setData({ error: textOf(error) }))
  },
})
