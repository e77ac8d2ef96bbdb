const textOf = require('../../errors')

const COUNT = 20

Page({
  data: { openid: '', appid: '', error: '', isBusy: false, summary: '' },

  onShow() {
    if (getApp().session.token()) this.look()
  },

  // 第一次请求会自己登录。
  look() {
    return this.run(session => session.request({ url: '/me' }).then(({ data }) => this.setData(data)))
  },

  logIn() {
    return this.run(session => session.login().then(() => session.request({ url: '/me' })).then(({ data }) => this.setData(data)))
  },

  logOut() {
    this.setData({ openid: '', appid: '' })
    return this.run(session => session.logout())
  },

  // 会话到期的那一刻，登录只有一次。
  many() {
    let logins = 0
    const count = ({ type }) => { if (type === 'logged_in') logins += 1 }
    return this.run(session => {
      session.on(count)
      const requests = Array.from({ length: COUNT }, () => session.request({ url: '/me' }))
      const end = () => session.off(count)
      return Promise.all(requests).then(answers => {
        end()
        this.setData({ summary: `${answers.length} 个请求都成功，登录 ${logins} 次` })
      }, error => {
        end()
        throw error
      })
    })
  },

  run(work) {
    this.setData({ isBusy: true, error: '', summary: '' })
    return work(getApp().session)
      .catch(error => this.setData({ error: textOf(error) }))
      .then(() => this.setData({ isBusy: false }))
  },
})
