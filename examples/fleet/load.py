"""The load, a process of its own: known sessions and new logins, at each node, at a steady pace.

Reads {"nodes": [address, …], "tokens": [token, …]} from stdin, in one line, and writes a line
[node, session or null, status, sent, took] per answer; null is a login. Ends with its stdin.
"""

import json
import os
import sys
import threading
import time

from client import Client

CHECKS_PER_SESSION_AND_SECOND = 2
LOGINS_PER_SECOND = 10
CONNECTIONS_PER_NODE = 5

_out = threading.Lock()


def tell(node, session, reply):
    line = json.dumps([node, session, reply.status, reply.sent, reply.took])
    with _out:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def at_a_pace(per_second, jobs):
    """Does the jobs in turn; one that comes too late is done at once."""
    due = time.monotonic()
    while True:
        for job in jobs:
            time.sleep(max(0.0, due - time.monotonic()))
            due += 1 / per_second
            job()


def checks(node, address, sessions):
    client = Client(address)
    jobs = [
        lambda session=session, token=token: tell(node, session, client.check(token))
        for session, token in sessions
    ]
    at_a_pace(CHECKS_PER_SESSION_AND_SECOND * len(jobs), jobs)


def logins(node, address):
    client = Client(address)
    at_a_pace(LOGINS_PER_SECOND, [lambda: tell(node, None, client.log_in("visitor"))])


def start(job, *arguments):
    threading.Thread(target=job, args=arguments, daemon=True).start()


def main():
    fleet = json.loads(sys.stdin.readline())
    sessions = list(enumerate(fleet["tokens"]))
    for node, address in enumerate(fleet["nodes"]):
        for first in range(CONNECTIONS_PER_NODE):
            start(checks, node, address, sessions[first::CONNECTIONS_PER_NODE])
        start(logins, node, address)
    sys.stdin.read()
    # Without waiting for the threads, which never end.
    os._exit(0)


main()
