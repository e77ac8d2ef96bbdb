// Requests as mini programs send them.

const http = require("node:http");

const agent = new http.Agent({ keepAlive: true });

/** What a platform makes of its options: an object is a query, a form or JSON. */
function encoded({ url, method = "GET", data }, headers = {}, defaultType) {
  method = method.toUpperCase();
  headers = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  headers["content-type"] ||= defaultType;
  const isObject = typeof data === "object" && data !== null;
  if (!isObject) return { url, method, headers, body: data };
  const form = new URLSearchParams(data).toString();
  if (method === "GET") return { url: form ? `${url}${url.includes("?") ? "&" : "?"}${form}` : url, method, headers };
  const isForm = headers["content-type"].includes("form-urlencoded");
  return { url, method, headers, body: isForm ? form : JSON.stringify(data) };
}

function send({ url, method, headers, body }) {
  return new Promise((done, failed) => {
    const request = http.request(url, { method, headers, agent }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      const { statusCode: status, headers } = answer;
      done({ status, headers, text: Buffer.concat(chunks).toString() });
    });
    request.on("error", failed);
    request.end(body);
  });
}

/** JSON if it is that. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

module.exports = { encoded, parsed, send };
