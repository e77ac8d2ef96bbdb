// The page: its buttons, and the server's view.

import { words } from './words.js'
import * as timeline from './timeline.js'
import { createDevice, inStory, isMine } from './phone.js'

const REFRESH = 1000
const $ = id => document.getElementById(id)

const phone = createDevice({ changed: refreshSoon })
const kept = new Map()
const storage = { get: key => kept.get(key), set: (key, text) => kept.set(key, text) }
const second = createDevice({ name: 'second_device', storage, changed: refreshSoon })

let server = null
let shown = { openid: '', error: null }
// Stories and levers under way: the phone waits for them.
let busy = 0
let lastNumber = 0
const counts = {}

// The phone.

async function run(device, title, work) {
  busy += 1
  draw()
  const { answer, error } = await inStory(device, title, work).finally(() => { busy -= 1 })
  if (device === phone) shown = { openid: answer && answer.data ? answer.data.openid : shown.openid, error }
  if (error && error.reason === 'logged_out') shown.openid = ''
  refreshSoon()
}

const me = ask => ask({ url: '/me' })
const twenty = async ask => {
  const all = await Promise.allSettled(Array.from({ length: 20 }, () => me(ask)))
  const failed = all.find(({ status }) => status === 'rejected')
  if (failed) throw failed.reason
  return all[0].value
}
const logIn = async (ask, session) => {
  await session.login()
  return me(ask)
}
const everywhere = async (ask, session) => {
  await ask({ url: '/logout_everywhere', method: 'POST' })
  await session.logout()
  shown.openid = ''
}

const stories = { me, twenty, log_in: logIn, everywhere }
const titles = { log_in: 'logIn' }
Object.keys(stories).forEach(id => {
  $(id).onclick = () => run(phone, titles[id] || id, stories[id])
})
$('second').onclick = () => run(second, 'second', (_, session) => session.login())

// The server.

async function pull(name, path, body = {}) {
  busy += 1
  draw()
  const headers = { 'Content-Type': 'application/json' }
  try {
    const { ok } = await fetch(`/demo/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (ok) timeline.lever(name)
  } finally {
    busy -= 1
    await refresh()
  }
}

$('idle').onclick = () => pull('idle', 'idle_out')
// A little longer than known sessions pass without the store.
$('minute').onclick = () => pull('minute', 'advance', { seconds: 61 })
$('kick').onclick = () => pull('kick', 'kick_out')
$('store').onclick = () => {
  const state = server.store === 'up' ? 'down' : 'up'
  return pull(state, 'store', { state })
}
$('wechat').onclick = () => {
  const state = server.wechat === 'ok' ? 'busy' : 'ok'
  return pull(state, 'wechat', { state })
}

const fetched = async path => (await fetch(path)).json()

let refreshing = null
function refresh() {
  refreshing = refreshing || look().catch(() => {}).then(() => { refreshing = null })
  return refreshing
}

async function look() {
  server = await fetched('/demo/state')
  const isFirst = lastNumber === 0
  for (const entry of await fetched(`/demo/requests/${lastNumber}`)) take(entry, isFirst)
  draw()
}

function take(entry, isFirst) {
  const { number, call, verdict, answered_by: place } = entry
  lastNumber = number
  if (verdict) counts[`${verdict} ${place}`] = (counts[`${verdict} ${place}`] || 0) + 1
  const name = call || `#${number}`
  timeline.told.set(name, entry)
  // What was there before the page was opened is counted, and no story of this page.
  if (!isMine(call) && !isFirst) timeline.foreign(Object.assign({}, entry, { call: name }))
}

let soon = null
function refreshSoon() {
  soon = soon || setTimeout(() => {
    soon = null
    refresh()
  }, 50)
}

// What is shown.

function draw() {
  const text = words.all
  document.documentElement.lang = words.language === 'zh' ? 'zh-CN' : 'en'
  document.querySelectorAll('[data-text]').forEach(each => { each.textContent = text[each.dataset.text] })
  $('language').textContent = text.other
  drawPhone(text)
  for (const id of ['store', 'wechat']) $(id).disabled = !server
  if (server) drawServer(text)
  timeline.draw($('timeline'))
}

function drawPhone(text) {
  const { openid, error } = shown
  $('who').textContent = openid ? text.loggedIn(`${openid.slice(0, 10)}…`) : text.nobody
  $('said').textContent = error ? text.errors[error.reason] || error.reason : ''
  const isOut = !openid
  for (const id of [...Object.keys(stories), 'second']) $(id).disabled = busy > 0
  $('log_in').hidden = !isOut
  $('everywhere').hidden = isOut
}

function drawServer(text) {
  const { store, wechat, exchanges, sessions } = server
  const isGood = [store === 'up', wechat === 'ok', true]
  $('state').replaceChildren(...text.state(store, wechat, exchanges).map((words, index) =>
    timeline.element('span', isGood[index] ? 'chip' : 'chip bad', words)))
  $('store').textContent = store === 'up' ? text.stopStore : text.startStore
  $('wechat').textContent = wechat === 'ok' ? text.busyWeChat : text.freeWeChat
  $('live').replaceChildren(...liveLines(sessions, text))
  drawVerdicts(text)
}

function liveLines(sessions, text) {
  if (!sessions) return [timeline.element('li', 'quiet', text.untold)]
  if (!sessions.length) return [timeline.element('li', 'quiet', text.none)]
  return sessions.map(({ id, idle_expires_at: end }) => {
    const line = timeline.element('li')
    const minutes = Math.max(0, Math.ceil((end - server.now) / 60))
    line.append(timeline.element('code', '', `${id.slice(0, 12)}…`))
    line.append(timeline.element('span', 'quiet', text.ends(minutes)))
    return line
  })
}

function drawVerdicts(text) {
  const places = Object.keys(text.places)
  const rows = Object.keys(text.verdict).map(verdict =>
    [text.verdict[verdict], ...places.map(place => String(counts[`${verdict} ${place}`] || 0))])
  $('verdicts').replaceChildren(...[['', ...places.map(place => text.places[place])], ...rows].map((cells, index) => {
    const line = timeline.element('tr')
    line.append(...cells.map((cell, column) => timeline.element(index && column ? 'td' : 'th', '', cell)))
    return line
  }))
}

$('language').onclick = () => {
  words.change()
  draw()
}

draw()
run(phone, 'opened', me)
setInterval(() => document.hidden || refresh(), REFRESH)
