// Prints the table of src/guide/clients.md: each client in front of the example server, as WeChat and as Alipay.
//
// EXAMPLE is the example server's program, NODE_PATH the folder of the packages.

const { join } = require("node:path");
const { build } = require("./bundle.cjs");
const { measured, PRESETS, REQUESTS } = require("./measure.cjs");

const AT_ONCE = 12;
const DEADLINE_MS = 120_000;
const PLATFORMS = { wx: "WeChat", my: "Alipay" };

// What the table calls it, its packages, its file in config/, the framework around it.
const CLIENTS = [
  ["Wafer 1", ["wafer-client-sdk"], "wafer1.js", "none"],
  ["Wafer 2", ["wafer2-client-sdk"], "wafer2.js", "none"],
  ["flyio", ["flyio"], "flyio.js", "uni"],
  ["luch-request", ["luch-request"], "luch-request.js", "uni"],
  ["uview-plus", ["uview-plus"], "uview-plus.js", "uni"],
  ["uni-ajax", ["uni-ajax"], "uni-ajax.js", "uni"],
  ["uni-network", ["@uni-helper/uni-network"], "uni-network.js", "uni"],
  ["alova, its documented rule", ["alova", "@alova/adapter-uniapp"], "alova-documented.js", "uni"],
  ["alova, our rule", ["alova", "@alova/adapter-uniapp"], "alova.js", "uni"],
  ["axios + @uni-helper/axios-adapter", ["axios", "@uni-helper/axios-adapter"], "axios-uni.js", "uni"],
  ["axios + axios-miniprogram-adapter", ["axios-0.26", "axios-miniprogram-adapter"], "axios-miniprogram-adapter.js", "uni"],
  ["axios-miniprogram", ["axios-miniprogram"], "axios-miniprogram.js", "uni"],
  ["Taro.request", ["@tarojs/taro"], "taro.js", "taro"],
];
const HEAD = [
  "client", "version", "as", "preset", `${REQUESTS} at once`, `${REQUESTS} one by one`,
  `${REQUESTS} while WeChat is busy`, "refused again", "logins in an outage",
];

const version = (name) => require(join(process.env.NODE_PATH, name, "package.json")).version;
// How requests end, and how several of them are said to.
const ENDS = {
  answer: "answers",
  error: "errors",
  refusal: "refusals taken for answers",
  "never ends": "never end",
};

const times = (count, one, many) => `${count} ${count === 1 ? one : many}`;

function presetsOf({ presets }) {
  if (presets.length === PRESETS.length) return "any";
  return presets.map((preset) => `\`${preset}\``).join(", ") || "none";
}

/** "20 answers, 1 login" */
function summary({ outcomes, logins, isEndless }) {
  if (isEndless) return "logs in without end";
  const ends = Object.entries(ENDS).flatMap(([one, many]) => {
    const count = outcomes.filter((outcome) => outcome === one).length;
    return count > 0 ? [times(count, one, many)] : [];
  });
  return [...ends, times(logins, "login", "logins")].join(", ");
}

function cells(result) {
  const { atOnce, oneByOne, failedLogin, secondRefusal, outage } = result;
  const others = oneByOne ? [...[oneByOne, failedLogin, secondRefusal].map(summary), outage.logins] : Array(4).fill("–");
  return [presetsOf(result), summary(atOnce), ...others];
}

async function row([name, packages, file, framework], platform) {
  const start = [name, packages.map(version).join(", "), PLATFORMS[platform]];
  if (framework === "none" && platform !== "wx") return [...start, "knows `wx` only", ...Array(5).fill("–")];
  return [...start, ...cells(await measured(await build(file, framework, platform), platform))];
}

async function rows() {
  const wanted = CLIENTS.flatMap((client) => Object.keys(PLATFORMS).map((platform) => [client, platform]));
  const measured = Array(wanted.length);
  let next = 0;
  const work = async () => {
    for (let index = next++; index < wanted.length; index = next++) measured[index] = await row(...wanted[index]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return [...measured, ["weRequest", "–", "–", "not in the npm registry", ...Array(5).fill("–")]];
}

async function main() {
  setTimeout(() => end(new Error(`not done after ${DEADLINE_MS} ms`)), DEADLINE_MS);
  const lines = [HEAD, HEAD.map(() => "---"), ...(await rows())];
  process.stdout.write(lines.map((cells) => `| ${cells.join(" | ")} |\n`).join(""), () => process.exit(0));
}

function end(error) {
  console.error(error);
  process.exit(1);
}

main().catch(end);
