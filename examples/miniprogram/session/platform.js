// Calls of the platform, and waits by its clock.

function createPlatform({ platform, now, emit }) {
  const { uniform, sessionError } = require('./answer')
  const later = platform.setTimeout || setTimeout
  const pending = new Set()
  // The timers of a hidden app stand still or are lost.
  if (platform.onShow) platform.onShow(() => pending.forEach(endIfOver => endIfOver()))

  // As long as the server asks for, and up to a quarter longer, so that not all come back at once.
  const pause = seconds => new Promise(resolve => {
    const length = seconds * 1000 * (1 + Math.random() / 4)
    const beganAt = now()
    const end = () => { pending.delete(endIfOver); resolve() }
    const endIfOver = () => { if (now() < beganAt || now() - beganAt >= length) end() }
    pending.add(endIfOver)
    later(end, length)
  })

  const wait = seconds => { if (seconds) emit('wait', { seconds }); return pause(seconds) }

  // Every answer with a status resolves, wherever the platform puts it.
  const call = (kind, options, token) => new Promise((resolve, reject) => {
    const fail = error => {
      const answer = uniform(error)
      const text = String(answer.errMsg || answer.errorMessage || `${kind}:fail`)
      // What a platform says may hold what it was given.
      const errMsg = token ? text.split(token).join('…') : text
      if (answer.statusCode) resolve(answer)
      else reject(sessionError({ reason: 'network', action: 'retry', errMsg }))
    }
    const header = Object.assign({}, options.header, token && { Authorization: `Bearer ${token}` })
    const given = Object.assign({}, options, { header, success: answer => resolve(uniform(answer)), fail, complete() {} })
    let task
    // What it throws may quote the token.
    try { task = platform[kind](given) } catch (thrown) { fail({ errMsg: `${kind}:fail ${Object(thrown).name}` }) }
    // Taro gives a promise besides.
    if (task && task.catch) task.catch(() => {})
    if (task && options.onTask) options.onTask(task)
  })

  return { pause, wait, call }
}

module.exports = { createPlatform }
