// A built page with a server of its own: `seen` is what is looked at.
const { Server } = require('../miniprogram/server')
const { Browser } = require('./browser')
const { Phone } = require('./phone')
const { Site } = require('./site')

async function onPhone(folder, seen) {
  const server = await Server.start()
  const phone = Phone.open(folder, server.base)
  try {
    await seen(phone, server)
  } finally {
    phone.close()
    server.stop()
  }
}

async function inBrowser(folder, seen) {
  const server = await Server.start()
  const site = await Site.start(folder, server.base)
  const browser = await Browser.open(site.url)
  try {
    await seen(browser, server)
  } finally {
    await browser.close()
    site.stop()
    server.stop()
  }
}

module.exports = { inBrowser, onPhone }
