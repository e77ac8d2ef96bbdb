// A clock that tests move, in whole milliseconds. Its timers stand still while the app is hidden.

class Clock {
  constructor() {
    this.wall = 1_800_000_000_000
    this.steady = 0
    this.timers = []
    this.isHidden = false
    this.shown = []
    this.now = () => this.wall
    this.setTimeout = (run, length) => this.timers.push({ at: this.steady + Math.ceil(length), run })
    this.onShow = listener => this.shown.push(listener)
  }

  // Lets time pass, timer by timer, and everything happen that follows.
  async advance(seconds) {
    const end = this.steady + Math.round(seconds * 1000)
    await settled()
    for (let next = this.next(end); next; next = this.next(end)) {
      this.pass(Math.max(next.at, this.steady))
      this.timers.splice(this.timers.indexOf(next), 1)
      next.run()
      await settled()
    }
    this.pass(end)
  }

  next(end) {
    if (this.isHidden) return undefined
    const due = this.timers.filter(({ at }) => at <= end)
    return due.sort((one, other) => one.at - other.at)[0]
  }

  pass(steady) {
    this.wall += steady - this.steady
    this.steady = steady
  }

  jump(seconds) {
    this.wall += Math.round(seconds * 1000)
  }

  hide() {
    this.isHidden = true
  }

  // Some phones lose the timers of a hidden app.
  async show({ loses = false } = {}) {
    if (loses) this.timers = this.timers.filter(({ at }) => at > this.steady)
    this.isHidden = false
    this.shown.forEach(listener => listener())
    await this.advance(0)
  }
}

// Everything has happened that can without time or another answer.
const settled = () => new Promise(setImmediate)

module.exports = { Clock, settled }
