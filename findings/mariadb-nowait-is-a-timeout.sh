#!/usr/bin/env bash
# Versions: MariaDB 10.11.19 (Debian's; any 10.11 will do), PyMySQL 1.2.4.
# First guess: SELECT ... FOR UPDATE NOWAIT on a locked row is error 3572 (ER_LOCK_NOWAIT), as in MySQL 8, and 1205
#   (ER_LOCK_WAIT_TIMEOUT) says that innodb_lock_wait_timeout has passed: so "try again on 1205" is slow by itself.
# Behaviour: NOWAIT is 1205 too, at once, with the words of a wait that has timed out. Nothing in the answer tells the two
#   apart, only the time that it took, so what tries again on 1205, as its text says to, tries thousands of times a second.
#   As after a real time-out the transaction goes on: what it wrote before is still there.
# Output seen (figures vary):
#   innodb_lock_wait_timeout = 2: 1205 'Lock wait timeout exceeded; try restarting transaction' after 2.0 s
#   NOWAIT, where that is 50: 1205 'Lock wait timeout exceeded; try restarting transaction' after 0.0 s
#   NOWAIT, tried again on 1205: 7230 tries in a second
#   the transaction that was refused: has its earlier write
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
    with connection.cursor() as cursor: cursor.execute(statement); return cursor.fetchall()
bad = 0
def row(line, as_seen):
    global bad
    print(f"  {line}")
    if not as_seen: print("CHANGED: that is not what was seen"); bad = 1
def refused(connection, statement):
    start = time.monotonic()
    try: ask(connection, statement); error = (0, "no error")
    except pymysql.err.MySQLError as raised: error = raised.args
    return *error, time.monotonic() - start
try:
    holder, other = connect(), connect()
    ask(holder, "CREATE DATABASE d"); ask(holder, "CREATE TABLE d.t (id INT PRIMARY KEY) ENGINE=InnoDB"); ask(holder, "INSERT INTO d.t VALUES (1)")
    ask(holder, "BEGIN"); ask(holder, "SELECT * FROM d.t WHERE id = 1 FOR UPDATE")
    wait = "SELECT * FROM d.t WHERE id = 1 FOR UPDATE"; nowait = wait + " NOWAIT"
    ask(other, "SET innodb_lock_wait_timeout = 2")
    number, words, took = refused(other, wait)
    row(f"innodb_lock_wait_timeout = 2: {number} '{words}' after {took:.1f} s", number == 1205 and took > 1)
    ask(other, "SET innodb_lock_wait_timeout = 50")
    ask(other, "BEGIN"); ask(other, "INSERT INTO d.t VALUES (2)")
    number, same_words, took = refused(other, nowait)
    row(f"NOWAIT, where that is 50: {number} '{same_words}' after {took:.1f} s", number == 1205 and same_words == words and took < 10)
    tries, start = 0, time.monotonic()
    while time.monotonic() - start < 1 and refused(other, nowait)[0] == 1205: tries += 1
    row(f"NOWAIT, tried again on 1205: {tries} tries in a second", tries > 20)
    kept = ask(other, "SELECT * FROM d.t WHERE id = 2")
    row(f"the transaction that was refused: has {'its earlier write' if kept else 'nothing'}", kept)
finally: server.terminate(); server.wait()
sys.exit(bad)
PY
as=(); [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chown 65534:65534 "$T"; } # it does not run as root
nice "${as[@]}" v/bin/python t.py "$T"; echo "as described"
