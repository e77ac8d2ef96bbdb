module.exports = {
  projectName: 'session',
  date: '2026-1-1',
  designWidth: 750,
  deviceRatio: { 750: 1 },
  sourceRoot: 'src',
  outputRoot: `dist/${process.env.TARO_ENV}`,
  framework: 'react',
  compiler: 'vite',
  mini: {},
  h5: { publicPath: '/', staticDirectory: 'static', router: { mode: 'hash' } },
}
