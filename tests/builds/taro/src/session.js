import Taro from '@tarojs/taro'
import { createSession, adapters } from 'tower-wx-session-client'

// A browser has no `wx.login`: the code is the application's own. The fake WeChat takes any.
const getCode = async () => `alice:${Math.random()}`

export const session = process.env.TARO_ENV === 'h5'
  ? createSession({ platform: adapters.h5({ getCode }), baseUrl: location.origin })
  : createSession({ platform: adapters.taro(Taro), baseUrl: 'https://api.example.com' })
