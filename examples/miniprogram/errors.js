// 错误的原因，说给用户听。
const TEXTS = {
  user_blocked: '这个账号不能登录',
  rate_limited: '登录太频繁，请稍后再试',
  provider_unavailable: '微信正忙，请稍后再试',
  store_unavailable: '服务器正忙，请稍后再试',
  network: '网络不通',
  logged_out: '已经退出登录',
  code_unavailable: '没有拿到登录凭证',
  socket_refused: '连不上',
}

module.exports = error => TEXTS[error.reason] || error.errMsg || '出错了'
