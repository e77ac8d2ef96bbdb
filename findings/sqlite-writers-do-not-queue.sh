#!/usr/bin/env bash
# Versions: apsw 3.46.1.0, which holds SQLite 3.46.1.
# First guess: ten connections write to one SQLite file, in WAL mode and with a busy timeout of 5 s. A commit takes a few ms, so a
#   write waits for nine others, some 30 ms, and none comes near the timeout.
# Behaviour: nobody queues. Who finds the file locked sleeps, in the end 100 ms at a time, and looks again; who has just committed
#   writes again at once and finds it free. A few writers have it for seconds, and some waits are a hundred times as long as in a
#   queue. Now and then one reaches the timeout, and what was to be saved is not: "database is locked". One connection for all
#   writes has no such waits.
# Output seen (10 s each; how long a write took at the most, in times of what it would in a queue; disks differ):
#   1 writer for 10: 3 times, 10 writers: 112 times
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"; { python3 -m venv v && v/bin/pip install -q --disable-pip-version-check apsw==3.46.1.0; } || { echo "setup failed"; exit 2; }
cat > t.py <<'PY'
import apsw, multiprocessing, sys, time
WRITERS, SECONDS = 10, 10
def opened():
    connection = apsw.Connection("sessions.db"); connection.set_busy_timeout(5000)
    connection.execute("PRAGMA journal_mode = WAL"); connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, data BLOB)")
    return connection
def write(answers):
    connection, waits, end = opened(), [], time.monotonic() + SECONDS
    while time.monotonic() < end:
        start = time.monotonic()
        try: connection.execute("INSERT INTO t (data) VALUES (zeroblob(200))")
        except apsw.BusyError: pass
        waits.append(time.monotonic() - start)
    answers.put(waits)
def longest(writers):
    answers = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=write, args=(answers,)) for _ in range(writers)]
    for process in processes: process.start()
    waits = [wait for _ in processes for wait in answers.get()]
    for process in processes: process.join()
    in_a_queue = WRITERS * SECONDS / len(waits)
    return max(waits) / in_a_queue
opened()
alone, together = longest(1), longest(WRITERS)
print(f"  1 writer for {WRITERS}: {alone:.0f} times, {WRITERS} writers: {together:.0f} times")
if together < 20: print("CHANGED: expected more than 20 times"); sys.exit(1)
PY
nice v/bin/python t.py; echo "as described"
