// >>>
import { createAlova } from 'alova'
import AdapterUniapp from '@alova/adapter-uniapp'
import { action, session } from './session.js'
const { bearer, renew } = session(uni, code => http.Post('/login', code, { meta: { once: true } }))
const http = createAlova({
  baseURL: 'https://api.example.com', ...AdapterUniapp(), cacheFor: null,
  beforeRequest: method => { method.config.headers.Authorization = bearer() },
  responded: async ({ statusCode, data, header }, method) => {
    if (statusCode < 300 && !action(data, header)) return data
    if (method.meta?.once || action(data, header) !== 'login') throw data
    await renew(method.config.headers.Authorization)
    method.meta = { ...method.meta, once: true }
    return method.send(true)
  },
})
// <<<
export const me = n => http.Get('/me', { params: { n } })
