// A phone with a built mini program on it: WeChat's own compiler for the pages, its simulator for what they show, and
// real HTTP below. One phone in a process: the simulator is global.
const fs = require('node:fs')
const path = require('node:path')
const { JSDOM } = require('jsdom')
const { Device, wechat } = require('../miniprogram/shims')

const { window } = new JSDOM('', { pretendToBeVisual: true })
const { document, Event, CustomEvent } = window
Object.assign(globalThis, { window, document, Event, CustomEvent })
const simulate = require('miniprogram-simulate')

const API = 'https://api.example.com'
const SYSTEM = {
  language: 'zh_CN', platform: 'devtools', system: 'iOS 17.0', SDKVersion: '3.0.0', windowWidth: 375, windowHeight: 667, pixelRatio: 2,
}

// What the platform offers; `API` is at `base`.
function platform(device, base) {
  const api = wechat(device)
  const at = call => options => api[call]({ ...options, url: options.url.replace(API, base) })
  const system = () => SYSTEM
  return {
    ...api, request: at('request'), canIUse: () => false, setStorage() {},
    getLaunchOptionsSync: () => ({}), getEnterOptionsSync: () => ({}),
    getSystemInfoSync: system, getWindowInfo: system, getDeviceInfo: system, getAppBaseInfo: system,
  }
}

class Phone {
  static open(root, base) {
    let app
    Object.assign(globalThis, {
      wx: platform(new Device('alice'), base),
      App: given => { app = given },
      getApp: () => app,
      getCurrentPages: () => [],
      Page: asComponent,
    })
    require(path.join(root, 'app.js'))
    app.onLaunch({})
    const { pages } = JSON.parse(fs.readFileSync(path.join(root, 'app.json')))
    const phone = Object.assign(new Phone(), { root, pages })
    phone.go(pages[0])
    return phone
  }

  go(page) {
    this.shown?.detach()
    this.shown = simulate.render(simulate.load(path.join(this.root, page), { rootPath: this.root, compiler: 'official' }))
    this.shown.attach(document.body)
  }

  text(selector) {
    return this.shown.querySelector(selector)?.dom.textContent
  }

  tap(selector) {
    this.shown.querySelector(selector).dispatchEvent('tap')
  }

  close() {
    window.close()
  }
}

// The simulator knows components only; a page is one with other names for its life.
function asComponent({ data, ...methods }) {
  const attached = function () { methods.onLoad?.call(this, {}); methods.onShow?.call(this) }
  const ready = function () { methods.onReady?.call(this) }
  Component({ data, methods, lifetimes: { attached, ready } })
}

module.exports = { Phone }
