// The package as a device that has just started has it: nothing of another test is in its memory.
const path = require('node:path')

const folder = path.resolve(__dirname, '../../examples/miniprogram/session')

function fresh() {
  const files = Object.keys(require.cache).filter(file => file.startsWith(folder))
  files.forEach(file => delete require.cache[file])
  return require(folder)
}

module.exports = { folder, fresh }
