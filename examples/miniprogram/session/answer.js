// What an answer of the server asks for. Nothing here keeps state.

const ACTIONS = ['login', 'retry', 'none']
// A refusal is some hundred bytes: what is longer is the application's, and is not parsed.
const LONGEST_REFUSAL = 1024

// Alipay and DingTalk say `status` and `headers`, and give whatever is not 200 to `fail`.
function uniform(answer) {
  const { statusCode, status, header, headers } = Object(answer)
  return Object.assign({}, answer, { statusCode: Number(statusCode || status) || 0, header: header || headers || {} })
}

// Phones differ in the case of header names, and some libraries give lists of values.
function headerOf({ header }, name) {
  const key = Object.keys(header).find(other => other.toLowerCase() === name)
  return key ? String(header[key]) : ''
}

// The body as an object: an upload gets it as text, and `responseType: 'arraybuffer'` as bytes.
function bodyOf({ data }) {
  try {
    if (data.byteLength < LONGEST_REFUSAL) data = String.fromCharCode.apply(null, new Uint8Array(data))
    if (typeof data === 'string' && data.length < LONGEST_REFUSAL) data = JSON.parse(data)
  } catch (notJson) {}
  return Object(data)
}

// An application's own body may have an `action`, too; all three together are ours.
const isRefusal = ({ errcode, reason, action }) =>
  typeof errcode === 'number' && typeof reason === 'string' && ACTIONS.indexOf(action) >= 0

const isObject = body => Object.prototype.toString.call(body) === '[object Object]' && Object.keys(body).length > 0

// Some proxies and libraries lose the body and keep the headers, or keep nothing but the status. A 401 with a
// body of JSON is the application's own, such as a wrong PIN.
function actionWithoutBody(answer, body) {
  const action = headerOf(answer, 'x-wx-action')
  if (ACTIONS.indexOf(action) >= 0) return action
  const challenge = headerOf(answer, 'www-authenticate')
  const isForBearer = /^bearer/i.test(challenge) && !/invalid_request|insufficient_scope/.test(challenge)
  return isForBearer || (!challenge && answer.statusCode === 401 && !isObject(body)) ? 'login' : ''
}

// The refusal in an answer; null if the answer is the application's.
function refusalOf(answer) {
  const { statusCode } = answer
  const body = bodyOf(answer)
  const action = isRefusal(body) ? body.action : actionWithoutBody(answer, body)
  // A fault of the server or a limit sends nobody to the login, whatever else it says.
  if (!action || (action === 'login' && (statusCode >= 500 || statusCode === 429))) return null
  const retryAfter = action === 'retry' ? Number(headerOf(answer, 'retry-after')) || 1 : 0
  const { reason = 'unauthorized', errmsg: errMsg = `HTTP ${statusCode}` } = body
  return { action, statusCode, retryAfter, reason, errMsg }
}

// What every promise of this package rejects with. No token is in it.
function sessionError({ reason, action = 'none', statusCode = 0, retryAfter = 0, errMsg = reason }) {
  return Object.assign(new Error(errMsg), { name: 'SessionError', reason, action, statusCode, retryAfter, errMsg })
}

module.exports = { uniform, bodyOf, refusalOf, sessionError }
