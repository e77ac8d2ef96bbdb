// Alipay's own SDK. Reads {clients: [{config, codes, requests}]} and answers, for each client, what the SDK
// understood of a login with each code, and what it signs of each request.
const path = require('node:path');
const { AlipaySdk } = require('alipay-sdk');

// The package does not export it.
const { sign } = require(path.join(require.resolve('alipay-sdk'), '..', 'util.js'));

async function logIn(sdk, code) {
  try {
    const login = { grantType: 'authorization_code', code };
    return await sdk.exec('alipay.system.oauth.token', login, { validateSign: true });
  } catch (error) {
    return { error: error.message };
  }
}

async function answer({ config, codes, requests }) {
  const sdk = new AlipaySdk(config);
  const logins = [];
  for (const code of codes) logins.push(await logIn(sdk, code));
  const signed = requests.map(({ method, ...rest }) => sign(method, rest, sdk.config));
  return { logins, signed };
}

async function main() {
  let input = '';
  for await (const chunk of process.stdin) input += chunk;
  const answers = [];
  for (const client of JSON.parse(input).clients) answers.push(await answer(client));
  process.stdout.write(JSON.stringify(answers));
}

main();
