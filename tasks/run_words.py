"""How a run ended and where its time went, in words and figures. Pure but for the run itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.template.defaultfilters import filesizeformat

from tasks.models import TaskRun
from wallaroo_ui.executions.models import Status

SIGNALS = {
    "SIGKILL": "Often the system had no memory left.",
    "SIGTERM": "Something asked it to end: not this server, which would have said so.",
    "SIGSEGV": "Native code crashed: a package with compiled parts, or one for another version.",
    "SIGBUS": "Native code crashed, or a disk was full.",
    "SIGABRT": "A library gave up: its own words are near the end of the log.",
    "SIGILL": "A package was compiled for another processor.",
    "SIGFPE": "Native code divided by zero.",
    "SIGXCPU": "It used all the processor time that it may have.",
    "SIGPIPE": "It wrote to something that had been closed.",
}
CODES = {
    2: "Often a script that did not understand its arguments.",
    126: "What it wanted to start may not be started.",
    127: "What it wanted to start is not there.",
}
# Shares are at least so many percent, so that the eye finds them.
LEAST_SHARE = 0.6


@dataclass(frozen=True)
class Phase:
    """A part of a run's time.

    Attributes:
        name: for its colour.
        start, share: where it lies in the whole, in percent.
        since: when it began, if it still goes on.
    """

    name: str
    label: str
    took: timedelta
    start: float
    share: float
    since: datetime | None = None


def phases(run: TaskRun, *, at: datetime) -> list[Phase]:
    """Return where a run's time went: queued, preparing, running; no phase that it had not."""
    end = run.ended_at or at
    moments = [
        ("queued", "Queued", run.ready_at, run.claimed_at or run.started_at),
        ("preparing", "Preparing its environment", run.claimed_at, run.started_at),
        ("running", "Running", run.started_at, None),
    ]
    spans = [
        # The clocks of two hosts may disagree by a little.
        (name, label, begun, max((ended or end) - begun, timedelta()), ended is None)
        for name, label, begun, ended in moments
        if begun is not None
    ]
    total = sum((took for _, _, _, took, _ in spans), timedelta()) or timedelta(microseconds=1)
    shares = [max(100 * (took / total), LEAST_SHARE) for _, _, _, took, _ in spans]
    found, start = [], 0.0
    for (name, label, begun, took, is_last), share in zip(spans, shares, strict=True):
        width = 100 * share / sum(shares)
        since = begun if is_last and not run.is_finished else None
        found.append(Phase(name, label, took, round(start, 2), round(width, 2), since))
        start += width
    return found


def exit_words(run: TaskRun) -> str:
    """Say how the script ended; empty as long as it has not, or never began."""
    if run.signal_name:
        return f"{run.exit_code}, ended by {run.signal_name}"
    return "" if run.exit_code is None else str(run.exit_code)


def exit_hint(run: TaskRun) -> str:
    """Say what such an end often means; empty where it says it all itself."""
    if run.status != Status.FAILURE:
        return ""
    if run.signal_name == "SIGKILL" and run.peak_memory_bytes:
        return f"{SIGNALS['SIGKILL']} Its peak was {filesizeformat(run.peak_memory_bytes)}."
    if run.signal_name:
        return SIGNALS.get(run.signal_name, "")
    return CODES.get(run.exit_code or 0, "")
