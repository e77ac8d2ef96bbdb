// >>>
import FlyWeChat from 'flyio/dist/npm/wx'
import FlyAlipay from 'flyio/dist/npm/ap'
import { action, session } from './session.js'

const fly = new (typeof my === 'undefined' ? FlyWeChat : FlyAlipay)()
fly.config.baseURL = 'https://api.example.com'
const { bearer, renew } = session(uni, code => fly.post('/login', code, { once: true }).then(({ data }) => data))
fly.interceptors.request.use(request => { request.headers.Authorization = bearer() })
fly.interceptors.response.use(answer => check(answer, answer), error => check(error, error.response))
async function check(answer, { data, headers } = {}) {
  if (answer.status < 300 && !action(data, headers)) return answer
  if (answer.request.once || action(data, headers) !== 'login') throw answer
  await renew(answer.request.headers.Authorization)
  return fly.request({ ...answer.request, once: true })
}
// <<<
export const me = n => fly.get('/me', { n }).then(({ data }) => data)
