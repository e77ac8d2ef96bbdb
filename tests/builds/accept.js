// Has WeChat's own tool take a mini program as it does before an upload: prints the files that it would send.
// What it asks WeChat for, such as limits of the account, are its own defaults here, and nothing is sent.
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

// It talks on standard output as soon as it is loaded.
console.log = console.info = console.error
const ci = require('miniprogram-ci')
ci.proxy('http://127.0.0.1:9')

async function accept(projectPath) {
  const settings = { appid: 'wx0000000000000000', type: 'miniProgram', privateKey: 'none', projectPath }
  const project = new ci.Project(settings)
  project.attr = async () => ci.DefaultProjectAttr
  const { pages } = await ci.getAppJSON(project)
  for (const pagePath of pages) await ci.getPageJSON(project, { miniprogramRoot: '', pagePath })
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tower-wx-session-accept-'))
  try {
    const setting = { es6: true, minify: true, codeProtect: false }
    return Object.keys(await ci.getCompiledResult({ project, version: '1', setting }, path.join(folder, 'program.zip')))
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

// It does not end by itself.
accept(path.resolve(process.argv[2])).then(
  files => process.stdout.write(JSON.stringify(files), () => process.exit()),
  error => { process.stderr.write(`${error.stack || error}\n`, () => process.exit(1)) },
)
