// >>>
import qcloud from 'wafer2-client-sdk'

qcloud.setLoginUrl('https://api.example.com/login')
export const request = options => new Promise((success, fail) => qcloud.request({ ...options, success, fail }))
// <<<
export const me = n => request({ url: `https://api.example.com/me?n=${n}` }).then(({ data }) => data)
