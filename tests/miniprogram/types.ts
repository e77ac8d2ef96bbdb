// How the package is used with WeChat's own types; `tsc` reads it, nobody runs it.
import { createSession, adapters, Answer, SessionError, SessionEvent } from '../../examples/miniprogram/session'

const session = createSession({
  platform: adapters.wx(wx),
  baseUrl: 'https://api.example.com',
  renewBefore: 600,
  socketToken: 'query',
  onEvent: (event: SessionEvent) => console.log(event.type, event.at),
})

const request: WechatMiniprogram.RequestOption = { url: '/me', method: 'POST', data: { a: 1 }, timeout: 5000 }
const me: Promise<Answer<{ openid: string }>> = session.request<{ openid: string }>({ ...request, success: undefined, fail: undefined, complete: undefined })
me.then(({ data, statusCode }) => data.openid + statusCode.toFixed())

const upload: WechatMiniprogram.UploadFileOption = { url: '/upload', filePath: 'a.png', name: 'file' }
session.uploadFile({ ...upload, success: undefined, fail: undefined, complete: undefined }).then(({ data }) => data.length)
session.downloadFile({ url: '/file', onTask: (task: WechatMiniprogram.DownloadTask) => task.abort() })
  .then(({ tempFilePath }) => tempFilePath)

session.request({
  url: '/me',
  success: ({ header }) => header,
  fail: (error: SessionError) => wx.showToast({ title: error.errMsg }),
})
const socket = session.connectSocket({ url: '/ws', onMessage: ({ data }) => data, onClose: ({ code }) => code })
socket.send({ data: 'hello' })
session.login().then(() => session.logout()).then(() => session.token().length)
createSession({ platform: adapters.h5({ getCode: async () => 'a code' }), baseUrl: '' })

// @ts-expect-error: no address
session.request({ method: 'GET' })
// @ts-expect-error: no such platform
adapters.telegram(wx)
// @ts-expect-error: no base URL
createSession({ platform: adapters.wx(wx) })
// @ts-expect-error: no such place for a token
createSession({ platform: adapters.wx(wx), baseUrl: '', socketToken: 'cookie' })
// @ts-expect-error: the reason is a text
me.catch((error: SessionError) => error.reason.toFixed())
