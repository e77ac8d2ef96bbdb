// >>>
import { un } from '@uni-helper/uni-network'
import { action, session } from './session.js'

const http = un.create({ baseUrl: 'https://api.example.com' })
const { bearer, renew } = session(uni, code => http.post('/login', code, { once: true }).then(({ data }) => data))
http.interceptors.request.use(config => ({ ...config, headers: { ...config.headers, Authorization: bearer() } }))
http.interceptors.response.use(answer => check(answer), error => check(error.response, error))
async function check(answer, error = answer) {
  const { config, data, headers } = answer ?? error
  if (error === answer && !action(data, headers)) return answer
  if (config.once || action(data, headers) !== 'login') throw error
  await renew(config.headers.Authorization)
  return http.request({ ...config, once: true })
}
// <<<
export const me = n => http.get('/me', { params: { n } }).then(({ data }) => data)
