// What request libraries call of a platform.

const { encoded, parsed } = require("./http.cjs");

const nothing = () => {};
const task = { abort: nothing, onHeadersReceived: nothing, offHeadersReceived: nothing };

/** `wx`: whatever has a status is a success. */
function wechat(phone) {
  const { storage } = phone;
  return {
    request(options) {
      const sent = encoded(options, options.header, "application/json");
      phone.request(sent, ({ status, headers, text }) => {
        const data = options.dataType === undefined || options.dataType === "json" ? parsed(text) : text;
        succeed(options, { errMsg: "request:ok", statusCode: status, header: titled(headers), data, cookies: [] });
      });
      return task;
    },
    login: (options) => phone.logIn((code) => succeed(options, { errMsg: "login:ok", code })),
    checkSession: (options) => succeed(options, { errMsg: "checkSession:ok" }),
    getUserInfo: (options) => succeed(options, { encryptedData: "data", iv: "iv", userInfo: { nickName: "Alice" } }),
    getStorageSync: (key) => storage.get(key) ?? "",
    setStorageSync: (key, value) => void storage.set(key, value),
    removeStorageSync: (key) => void storage.delete(key),
    getSystemInfoSync: () => ({ language: "zh_CN", platform: "android" }),
    canIUse: () => true,
    uploadFile: nothing,
    downloadFile: nothing,
    onSocketOpen: nothing,
    onSocketMessage: nothing,
    onSocketError: nothing,
    onSocketClose: nothing,
  };
}

/** `my`: every status but 200 is a failure. */
function alipay(phone) {
  const { storage } = phone;
  const request = (defaultType) => (options) => {
    const sent = encoded(options, options.headers, defaultType);
    phone.request(sent, ({ status, headers, text }) => {
      const isJson = options.dataType === undefined || options.dataType.toUpperCase() === "JSON";
      const answer = { status, headers, data: isJson ? parsed(text) : text };
      if (status === 200) return succeed(options, answer);
      fail(options, { error: 19, errorMessage: "http status error", ...answer });
    });
    return task;
  };
  return {
    request: request("application/json"),
    httpRequest: request("application/x-www-form-urlencoded"),
    getAuthCode: (options) => phone.logIn((authCode) => succeed(options, { authCode, authSuccessScopes: [] })),
    getStorageSync: ({ key }) => ({ data: storage.get(key) ?? null, success: true }),
    setStorageSync: ({ key, data }) => void storage.set(key, data),
    removeStorageSync: ({ key }) => void storage.delete(key),
    getSystemInfoSync: () => ({ language: "zh-Hans", platform: "Android", app: "alipay" }),
    canIUse: (name) => name !== "saveFileToDingTalk",
    uploadFile: nothing,
    downloadFile: nothing,
  };
}

function succeed({ success, complete }, answer) {
  success?.(answer);
  complete?.(answer);
}

function fail({ fail, complete }, answer) {
  fail?.(answer);
  complete?.(answer);
}

/** Some phones change the case of header names. */
function titled(headers) {
  const title = (name) => name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [title(name), value]));
}

module.exports = { alipay, wechat };
