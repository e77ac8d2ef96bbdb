// >>>
import { http } from 'uview-plus'
import { action, session } from './session.js'

http.setConfig(config => ({ ...config, baseURL: 'https://api.example.com' }))
const once = { custom: { once: true } }
const { bearer, renew } = session(uni, code => http.post('/login', code, once).then(({ data }) => data))
http.interceptors.request.use(config => ({ ...config, header: { ...config.header, Authorization: bearer() } }))
http.interceptors.response.use(check, check)
async function check(answer) {
  const { config, statusCode, data, header } = answer
  if (statusCode < 300 && !action(data, header)) return answer
  if (config.custom.once || action(data, header) !== 'login') throw answer
  await renew(config.header.Authorization)
  return http.request({ ...config, ...once })
}
// <<<
export const me = n => http.get('/me', { params: { n } }).then(({ data }) => data)
