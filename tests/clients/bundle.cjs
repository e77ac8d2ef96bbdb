// Builds a client as uni-app and Taro do: with their runtimes, and with uni-app's conditional compilation.

const { readFile } = require("node:fs/promises");
const { join } = require("node:path");
const vm = require("node:vm");
const esbuild = require("esbuild");
const { preprocess } = require("@dcloudio/uni-cli-shared/lib/preprocess");

// What uni-app, its `#ifdef` and Taro call the platforms.
const PLATFORMS = {
  wx: { uni: "weixin", symbol: "MP_WEIXIN", taro: "weapp" },
  my: { uni: "alipay", symbol: "MP_ALIPAY", taro: "alipay" },
};
// What a project can ask Taro for.
const TARO_EXTRAS = ["INNER_HTML", "ADJACENT_HTML", "TEMPLATE_CONTENT", "CLONE_NODE", "CONTAINS", "SIZE_APIS", "MUTATION_OBSERVER"];

/** What is there before the client: the framework's runtime. */
const runtime = {
  none: () => "",
  uni: ({ uni }) => `import uni from "@dcloudio/uni-mp-${uni}/dist/uni.api.esm.js"; globalThis.uni = uni`,
  taro: ({ taro }) => `
    import "taro scope"
    import "@tarojs/plugin-platform-${taro}/dist/runtime"`,
};
const TARO_SCOPE = `import { document, navigator, window } from "@tarojs/runtime"; Object.assign(globalThis, { document, navigator, window })`;

async function build(file, framework, platform) {
  const names = PLATFORMS[platform];
  const built = await esbuild.build({
    stdin: { contents: `import "runtime"; export { me } from "./config/${file}"`, resolveDir: __dirname },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "client",
    platform: "browser",
    target: "es2020",
    logLevel: "error",
    nodePaths: [process.env.NODE_PATH],
    alias: { vue: "@dcloudio/uni-mp-vue" },
    define: {
      global: "globalThis",
      "process.env": JSON.stringify({ NODE_ENV: "production", TARO_PLATFORM: "mini", TARO_ENV: names.taro }),
      ...Object.fromEntries(TARO_EXTRAS.map((name) => [`ENABLE_${name}`, "false"])),
    },
    plugins: [
      written("runtime", runtime[framework](names)),
      written("taro scope", TARO_SCOPE),
      conditional({ VUE3: true, MP: true, [names.symbol]: true }),
      extended,
    ],
  });
  return new vm.Script(built.outputFiles[0].text, { filename: `${file} as ${platform}` });
}

/** A module whose text is written here. */
const written = (name, contents) => ({
  name,
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: name, namespace: name }));
    onLoad({ filter: /.*/, namespace: name }, () => ({ contents, resolveDir: __dirname }));
  },
});

const conditional = (symbols) => ({
  name: "conditional compilation",
  setup({ onLoad }) {
    onLoad({ filter: /\/(uview-plus|luch-request)\/.*\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      return { contents: preprocess(source, symbols, { type: "js" }) };
    });
  },
});

// @uni-helper/axios-adapter leaves the extension out; Vite, which uni-app builds with, takes that.
const extended = {
  name: "extension",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^axios\/unsafe\// }, ({ path, kind, resolveDir }) =>
      path.endsWith(".js") ? undefined : resolve(`${path}.js`, { kind, resolveDir }));
  },
};

/** A mini program that has just been opened on a phone. */
function open(script, phone) {
  const scope = vm.createContext(phone.globals());
  script.runInContext(scope);
  return vm.runInContext("client", scope);
}

module.exports = { build, open };
