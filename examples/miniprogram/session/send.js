// A request, an upload or a download: sent with the token, and once more after the login or the wait
// that its answer asks for.

function createSend({ call, tokens, login, wait, emit, address, renewBefore, maxWait }) {
  const { refusalOf, sessionError } = require('./answer')
  let ids = 0

  // There is a token to send. A renewal that fails leaves the old one, which may still be good.
  function ready() {
    if (tokens.isOut || !tokens.token) return login.replace('')
    const isDue = renewBefore > 0 && tokens.isOld(renewBefore)
    return isDue ? login.replace(tokens.token).catch(() => {}) : Promise.resolve()
  }

  // What has to happen before it is sent again; null if it is not.
  function remedy({ action, retryAfter }, sent) {
    if (action === 'login') return login.replace(sent)
    return action === 'none' || retryAfter > maxWait ? null : wait(retryAfter)
  }

  // Whoever asked before a logout is not sent with a later token.
  function twice(once, epoch, number, isFresh) {
    login.check(epoch)
    const sent = tokens.token
    return once(number, sent).then(answer => {
      const refusal = refusalOf(answer)
      const isCurrent = sent === tokens.token
      // An error may be that of a proxy, which has not looked at the token.
      if (!refusal && isCurrent && answer.statusCode < 400) login.worked(isFresh)
      if (!refusal) return answer
      const remedied = number === 1 && remedy(refusal, sent)
      if (remedied) return remedied.then(() => twice(once, epoch, 2, refusal.action === 'login'))
      const error = Object.assign(sessionError(refusal), { answer })
      // A token that is refused as soon as it was issued: for a while no login helps.
      if (refusal.action === 'login' && isFresh && isCurrent) login.failed('token', error, sent)
      throw error
    })
  }

  function send(kind, options) {
    const { epoch } = tokens
    const { url, isOurs } = address(options.url)
    const about = { id: ids += 1, kind, url: url.split('?')[0] }
    const once = (attempt, token) => {
      emit('send', Object.assign({ attempt }, about))
      return call(kind, Object.assign({}, options, { url }), token).then(answer => {
        emit('answer', Object.assign({ attempt, statusCode: answer.statusCode }, refusalOf(answer), about))
        return answer
      })
    }
    const work = options.session === false || !isOurs ? once(1, '') : ready().then(() => twice(once, epoch, 1))
    const failed = error => { emit('fail', Object.assign({}, error, about)); throw error }
    return withCallbacks(work.catch(failed), options)
  }

  return { send, ready }
}

// There is a promise in any case; whoever passes callbacks need not look at it.
function withCallbacks(promise, { success, fail, complete }) {
  const calling = callback => outcome => [callback, complete].forEach(each => each && each(outcome))
  if (success || fail || complete) promise.then(calling(success), calling(fail))
  return promise
}

module.exports = { createSend }
