"""What was promised, and whether it was kept."""

import math
from statistics import median

from client import NO_ANSWER

REVOKED_ELSEWHERE_SECONDS = 1.0
RECOVERY_SECONDS = 5.0
# A node promises 0.25 s; the rest is for machines that are busy.
WAIT_SECONDS = 1.0


class Broken(Exception):
    """A promise was not kept, and what follows would make no sense."""


class Promises:
    def __init__(self, tell):
        self._tell = tell
        self._all = []

    @property
    def kept(self):
        return bool(self._all) and all(kept for kept, _ in self._all)

    def check(self, kept, text):
        """Notes whether this one was kept."""
        self._all.append((kept, text))
        self._tell(f"{'kept' if kept else 'BROKEN'}: {text}")

    def need(self, kept, text):
        """The same for a promise on which the next ones rest."""
        self.check(kept, text)
        if not kept:
            raise Broken(text)

    def lines(self):
        return [f"{'kept  ' if kept else 'BROKEN'}  {text}" for kept, text in self._all]


def judge_the_load(recording, promises):
    """Looks at every answer that the load got."""
    answers, revocations = recording.answers(), recording.revocations()
    (outage,) = recording.outages()
    logins = [answer for answer in answers if answer.session is None]
    checks = [answer for answer in answers if answer.session is not None]
    live = [a for a in checks if is_before(a, revocations.get(a.session))]

    least = least_per_second(recording)
    promises.check(least > 0, f"each node answered the load at least {least} times per second")
    silent = count(answers, NO_ANSWER)
    promises.check(silent == 0, f"{len(answers)} requests of the load: {silent} without an answer")
    for status, meaning in [(401, "refused"), (503, "told to wait")]:
        wrong = count(live, status)
        promises.check(wrong == 0, f"{len(live)} checks of live sessions: {wrong} {meaning}")
    late = sum(is_late(answer, revocations, outage[1]) for answer in checks)
    promises.check(late == 0, f"revoked sessions: {late} accepted later than allowed")
    after = count([a for a in answers if a.sent > outage[1] + RECOVERY_SECONDS], 503)
    text = f"503 later than {RECOVERY_SECONDS:g} s after Redis was back: {after}"
    promises.check(after == 0, text)

    waits = [answer.took for answer in logins if answer.status == 503]
    worst = max(waits, default=math.inf)
    text = f"{len(waits)} logins of the load got 503 {spread(waits)}"
    promises.check(worst <= WAIT_SECONDS, text)


def least_per_second(recording):
    """Without the first and the last second, which are not whole."""
    seconds = range(1, int(recording.now()))
    counts = [recording.counts(node) for node in range(recording.nodes)]
    return min(sum(node.get(second, {}).values()) for node in counts for second in seconds)


def count(answers, status):
    return sum(answer.status == status for answer in answers)


def is_before(answer, revocation):
    """Whether it was answered before somebody asked to end its session."""
    return revocation is None or answer.sent + answer.took < revocation.asked


def is_late(answer, revocations, back):
    """Whether a session passed that its node had to know of as revoked."""
    revocation = revocations.get(answer.session)
    if revocation is None or answer.status != 200:
        return False
    if answer.node == revocation.node:
        return answer.sent > revocation.answered
    if revocation.pending:
        return answer.sent > back + RECOVERY_SECONDS
    return answer.sent > revocation.answered + REVOKED_ELSEWHERE_SECONDS


def spread(seconds):
    if not seconds:
        return "never"
    return f"in {median(seconds) * 1000:.1f} ms (median), {max(seconds) * 1000:.0f} ms at most"
