"""The fleet as a whole: what can be done to it, and the recording of what it answers."""

import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from client import Client
from processes import Load, Node, Problem, RedisServer
from recording import Recording

NODES = 3
SESSIONS = 50
WATCH_SECONDS = 0.2
FIRST_LOGIN_RETRIES = 10


class Fleet:
    """Redis, the nodes and the load; whatever it started ends with the `with` block."""

    def __init__(self, binary):
        self._binary = binary
        self._stack = ExitStack()
        self.nodes = []
        self.tokens = []
        self.redis_is = "up"

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _start(self):
        temporary = tempfile.TemporaryDirectory(prefix="fleet-", ignore_cleanup_errors=True)
        folder = Path(self._stack.enter_context(temporary))
        self.redis = RedisServer(folder)
        self._stack.callback(self.redis.kill)
        self.redis.start()
        for number in range(1, NODES + 1):
            node = Node(number, self._binary, self.redis.url, folder)
            self._stack.callback(node.end)
            self.nodes.append(node)
        for node in self.nodes:
            node.wait()
        self.tokens = [self._token(number) for number in range(SESSIONS)]
        self.recording = Recording(NODES)
        load = Load(self.nodes, self.tokens, folder)
        self._stack.callback(load.end)
        in_background(self._record, load)
        for number in range(NODES):
            in_background(self._watch, number)

    def _token(self, number):
        client = self.client(number % NODES)
        reply = client.log_in(f"user{number}")
        # It asks to try again: a node that has just started may be slow.
        for _ in range(FIRST_LOGIN_RETRIES):
            if reply.status != 503:
                break
            time.sleep(WATCH_SECONDS)
            reply = client.log_in(f"user{number}")
        if reply.status != 200:
            raise Problem(f"a first login was answered {reply.status}: {reply.body}")
        return reply.token

    def _record(self, load):
        for answer in load.answers():
            self.recording.answered(*answer)

    def _watch(self, node):
        client = self.client(node)
        while True:
            gauges = dict(
                line.split() for line in client.metrics().body.splitlines() if is_gauge(line)
            )
            if gauges:
                link_up = gauges.get("wx_session_link_up") == "1"
                breaker_open = gauges.get("wx_session_breaker_open") == "1"
                self.recording.saw(node, link_up, breaker_open)
            time.sleep(WATCH_SECONDS)

    def client(self, node):
        """A connection of the caller's own; nodes count from 0, and are named from 1."""
        return Client(self.nodes[node].address)

    def log_out(self, session, node):
        """Ends a session of the load."""
        reply = self.client(node).log_out(self.tokens[session])
        if reply.status in (202, 204):
            self.recording.revoked(session, node, reply, pending=reply.status == 202)
        return reply

    def kill_redis(self):
        self.redis.kill()
        self._redis_is_gone("down", "Redis killed")

    def freeze_redis(self):
        self.redis.freeze()
        self._redis_is_gone("frozen", "Redis frozen")

    def _redis_is_gone(self, state, label):
        if self.redis_is == "up":
            self.recording.outage_began()
        self.redis_is = state
        self.recording.happened(label)

    def bring_redis_back(self):
        """Restarts or thaws it; returns when it answered."""
        frozen = self.redis_is == "frozen"
        self.redis.thaw() if frozen else self.redis.start()
        self.redis_is = "up"
        self.recording.outage_ended()
        return self.recording.happened("Redis answers again" if frozen else "Redis restarted")


def is_gauge(line):
    return line.startswith(("wx_session_link_up ", "wx_session_breaker_open "))


def in_background(job, *arguments):
    threading.Thread(target=job, args=arguments, daemon=True).start()
