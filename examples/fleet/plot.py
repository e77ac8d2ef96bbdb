"""The picture: per second and node, what was answered; an SVG without any library."""

from xml.sax.saxutils import escape

from client import NO_ANSWER

WIDTH, LEFT, RIGHT = 980, 76, 150
TITLE, LABEL, PANEL, FOOT = 62, 15, 110, 42
# Two strips below each panel, and the distance from a panel to the next one.
STRIP, STRIPS, GAP = 9, 28, 56
CHARACTER = 6.3
# Colours that differ in lightness, too.
STATUSES = {
    200: ("#7cb9e8", "200 passed"),
    401: ("#e69f00", "401 call wx.login"),
    503: ("#a3123a", "503 retry"),
    NO_ANSWER: ("#222222", "no answer"),
}
OTHER = ("#8c6bb1", "other")
CALM, FAULT, OUTAGE = "#cfd8dc", "#455a64", "#f1e3e6"
STYLE = """text{font:12px system-ui,sans-serif;fill:#222}.small{font-size:11px;fill:#555}
.title{font-size:17px;font-weight:600}.node{font-weight:600}
.event{font-size:11.5px}"""


class Plot:
    """What a recording holds between two seconds; `svg` gives it as text."""

    def __init__(self, recording, since, until):
        self._recording = recording
        self._nodes = recording.nodes
        self._since, self._until = since, max(until, since + 1)
        self._scale = (WIDTH - LEFT - RIGHT) / (self._until - self._since)
        self._counts = [self._counted(node) for node in range(self._nodes)]
        totals = [sum(counts.values()) for node in self._counts for counts in node.values()]
        self._step = nice(max(totals, default=1) / 2)
        self._most = max(totals + [2 * self._step])
        self._out = []

    def _counted(self, node):
        counts = self._recording.counts(node).items()
        return {at: of for at, of in counts if self._since <= at < self._until}

    def svg(self):
        labels = self._laid_out_events()
        rows = 1 + max((row for *_, row in labels), default=0)
        top = TITLE + rows * LABEL + 8
        bottom = top + self._nodes * (PANEL + GAP) - GAP + STRIPS
        self._outages(top, bottom)
        for node in range(self._nodes):
            self._panel(node, top + node * (PANEL + GAP))
        self._seconds(bottom)
        self._events(labels, bottom)
        self._heading()
        return self._document(bottom + FOOT)

    def _x(self, at):
        return LEFT + (min(max(at, self._since), self._until) - self._since) * self._scale

    def _document(self, height):
        size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
        title = "<title>What each node answers, per second</title>"
        white = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        lines = [head, title, f"<style>{STYLE}</style>", white, *self._out, "</svg>"]
        return "".join(f"{line}\n" for line in lines)

    def _text(self, x, y, text, kind="", anchor="start"):
        where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        self._out.append(f'<text {where} class="{kind}">{escape(text)}</text>')

    def _box(self, x, y, width, height, fill, more="", title=None):
        where = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        inner = f"><title>{escape(title)}</title></rect>" if title else "/>"
        self._out.append(f'<rect {where} fill="{fill}"{more}{inner}')

    def _line(self, x1, y1, x2, y2, stroke, more=""):
        where = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self._out.append(f'<line {where} stroke="{stroke}"{more}/>')

    def _heading(self):
        self._text(LEFT, 22, "What each node answers while Redis dies and comes back", "title")
        used = {status for node in self._counts for counts in node.values() for status in counts}
        legend = [row for status, row in STATUSES.items() if status in used or status != NO_ANSWER]
        legend += [OTHER] if used - STATUSES.keys() else []
        legend += [(OUTAGE, "Redis gone"), (FAULT, "link lost, breaker open")]
        x = LEFT
        for colour, text in legend:
            self._box(x, 36, 12, 12, colour)
            self._text(x + 17, 46, text)
            x += 36 + len(text) * CHARACTER

    def _outages(self, top, bottom):
        for began, ended in self._recording.outages():
            x, end = self._x(began), self._x(self._until if ended is None else ended)
            if end > x:
                self._box(x, top, end - x, bottom - top, OUTAGE)

    def _panel(self, node, top):
        floor = top + PANEL
        self._text(LEFT - 12, top - 6, "answers / s", "small", "middle")
        self._text(WIDTH - RIGHT + 10, top + 10, f"node {node + 1}", "node")
        for count in range(0, int(self._most) + 1, self._step):
            y = floor - count / self._most * PANEL
            self._line(LEFT, y, WIDTH - RIGHT, y, "#ddd")
            self._text(LEFT - 6, y + 4, str(count), "small", "end")
        for second, counts in sorted(self._counts[node].items()):
            self._bar(second, counts, floor)
        self._totals(node, top + 28)
        self._strips(node, floor)

    def _bar(self, second, counts, floor):
        y = floor
        for status in sorted(counts, key=order):
            height = counts[status] / self._most * PANEL
            y -= height
            title = f"second {second}: {counts[status]} × {status or 'no answer'}"
            width = max(self._scale - 1.5, 0.8)
            kind = f' class="s{status}"'
            self._box(self._x(second), y, width, height, look(status)[0], kind, title)

    def _totals(self, node, y):
        totals = {}
        for counts in self._counts[node].values():
            for status, count in counts.items():
                totals[status] = totals.get(status, 0) + count
        for status in sorted(totals, key=order):
            text = f"{totals[status]} × {status or 'none'}"
            self._text(WIDTH - RIGHT + 10, y, text, "small")
            y += LABEL

    def _strips(self, node, floor):
        states = self._recording.states(node)
        is_lost = [(state.at, not state.link_up) for state in states]
        is_open = [(state.at, state.breaker_open) for state in states]
        for row, (name, faults) in enumerate([("link", is_lost), ("breaker", is_open)]):
            y = floor + 8 + row * (STRIP + 1)
            self._text(LEFT - 6, y + STRIP - 1, name, "small", "end")
            for began, ended, fault in stretches(faults):
                x, end = self._x(began), self._x(ended)
                if end > x:
                    self._box(x, y, end - x, STRIP - 1, FAULT if fault else CALM)

    def _seconds(self, bottom):
        span = self._until - self._since
        step = nice(span / 8)
        for second in range(-(-int(self._since) // step) * step, int(self._until) + 1, step):
            self._text(self._x(second), bottom + 20, str(second), "small", "middle")
        middle = (LEFT + WIDTH - RIGHT) / 2
        self._text(middle, bottom + 36, "seconds since the start of the load", "small", "middle")

    def _laid_out_events(self):
        """Events with their rows: one that begins under the label of another goes below it."""
        placed = []
        for at, label in self._recording.events():
            if not self._since <= at <= self._until:
                continue
            x = self._x(at)
            above = [row for left, right, row in map(extent, placed) if left <= x <= right]
            placed.append((x, label, 1 + max(above, default=-1)))
        return placed

    def _events(self, placed, bottom):
        for x, label, row in placed:
            y = TITLE + row * LABEL
            self._line(x, y, x, bottom, "#333", ' stroke-dasharray="3 2"')
            self._text(x + 4, y + 10, label, "event")


def extent(event):
    x, label, row = event
    return x - 2, x + 10 + len(label) * CHARACTER, row


def look(status):
    return STATUSES.get(status, OTHER)


def order(status):
    known = list(STATUSES)
    return known.index(status) if status in known else len(known)


def nice(most):
    """A round step that is at most this, and at least 1."""
    steps = [factor * 10**power for power in range(6) for factor in (1, 2, 5)]
    return max([step for step in steps if step <= most], default=1)


def stretches(samples):
    """Joins samples (time, value) of one value; each lasts until the next one."""
    joined = []
    for at, value in samples:
        if joined:
            joined[-1][1] = at
        if not joined or joined[-1][2] != value:
            joined.append([at, at, value])
    return joined
