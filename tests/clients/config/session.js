// >>>
// The token, and one login for all requests that need one. `api` is uni or Taro.
export function session(api, logInWith) {
  let login = null
  async function newToken() {
    const { code } = await api.login()
    const answer = await logInWith({ code })
    if (!answer.token) throw answer
    api.setStorageSync('token', answer.token)
  }
  const bearer = () => `Bearer ${api.getStorageSync('token')}`.trim() // axios trims, too
  // A refusal that comes late needs no login: the token is another one by now.
  const renew = sent => sent === bearer() ? login ??= newToken().finally(() => { login = null }) : null
  return { bearer, renew }
}
// What the answer asks for: in the body, or where that was lost, in a header.
export function action(body, headers = {}) {
  const name = Object.keys(headers).find(name => name.toLowerCase() === 'x-wx-action')
  return body?.action ?? (name && String(headers[name]))
}
// <<<
