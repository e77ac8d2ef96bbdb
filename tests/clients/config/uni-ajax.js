// >>>
import ajax from 'uni-ajax'
import { action, session } from './session.js'

const http = ajax.create({ baseURL: 'https://api.example.com' })
const { bearer, renew } = session(uni, code => http.post('/login', code, { once: true }).then(({ data }) => data))
http.interceptors.request.use(config => ({ ...config, header: { ...config.header, Authorization: bearer() } }))
http.interceptors.response.use(check, check)
async function check(answer) {
  const { config, statusCode, data, header } = answer
  if (statusCode < 300 && !action(data, header)) return answer
  if (config.once || action(data, header) !== 'login') throw answer
  await renew(config.header.Authorization)
  return http({ ...config, once: true })
}
// <<<
export const me = n => http.get('/me', { n }).then(({ data }) => data)
