import { createSession, adapters } from 'tower-wx-session-client'

// #ifdef H5
// A browser has no `wx.login`: the code is the application's own. The fake WeChat takes any.
const getCode = async () => `alice:${Math.random()}`
export const session = createSession({ platform: adapters.h5({ getCode }), baseUrl: location.origin })
// #endif
// #ifndef H5
export const session = createSession({ platform: adapters.uni(uni), baseUrl: 'https://api.example.com' })
// #endif
