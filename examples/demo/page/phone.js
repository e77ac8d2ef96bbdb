// The phone: the client for mini programs as it is, on a browser, with a login code of the fake WeChat.

import * as timeline from './timeline.js'

const { createSession, adapters } = window.require('./index')

const PAGE = Math.random().toString(36).slice(2, 10)
const USER = 'alice'
let calls = 0

export const isMine = call => Boolean(call) && call.startsWith(`${PAGE}-`)
// The fake WeChat takes each code once.
const getCode = async () => `${USER}:${Math.random().toString(36).slice(2)}`

// One device. What it does is written into the story that it is in.
export function createDevice({ name, storage, changed }) {
  const device = { story: null }
  // The client tells what it is about to send in the same step in which it sends it.
  let about = {}
  const write = what => {
    if (device.story) timeline.row(device.story, Object.assign({ device: name }, what))
    changed()
  }
  const h5 = adapters.h5({ getCode })
  function request(options) {
    const { attempt, type } = about
    about = {}
    const call = `${PAGE}-${calls += 1}`
    const header = Object.assign({}, options.header, { 'X-Demo-Call': call })
    const isLogin = type === 'login'
    const path = `${isLogin ? 'wx.login → ' : ''}${options.method || 'GET'} ${new URL(options.url).pathname}`
    const { story } = device
    story.sent += 1
    const success = answer => {
      const { reason, action } = Object(answer.data)
      // Each code is another one: a login is never sent again.
      const what = { device: name, path, attempt: isLogin ? 1 : attempt, status: answer.statusCode, reason, action }
      timeline.row(story, what).calls.push(call)
      options.success(answer)
      changed()
    }
    return h5.request(Object.assign({}, options, { header, success }))
  }
  const onEvent = event => {
    if (event.type === 'send' || event.type === 'login') about = event
    if (event.type === 'logged_in') device.story.logins += 1
    if (event.type === 'wait') write({ text: 'waits', detail: event.seconds })
    if (event.type === 'login_failed') write({ text: 'login_fails', detail: event.reason })
    if (event.type === 'fail') write({ text: 'gives_up', detail: event.reason })
    if (event.type === 'logged_out') write({ text: 'out' })
  }
  const platform = Object.assign({}, h5, { request }, storage)
  const storageKey = `session ${name || ''}`
  device.session = createSession({ platform, baseUrl: location.origin, storageKey, onEvent })
  return device
}

// Does something as a story of its own, and tells the error that it ended with, if any.
export async function inStory(device, title, work) {
  const story = device.story = timeline.story(title)
  const ask = options => {
    story.asked += 1
    return device.session.request(options).then(answer => {
      story.answered += 1
      return answer
    })
  }
  try {
    return { answer: await work(ask, device.session) }
  } catch (error) {
    if (error.name !== 'SessionError') throw error
    return { error }
  } finally {
    story.isOver = true
  }
}
