#!/usr/bin/env bash
# Versions: MariaDB 10.11.19 (Debian's; any 10.11 will do), PyMySQL 1.2.4.
# First guess: under READ COMMITTED there are no gap locks, so DELETE ... WHERE due <= 2 by an index on due has to do with
#   the rows that it deletes and no others: a row with due = 3 that somebody has locked is none of its business.
# Behaviour: the scan finds out that the range is over by reading the first row behind it, and to read is to lock: DELETE and
#   UPDATE wait for that row, and fail by innodb_lock_wait_timeout. SELECT ... FOR UPDATE does not, because its condition is
#   pushed down to the index, and looked at before the row is locked; without index_condition_pushdown it waits, too. A LIMIT
#   of no more than there are keeps DELETE from reading on.
# Output seen:
#   row 3 is locked by another transaction; READ COMMITTED; index on due
#   DELETE WHERE due <= 2: Lock wait timeout exceeded; try restarting transaction
#   UPDATE WHERE due <= 2: Lock wait timeout exceeded; try restarting transaction
#   SELECT WHERE due <= 2 FOR UPDATE: 2 rows
#   SELECT WHERE due <= 2 FOR UPDATE, without index_condition_pushdown: Lock wait timeout exceeded; try restarting transaction
#   DELETE WHERE due <= 2 ORDER BY due LIMIT 2: 2 rows
#   DELETE WHERE due <= 2 ORDER BY due LIMIT 3: Lock wait timeout exceeded; try restarting transaction
set -euo pipefail
PATH=$PATH:/usr/sbin
found=$(mariadbd --no-defaults --version 2>/dev/null || true)
case $found in *" 10.11."*-MariaDB*) ;;
  *) echo "setup failed: this needs MariaDB 10.11 (Debian 12: apt-get install mariadb-server), and found: ${found:-none}"; exit 2 ;;
esac
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"
{ python3 -m venv v && v/bin/pip install -q --disable-pip-version-check PyMySQL==1.2.4; } || { echo "setup failed"; exit 2; }
cat > t.py <<'PY'
import pymysql, subprocess, sys, time
here, = sys.argv[1:]
subprocess.run(["mariadb-install-db", "--no-defaults", "--datadir=" + here + "/data", "--auth-root-authentication-method=normal", "--skip-test-db"],
               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
server = subprocess.Popen(["mariadbd", "--no-defaults", "--datadir=" + here + "/data", "--socket=" + here + "/socket", "--pid-file=" + here + "/pid",
                           "--skip-networking"], stderr=subprocess.DEVNULL)
def connect():
    for attempt in range(400):
        try: return pymysql.connect(unix_socket=here + "/socket", user="root", autocommit=True)
        except pymysql.err.OperationalError:
            if attempt == 399: raise
            time.sleep(.05)
def ask(connection, statement):
    with connection.cursor() as cursor: return cursor.execute(statement)
WAITED = "Lock wait timeout exceeded; try restarting transaction"
bad = 0
def tried(name, statement, expected):
    global bad
    ask(other, "BEGIN")
    try: said = f"{ask(other, statement)} rows"
    except pymysql.err.OperationalError as error: said = error.args[1]
    ask(other, "ROLLBACK")
    print(f"  {name}: {said}")
    if said != expected: print(f"CHANGED: expected {expected}"); bad = 1
try:
    holder, other = connect(), connect()
    ask(holder, "CREATE DATABASE d"); ask(holder, "CREATE TABLE d.t (id INT PRIMARY KEY, due INT, note INT, KEY (due)) ENGINE=InnoDB")
    ask(holder, "INSERT INTO d.t SELECT seq, seq, 0 FROM d.seq_1_to_1000")
    ask(holder, "BEGIN"); ask(holder, "SELECT * FROM d.t WHERE id = 3 FOR UPDATE")
    ask(other, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"); ask(other, "SET innodb_lock_wait_timeout = 1")
    print("  row 3 is locked by another transaction; READ COMMITTED; index on due")
    tried("DELETE WHERE due <= 2", "DELETE FROM d.t WHERE due <= 2", WAITED)
    tried("UPDATE WHERE due <= 2", "UPDATE d.t SET note = 1 WHERE due <= 2", WAITED)
    tried("SELECT WHERE due <= 2 FOR UPDATE", "SELECT * FROM d.t WHERE due <= 2 FOR UPDATE", "2 rows")
    ask(other, "SET optimizer_switch = 'index_condition_pushdown=off'")
    tried("SELECT WHERE due <= 2 FOR UPDATE, without index_condition_pushdown", "SELECT * FROM d.t WHERE due <= 2 FOR UPDATE", WAITED)
    tried("DELETE WHERE due <= 2 ORDER BY due LIMIT 2", "DELETE FROM d.t WHERE due <= 2 ORDER BY due LIMIT 2", "2 rows")
    tried("DELETE WHERE due <= 2 ORDER BY due LIMIT 3", "DELETE FROM d.t WHERE due <= 2 ORDER BY due LIMIT 3", WAITED)
finally: server.terminate(); server.wait()
sys.exit(bad)
PY
as=(); [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chown 65534:65534 "$T"; } # it does not run as root
nice "${as[@]}" v/bin/python t.py "$T"; echo "as described"
