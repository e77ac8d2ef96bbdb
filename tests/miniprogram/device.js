// A phone with the package on it, and a clock.
const { Clock } = require('./clock')
const { Phone } = require('./phone')
const { fresh } = require('./fresh')

const BASE = 'https://api.example.com'

// A test looks at a promise when all is over: until then its rejection is nobody's.
const late = promise => {
  promise.catch(() => {})
  return promise
}

function sessionOn(phone, options = {}, { createSession } = fresh()) {
  const session = createSession({ platform: phone.platform, baseUrl: BASE, ...options })
  const named = ['request', 'uploadFile', 'downloadFile', 'login', 'logout']
  const lates = named.map(name => [name, given => late(session[name](given))])
  return { ...session, ...Object.fromEntries(lates) }
}

function start(options, storage) {
  const clock = new Clock()
  const phone = new Phone(clock, storage)
  return { clock, phone, session: sessionOn(phone, options) }
}

// One whose login is a minute ago.
async function loggedIn(options) {
  const device = start(options)
  const login = device.session.login()
  await device.phone.answerAll()
  await login
  await device.clock.advance(60)
  device.phone.log.length = 0
  return device
}

const me = (session, count) => Array.from({ length: count }, () => session.request({ url: '/me' }))
const reasons = async promises => (await Promise.allSettled(promises)).map(({ reason }) => reason?.reason)

module.exports = { BASE, late, sessionOn, start, loggedIn, me, reasons }
