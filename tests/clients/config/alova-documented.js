// >>>
import { createAlova } from 'alova'
import { createServerTokenAuthentication } from 'alova/client'
import AdapterUniapp from '@alova/adapter-uniapp'
import { session } from './session.js'
const logInWith = code => http.Post('/login', code, { meta: { authRole: 'refreshToken' } })
const { bearer, renew } = session(uni, logInWith)
const { onAuthRequired, onResponseRefreshToken } = createServerTokenAuthentication({
  assignToken: method => { method.config.headers.Authorization = bearer() },
  refreshTokenOnSuccess: { isExpired: answer => answer.statusCode === 401, handler: () => renew(bearer()) },
})
const http = createAlova({
  baseURL: 'https://api.example.com', ...AdapterUniapp(), cacheFor: null,
  beforeRequest: onAuthRequired(), responded: onResponseRefreshToken(answer => answer.data),
})
// <<<
export const me = n => http.Get('/me', { params: { n } })
