// >>>
import axios from 'axios-0.26' // in package.json: "npm:axios@0.26.1"
import adapter from 'axios-miniprogram-adapter'
import { action, session } from './session.js'

const http = axios.create({ baseURL: 'https://api.example.com', adapter })
const { bearer, renew } = session(uni, code => http.post('/login', code, { once: true }).then(({ data }) => data))
http.interceptors.request.use(config => (config.headers.Authorization = bearer(), config))
http.interceptors.response.use(answer => check(answer, answer), error => check(error, error.response))
async function check(answer, { data, headers } = {}) {
  if (answer.status < 300 && !action(data, headers)) return answer
  if (answer.config.once || action(data, headers) !== 'login') throw answer
  await renew(answer.config.headers.Authorization)
  return http.request({ ...answer.config, once: true })
}
// <<<
export const me = n => http.get('/me', { params: { n } }).then(({ data }) => data)
