// Runs what comes before it, the README's client, against a server whose answers come one by one
// or all at once. Prints how often it logged in.
const storage = { token: 'old' }
const answers = []
let logins = 0
const wx = {
  getStorageSync: name => storage[name],
  setStorageSync: (name, value) => { storage[name] = value },
  login: async () => ({ code: 'a fresh code' }),
  request({ url, header, success }) {
    const sent = header.Authorization
    answers.push(() => {
      if (url.endsWith('/login')) {
        logins += 1
        return success({ statusCode: 200, header: {}, data: { token: `new-${logins}` } })
      }
      const good = sent === `Bearer new-${logins}`
      const data = good ? { name: 'alice' } : { action: 'login' }
      success({ statusCode: good ? 200 : 401, header: {}, data })
    })
  },
}

// Has everything happen that can without another answer.
const settled = () => new Promise(done => setImmediate(done))

async function whatFollows() {
  for (await settled(); answers.length; await settled()) answers.splice(0).forEach(answer => answer())
}

async function serve(inOneGo) {
  storage.token = 'old'
  logins = 0
  const requests = [1, 2, 3].map(() => request({ url: 'https://api.example.com/me' }))
  // The three are refused: in one go, or each when all is over that came of the one before.
  const refusals = answers.splice(0)
  for (const refuse of refusals) {
    refuse()
    if (!inOneGo) await whatFollows()
  }
  await whatFollows()
  const done = await Promise.all(requests)
  return `${logins} login, ${done.map(({ data }) => data.name).join(' ')}`
}

(async () => {
  console.log(await serve(true))
  console.log(await serve(false))
})()
