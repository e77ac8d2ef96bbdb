// Signs and checks launch data as the published package for Telegram's Mini Apps does.
//
// Reads {"token", "sign": [[init data as an object, seconds since 1970], …], "check": [init data, …]}
// from stdin, and writes the signed texts, then for each to check its user's id, or null if it is
// refused.

const { isValid, parse, sign } = require("@tma.js/init-data-node");

const { token, sign: toSign, check } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const signed = toSign.map(([data, seconds]) => sign(data, token, new Date(seconds * 1000)));
const users = check.map((text) => (isValid(text, token, { expiresIn: 3600 }) ? parse(text).user.id : null));
process.stdout.write(JSON.stringify([...signed, ...users]));
