#!/usr/bin/env bash
# Versions: MariaDB 10.11.19 (Debian's; any 10.11 will do), PyMySQL 1.2.4.
# First guess: who wants to know whether a session waits for a row lock asks information_schema.innodb_trx again and again
#   until trx_state is LOCK WAIT; the faster, the sooner it is seen.
# Behaviour: the table is a picture that is made anew only when nobody has read it for 100 ms. Who reads it again and again
#   without a pause never sees a wait that began meanwhile, however long it lasts, and goes on to see one that is long over.
#   Nor does anyone else see it: the picture is the server's, so one monitor without a pause blinds all others.
# How: a session waits for a row for seconds, another asks. Where more than 80 ms were between two questions (a busy
#   machine), it is measured again.
# Output seen (figures vary):
#   asked without a pause, while a session waits: 16562 times, LOCK WAIT in 0
#   asked every 150 ms by another, while the first goes on: 10 times, LOCK WAIT in 0
#   asked every 150 ms, by one alone: 10 times, LOCK WAIT in 10
#   asked without a pause, after the wait has ended: 8903 times, LOCK WAIT in 8903
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
import pymysql, subprocess, sys, threading, time
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
def row(name, figures, expected):
    global bad
    times, seen = figures
    print(f"  {name}: {times} times, LOCK WAIT in {seen}")
    if seen != {"none": 0, "all": times}[expected]: print(f"CHANGED: {name}: expected it in {expected}"); bad = 1
def waits(connection): return ask(connection, "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")[0][0]
class Monitor:
    """Asks without a pause, until it is told to stop."""
    def __init__(self):
        self.goes_on, self.answers, self.gap = True, [], 0
        self.connection = connect(); self.thread = threading.Thread(target=self.run); self.thread.start()
        while not self.answers: time.sleep(.01)
    def run(self):
        last = time.monotonic()
        while self.goes_on:
            self.answers.append(waits(self.connection))
            now = time.monotonic(); self.gap = max(self.gap, now - last); last = now
    def stop(self): self.goes_on = False; self.thread.join(); return len(self.answers), sum(self.answers)
def every_150_ms(connection):
    answers = [waits(connection) for _ in range(10) if time.sleep(.15) is None]
    return len(answers), sum(answers)
def is_waiting(connection):  # by another way
    return any(info == lock for info, in ask(connection, "SELECT info FROM information_schema.processlist"))
def measure():
    """The figures, and the longest time between two questions that were to have no pause between them."""
    ask(holder, "BEGIN"); ask(holder, lock)
    time.sleep(.3)
    monitor = Monitor()
    waiter = threading.Thread(target=ask, args=(connect(), lock)); waiter.start()
    while not is_waiting(other): time.sleep(.01)
    time.sleep(.2)
    of_other = every_150_ms(other)
    of_monitor = monitor.stop()
    time.sleep(.3)
    alone = every_150_ms(other)
    after = Monitor(); ask(holder, "ROLLBACK"); waiter.join()
    after.answers.clear(); time.sleep(1.5)
    return (of_monitor, of_other, alone, after.stop()), max(monitor.gap, after.gap)
try:
    holder, other = connect(), connect()
    ask(holder, "CREATE DATABASE d"); ask(holder, "CREATE TABLE d.t (id INT PRIMARY KEY) ENGINE=InnoDB"); ask(holder, "INSERT INTO d.t VALUES (1)")
    lock = "SELECT * FROM d.t WHERE id = 1 FOR UPDATE"
    for _ in range(8):
        (of_monitor, of_other, alone, after), gap = measure()
        if gap < .08: break
    else: print("setup failed: the machine is too busy to ask without a pause"); sys.exit(2)
    row("asked without a pause, while a session waits", of_monitor, "none")
    row("asked every 150 ms by another, while the first goes on", of_other, "none")
    row("asked every 150 ms, by one alone", alone, "all")
    row("asked without a pause, after the wait has ended", after, "all")
finally: server.terminate(); server.wait()
sys.exit(bad)
PY
as=(); [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chown 65534:65534 "$T"; } # it does not run as root
nice "${as[@]}" v/bin/python t.py "$T"; echo "as described"
