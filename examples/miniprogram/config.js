module.exports = {
  // 真机上必须是 https，并在小程序后台填进「服务器域名」。
  baseUrl: 'http://127.0.0.1:3000',
  // 示例服务器里的假微信认 `名字:任意` 这样的 code。接真的微信时留空，用 wx.login 的 code。
  user: 'alice',
}
