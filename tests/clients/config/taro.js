// >>>
import Taro from '@tarojs/taro'
import { action, session } from './session.js'
const api = 'https://api.example.com'
const logInWith = data => Taro.request({ url: `${api}/login`, method: 'POST', data, once: true })
const { bearer, renew } = session(Taro, code => logInWith(code).then(({ data }) => data))
Taro.addInterceptor(async chain => {
  const { once, header, ...options } = chain.requestParams
  const sent = { ...header, Authorization: bearer() }
  const answer = await chain.proceed({ ...options, header: sent }).catch(error => error) // Alipay's refusals
  const asked = action(answer.data, answer.header ?? answer.headers)
  if (answer.statusCode < 300 && !asked) return answer
  if (once || asked !== 'login') throw answer
  await renew(sent.Authorization)
  return Taro.request({ ...options, header, once: true })
})
// <<<
export const me = n => Taro.request({ url: `${api}/me`, data: { n } }).then(({ data }) => data)
