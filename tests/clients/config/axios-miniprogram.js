// >>>
import axios from 'axios-miniprogram'
import { action, session } from './session.js'

const http = axios.create({ baseURL: 'https://api.example.com' })
const { bearer, renew } = session(uni, code => http.post('/login', code, { once: true }).then(({ data }) => data))
http.interceptors.request.use(config => ({ ...config, headers: { ...config.headers, Authorization: bearer() } }))
http.interceptors.response.use(answer => check(answer, answer), error => check(error, error.response))
async function check(answer, { data, headers } = {}) {
  if (answer.status < 300 && !action(data, headers)) return answer
  if (answer.config.once || action(data, headers) !== 'login') throw answer
  await renew(answer.config.headers.Authorization)
  return http.request({ ...answer.config, once: true })
}
// <<<
export const me = n => http.get('/me', { n }).then(({ data }) => data)
