"""What happened in a run: answers, events, and what the nodes tell of themselves."""

import threading
import time
from collections import Counter, defaultdict, deque
from typing import NamedTuple

# Five minutes of the load; a picture needs no more.
ANSWERS = 100_000
STATES = 10_000
EVENTS = 100


class Answer(NamedTuple):
    """An answer to the load: of a node, to a session or (None) to a login."""

    node: int
    session: int | None
    status: int
    sent: float
    took: float


class State(NamedTuple):
    """What a node's /metrics said."""

    at: float
    link_up: bool
    breaker_open: bool


class Revocation(NamedTuple):
    """A logout: on which node, between which times, and when other nodes have to know."""

    node: int
    asked: float
    answered: float
    pending: bool


class Recording:
    """All times are seconds since its start."""

    def __init__(self, nodes):
        self.nodes = nodes
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._answers = deque(maxlen=ANSWERS)
        self._events = deque(maxlen=EVENTS)
        self._states = [deque(maxlen=STATES) for _ in range(nodes)]
        self._counts = [defaultdict(Counter) for _ in range(nodes)]
        self._outages = deque(maxlen=EVENTS)
        self._revocations = {}

    def since_start(self, monotonic):
        return monotonic - self._start

    def now(self):
        return self.since_start(time.monotonic())

    def answered(self, node, session, status, sent, took):
        answer = Answer(node, session, status, self.since_start(sent), took)
        with self._lock:
            self._answers.append(answer)
            self._counts[node][int(answer.sent + took)][status] += 1

    def happened(self, label):
        return self.happened_at(self.now(), label)

    def happened_at(self, at, label):
        with self._lock:
            self._events.append((at, label))
        return at

    def saw(self, node, link_up, breaker_open):
        with self._lock:
            self._states[node].append(State(self.now(), link_up, breaker_open))

    def revoked(self, session, node, reply, pending):
        asked, answered = self.since_start(reply.sent), self.since_start(reply.answered)
        with self._lock:
            self._revocations[session] = Revocation(node, asked, answered, pending)

    def outage_began(self):
        with self._lock:
            self._outages.append((self.now(), None))

    def outage_ended(self):
        with self._lock:
            began, _ = self._outages.pop()
            self._outages.append((began, self.now()))

    def answers(self):
        with self._lock:
            return list(self._answers)

    def events(self):
        with self._lock:
            return sorted(self._events)

    def states(self, node):
        with self._lock:
            return list(self._states[node])

    def counts(self, node):
        """Answers by status, of each second; seconds without any are left out."""
        with self._lock:
            return {second: dict(counts) for second, counts in self._counts[node].items()}

    def outages(self):
        """When Redis was gone: pairs of times; the end of one that lasts is None."""
        with self._lock:
            return list(self._outages)

    def revocations(self):
        with self._lock:
            return dict(self._revocations)
