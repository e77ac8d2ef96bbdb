"""The scripted story: what is done to the fleet, when, and what has to come of it."""

import time
from concurrent.futures import ThreadPoolExecutor

from client import NO_ANSWER
from fleet import NODES
from promises import RECOVERY_SECONDS, REVOKED_ELSEWHERE_SECONDS, judge_the_load

# Seconds since the recording's start. The outage is shorter than the 60 s for which a node lets
# sessions pass that it knows.
LOGIN_AT, REVOKE_AT, KILL_AT, LOG_OUT_AT, RESTART_AT, END_AT = 3, 7, 11, 17, 22, 31
POLL_SECONDS = 0.001
ALL = range(NODES)

# Sessions of the load that are ended: with Redis, and without.
REVOKED = range(10)
REVOKED_IN_OUTAGE = range(10, 20)


class Story:
    def __init__(self, fleet, promises):
        self._fleet = fleet
        self._recording = fleet.recording
        self._promises = promises
        self._pool = ThreadPoolExecutor(NODES * 2)

    def run(self):
        """Raises `Broken` where it cannot go on."""
        self._wait_until(LOGIN_AT)
        self._log_in()
        self._wait_until(REVOKE_AT)
        self._revoke()
        self._wait_until(KILL_AT)
        token = self._kill_redis()
        self._wait_until(LOG_OUT_AT)
        self._log_out_in_outage()
        self._wait_until(RESTART_AT)
        self._restart_redis(token)
        self._wait_until(END_AT)
        judge_the_load(self._recording, self._promises)

    def _wait_until(self, second):
        time.sleep(max(0.0, second - self._recording.now()))

    def _check(self, node, token):
        return self._fleet.client(node).check(token)

    def _log_in(self):
        self._recording.happened("login on node 1")
        login = self._fleet.client(0).log_in("alice")
        self._promises.need(login.status == 200, f"login on node 1: {login.status}")
        answers = [self._check(node, login.token).status for node in (1, 2)]
        self._promises.need(answers == [200, 200], f"it works on nodes 2 and 3: {said(answers)}")

    def _revoke(self):
        measured, *others = REVOKED
        token = self._fleet.tokens[measured]
        polls = {node: self._pool.submit(self._first_refusal, node, token) for node in (0, 2)}
        self._recording.happened(f"{len(REVOKED)} logouts on node 2")
        logout = self._fleet.log_out(measured, node=1)
        again = self._check(1, token).status
        statuses = [self._fleet.log_out(session, node=1).status for session in others]
        expected = [logout.status, again, *statuses] == [204, 401] + [204] * len(others)
        self._promises.need(expected, f"logout on node 2: {logout.status}, then {again}")
        for node, poll in polls.items():
            delay = poll.result() - logout.sent
            text = f"node {node + 1} refuses {delay * 1000:.0f} ms after the logout was sent"
            self._promises.check(delay <= REVOKED_ELSEWHERE_SECONDS, text)

    def _first_refusal(self, node, token):
        """When this node first answered 401; infinity if it does not soon."""
        return self._first(401, lambda client: client.check(token), node)

    def _first_login(self, node):
        return self._first(200, lambda client: client.log_in("bob"), node)

    def _first(self, status, request, node):
        client = self._fleet.client(node)
        deadline = time.monotonic() + 2 * RECOVERY_SECONDS
        while time.monotonic() < deadline:
            reply = request(client)
            if reply.status == status:
                return reply.answered
            if reply.status == NO_ANSWER:
                break
            time.sleep(POLL_SECONDS)
        return float("inf")

    def _kill_redis(self):
        """Gives the token of a live session that only node 1 has seen."""
        known = self._fleet.tokens[-1]
        fresh = self._fleet.client(0).log_in("carol")
        self._promises.need(fresh.status == 200, f"login just before: {fresh.status}")
        self._fleet.kill_redis()
        time.sleep(1)
        answers = [self._check(node, known).status for node in ALL]
        self._promises.check(answers == [200] * NODES, f"known sessions pass: {said(answers)}")
        logins = [self._fleet.client(node).log_in("dave") for node in ALL]
        took = ", ".join(f"{login.took * 1000:.1f}" for login in logins)
        answers = [login.status for login in logins]
        text = f"new logins get 503: {said(answers)}, in {took} ms"
        self._promises.check(answers == [503] * NODES, text)
        answer = self._check(2, fresh.token).status
        text = f"a session that node 3 has not seen gets 503 there, not 401: {answer}"
        self._promises.check(answer == 503, text)
        return fresh.token

    def _log_out_in_outage(self):
        self._recording.happened(f"{len(REVOKED_IN_OUTAGE)} logouts on node 3")
        logouts = [self._fleet.log_out(session, node=2).status for session in REVOKED_IN_OUTAGE]
        token = self._fleet.tokens[REVOKED_IN_OUTAGE[0]]
        again = self._check(2, token).status
        kept = set(logouts) == {202} and again == 401
        self._promises.need(kept, f"logout on node 3 is pending: {logouts[0]}, then {again}")

    def _restart_redis(self, unseen):
        back = self._fleet.bring_redis_back()
        pending = self._fleet.tokens[REVOKED_IN_OUTAGE[0]]
        refusals = [self._pool.submit(self._first_refusal, node, pending) for node in (0, 1)]
        logins = [self._pool.submit(self._first_login, node) for node in ALL]
        enforced, recovered = self._last(refusals) - back, self._last(logins) - back
        text = f"all nodes log in again {recovered:.2f} s after Redis answers"
        self._promises.need(recovered <= RECOVERY_SECONDS, text)
        text = f"the pending logouts hold on nodes 1 and 2 {enforced:.2f} s after Redis answers"
        self._promises.need(enforced <= RECOVERY_SECONDS, text)
        label = f"logins work again after {recovered:.2f} s"
        self._recording.happened_at(back + recovered, label)
        label = f"logouts hold everywhere after {enforced:.2f} s"
        self._recording.happened_at(back + enforced, label)
        answer = self._check(2, unseen).status
        text = f"the session that node 3 had not seen works there: {answer}"
        self._promises.check(answer == 200, text)

    def _last(self, futures):
        return self._recording.since_start(max(future.result() for future in futures))


def said(statuses):
    return ", ".join(map(str, statuses))
