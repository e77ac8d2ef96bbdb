// What happened, by story: what the phone did and, beside it, what the server says about that very request.

import { words } from './words.js'

const KEPT = 20

// The newest comes first. A story has rows; a lever is a sentence only.
const items = []
// What the server says about a request, by the number that the phone gave it.
export const told = new Map()

function add(item) {
  items.unshift(item)
  items.length = Math.min(items.length, KEPT)
  return item
}

export const lever = name => add({ lever: name })

export function story(title) {
  return add({ title, rows: new Map(), asked: 0, answered: 0, logins: 0, sent: 0, isOver: false })
}

// Rows that say the same become one with a number before it.
export function row(story, what) {
  const key = JSON.stringify(what)
  const same = story.rows.get(key) || Object.assign({ times: 0, calls: [] }, what)
  same.times += 1
  story.rows.set(key, same)
  return same
}

// Where the checks of these requests were answered: `hit table 19, store 1`.
function found(calls) {
  const counts = {}
  calls.forEach(call => {
    const { answered_by: place } = told.get(call) || {}
    if (place) counts[place] = (counts[place] || 0) + 1
  })
  const names = Object.keys(counts)
  const count = name => `${words.all.places[name]}${calls.length > 1 ? ` ${counts[name]}` : ''}`
  return names.length ? `${words.all.found}: ${names.map(count).join(', ')}` : ''
}

export function element(name, className, text) {
  const made = document.createElement(name)
  if (className) made.className = className
  if (text) made.textContent = text
  return made
}

function drawnRow({ times, device, path, attempt, status, reason, action, text, detail, calls }) {
  const line = element('li', status >= 400 ? 'refused' : status ? 'passed' : 'note')
  const of = [times > 1 ? `${times} ×` : '', device ? `[${words.all[device]}]` : '']
  const what = path ? `${path}${attempt > 1 ? ` (${words.all.again})` : ''}` : saying(text, detail)
  line.append(element('span', 'what', [...of, what].filter(Boolean).join(' ')))
  if (status) line.append(element('span', 'answer', [status, reason, action && `→ ${action}`].filter(Boolean).join(' ')))
  line.append(element('span', 'found quiet', found(calls)))
  return line
}

function saying(text, detail) {
  const says = words.all[text]
  return typeof says === 'function' ? says(detail) : says
}

function drawn(item) {
  if (item.lever) return element('li', 'lever', words.all.did[item.lever])
  const made = element('li', 'story')
  made.append(element('h3', '', words.all[item.title]))
  const summary = item.isOver ? words.all.summary(item) : words.all.under_way
  if (item.title !== 'someone') made.append(element('p', 'summary', summary))
  const rows = element('ol')
  item.rows.forEach(row => rows.append(drawnRow(row)))
  made.append(rows)
  return made
}

export function draw(list) {
  const fresh = list.cloneNode(false)
  fresh.append(...items.map(drawn))
  // Where nothing is new, a reader's selection stays.
  if (fresh.innerHTML !== list.innerHTML) list.replaceChildren(...fresh.childNodes)
}

// A request that no phone of this page has sent.
export function foreign({ method, path, status, reason, action, call }) {
  const last = items[0] && items[0].title === 'someone' ? items[0] : story('someone')
  last.isOver = true
  row(last, { path: `${method} ${path}`, status, reason, action }).calls.push(call)
}
