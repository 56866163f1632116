"""The supervisor: starts one command, keeps its log, enforces its end, writes the verdict.

    python -I -S supervisor.py SPOOL sandboxed=1 timeout=900 grace=3 log_limit=4294967296 \
        doorbells=DIR cwd=DIR [detach=1] [note=TEXT ...] -- COMMAND [ARGUMENT ...]

One supervisor lives for each execution, in a session of its own. Web, cluster, agent
and database may all restart under it, and nothing of the execution is lost. It is a
program of the standard library alone, knows no settings, and talks to the server only
through files in SPOOL:

    supervisor.lock  held (flock) as long as the supervisor lives
    started.json     that the command was started, when, and as which process
    output.log       one line of output a line: `TIME STREAM F|P TEXT`
    output.idx       24 bytes an entry: line number, byte offset, time in ns, of a line
                     start, at least every 1,000 lines or 64 KiB
    stop.json        written by the server: `{"reason": ..., "grace_seconds": ...}`
    verdict.json     how it ended; appears whole, after the last line of the log

The command starts before this module imports anything that costs time: `os`, `sys`,
`time`, `fcntl` and the built-in part of `signal` are all that stands between a claim
and the user's first line.
"""

import _signal  # type: ignore[import-not-found]  # `signal` itself takes 10 ms
import fcntl
import os
import sys
import time

LOCK, STARTED, STOP, VERDICT = "supervisor.lock", "started.json", "stop.json", "verdict.json"
LOG, INDEX = "output.log", "output.idx"
RESERVE = "verdict.reserve"

# A line longer than this is kept in parts, marked P, the last one F: the container
# runtimes' way, which bounds the memory for a line without end.
MAX_PART_BYTES = 16 * 1024
READ_BYTES = 64 * 1024
INDEX_ENTRY_BYTES = 24
INDEX_EVERY_LINES = 1000
INDEX_EVERY_BYTES = 64 * 1024
# How long output of a command that has ended may still trickle out of its pipes.
DRAIN_SECONDS = 2.0
# Room for a verdict on a disk that has filled up.
RESERVE_BYTES = 8192
PR_SET_CHILD_SUBREAPER = 36
OWN_MARK = b"WALLAROO: "


def parts_of(line: bytes) -> list[bytes]:
    """Cut a line into parts of at most `MAX_PART_BYTES`, and no character of UTF-8 in two."""
    parts, start = [], 0
    while len(line) - start > MAX_PART_BYTES:
        end = start + MAX_PART_BYTES
        # A character begins with a byte that is none of its up to three later ones.
        end -= next((back for back in range(4) if line[end - back] & 0xC0 != 0x80), 0)
        parts.append(line[start:end])
        start = end
    return [*parts, line[start:]]


class LogFull(Exception):
    """The log cannot take another line, because its disk is full."""


class Log:
    """The execution's log: whole lines appended to a file, and a sparse index beside it."""

    def __init__(self, spool: str, *, limit: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self.file = os.open(f"{spool}/{LOG}", flags, 0o600)
        self.index = os.open(f"{spool}/{INDEX}", flags, 0o600)
        self.limit = limit
        self.lines = 0
        self.bytes = 0
        self.dropped = 0
        self.index_entries = 0
        self.indexed_line = -INDEX_EVERY_LINES
        self.indexed_byte = 0
        self.rest = {b"stdout": b"", b"stderr": b""}
        self._second = -1
        self._prefix = ""

    def stamp(self, now: int) -> bytes:
        """Return a time in nanoseconds as the log writes it, always UTC."""
        second, fraction = divmod(now, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{fraction:09d}Z".encode()

    def feed(self, stream: bytes, data: bytes) -> None:
        """Take in output as it came from a pipe; an unfinished line waits for its end."""
        *lines, rest = (self.rest[stream] + data).split(b"\n")
        self.rest[stream] = b""
        for start in range(0, len(lines), INDEX_EVERY_LINES):
            self._write_lines(stream, lines[start : start + INDEX_EVERY_LINES])
        *parts, self.rest[stream] = parts_of(rest)
        for part in parts:
            self._append(stream, [(b"P", part)])

    def close_stream(self, stream: bytes) -> None:
        """Write what a stream left without a newline at its end."""
        if rest := self.rest[stream]:
            self.rest[stream] = b""
            self._write_lines(stream, [rest])

    def note(self, text: str) -> None:
        """Write a line of the server's own, beside the command's output."""
        lines = [
            (b"F", OWN_MARK + line.encode(errors="surrogateescape")) for line in text.splitlines()
        ]
        self._append(b"stdout", lines, own=True)

    def _write_lines(self, stream: bytes, lines: list[bytes]) -> None:
        if all(len(line) <= MAX_PART_BYTES for line in lines):
            self._append(stream, [(b"F", line) for line in lines])
            return
        for line in lines:
            *parts, last = parts_of(line)
            for part in parts:
                self._append(stream, [(b"P", part)])
            self._append(stream, [(b"F", last)])

    def _append(
        self, stream: bytes, entries: list[tuple[bytes, bytes]], *, own: bool = False
    ) -> None:
        """Write entries in one go, with an index entry for the first where one is due."""
        if not entries:
            return
        if self.bytes >= self.limit and not own:
            self.dropped += sum(mark == b"F" for mark, _ in entries)
            return
        now = time.time_ns()
        head = self.stamp(now) + b" " + stream + b" "
        block = b"".join([head + mark + b" " + text + b"\n" for mark, text in entries])
        try:
            if (
                self.lines - self.indexed_line >= INDEX_EVERY_LINES
                or self.bytes - self.indexed_byte >= INDEX_EVERY_BYTES
            ):
                _write_all(
                    self.index,
                    b"".join(n.to_bytes(8, "little") for n in (self.lines, self.bytes, now)),
                )
                self.index_entries += 1
                self.indexed_line, self.indexed_byte = self.lines, self.bytes
            _write_all(self.file, block)
        except OSError as error:
            # No torn line at the end, and no torn entry.
            os.ftruncate(self.file, self.bytes)
            os.ftruncate(self.index, self.index_entries * INDEX_ENTRY_BYTES)
            raise LogFull(os.strerror(error.errno or 0)) from error
        self.lines += len(entries)
        self.bytes += len(block)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def main(arguments: list[str]) -> int:
    """Run one execution from its start to its verdict."""
    split = arguments.index("--")
    spool, command = arguments[1], arguments[split + 1 :]
    options = [option.partition("=")[::2] for option in arguments[2:split]]
    # A child of nobody's: whoever kills the cluster with all its children spares the run.
    if ("detach", "1") in options and os.fork():
        return 0

    lock = os.open(f"{spool}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Two supervisors for one execution, one after the other, is what this file prevents.
        os.close(os.open(f"{spool}/{STARTED}", os.O_CREAT | os.O_EXCL, 0o600))
    except (BlockingIOError, FileExistsError):
        return 75

    execution = Execution(spool, dict(options))
    notes = [value for name, value in options if name == "note"]
    try:
        execution.start(command, notes)
    except (LogFull, OSError) as error:
        execution.failure = f"It could not be started: {error}."
        execution.conclude()
    else:
        execution.follow()
    return 0


class Execution:
    """The one command that this process looks after."""

    def __init__(self, spool: str, options: dict[str, str]) -> None:
        self.spool = spool
        self.sandboxed = options.get("sandboxed") == "1"
        self.timeout = float(options["timeout"]) if options.get("timeout") else None
        self.grace = float(options["grace"])
        self.doorbells = options["doorbells"]
        self.cwd = options["cwd"]
        self.log = Log(spool, limit=int(options["log_limit"]))
        self.streams: dict[int, bytes] = {}
        self.child = 0
        self.status_pipe = -1
        self.complaint_pipe = -1
        self.inner = 0
        self.started_at = time.time()
        self.started_clock = time.monotonic()
        self.exit_status: int | None = None
        self.peak_kilobytes = 0
        self.cpu_seconds = 0.0
        self.ended_by = ""  # "timed_out" or "killed", once we have decided to end it.
        self.end_reason = ""
        self.kill_at: float | None = None
        self.is_host_ending = False
        self.failure = ""

    # -- Start -------------------------------------------------------------------------

    def start(self, command: list[str], notes: list[str]) -> None:
        """Start the command in a session of its own, its output in pipes."""
        with open(f"{self.spool}/{RESERVE}", "wb") as file:
            file.write(bytes(RESERVE_BYTES))
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self.complaint_pipe, complaint_write = os.pipe()
        if self.sandboxed:
            self.status_pipe, status_write = os.pipe()
            os.set_inheritable(status_write, True)
            command = [command[0], "--json-status-fd", str(status_write), *command[1:]]
        for note in notes:
            self.log.note(note)
        _signal.signal(_signal.SIGTERM, self._on_term)
        # A sandbox holds together what it starts. Without one, what the command leaves behind
        # before this is out of reach, and it may do so in its first moment.
        if not self.sandboxed:
            adopt_orphans()
        self.started_at, self.started_clock = time.time(), time.monotonic()
        self.child = os.fork()
        if self.child == 0:
            self._become(command, out_write, err_write, complaint_write)
        for descriptor in (out_write, err_write, complaint_write):
            os.close(descriptor)
        if self.sandboxed:
            os.close(status_write)
        self.streams = {out_read: b"stdout", err_read: b"stderr"}
        for descriptor in self.streams:
            os.set_blocking(descriptor, False)

    def _become(self, command: list[str], out: int, err: int, complaint: int) -> None:
        """Turn the forked child into the command. Never returns."""
        try:
            # What this program handles, Python ignores or an ancestor ignored, the command
            # gets as usual: `yes | head` ends by SIGPIPE.
            for number in _signal.valid_signals() - {_signal.SIGKILL, _signal.SIGSTOP}:
                _signal.signal(number, _signal.SIG_DFL)
            os.setsid()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.chdir(self.cwd)
            os.execvpe(command[0], command, os.environ)  # noqa: S606
        except OSError as error:
            text = f"cannot start {command[0]}: {error}".encode(errors="surrogateescape")
            os.write(2, text + b"\n")
            os.write(complaint, text)
        finally:
            os._exit(127)

    # -- Follow ------------------------------------------------------------------------

    def follow(self) -> None:
        """Take in output until the command and all that it started have ended."""
        try:
            woken = self._listen()
            self._tell_start()
            self._take_in_all(woken)
            for stream in self.log.rest:
                self.log.close_stream(stream)
        except LogFull as error:
            self._give_up(f"Its log could not be written any more: {error}.")
        except OSError as error:
            self._give_up(f"It could not be followed any more: {error}.")
        self._clear_away()
        self.conclude()

    def _tell_start(self) -> None:
        """Let the server know that the command was started, and as which process.

        Not before: the agent's answer would compete with the command for its first moment.
        """
        self._replace(
            STARTED,
            b'{"started_at": %.6f, "started_clock": %.6f, "supervisor_pid": %d, "child_pid": %d, '
            b'"child_born": "%s"}'
            % (
                self.started_at,
                self.started_clock,
                os.getpid(),
                self.child,
                born(self.child).encode(),
            ),
        )
        ring(self.doorbells)

    def _listen(self) -> int:
        """Have signals wake us up; return the pipe on which they do."""
        # So what the command used can be counted after a sandbox's own exit. Not earlier than
        # it must be: it takes 3 ms.
        if self.sandboxed:
            adopt_orphans()
        import signal

        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGCONT, lambda *_: None)  # The server's "look at stop.json".
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.write(wake, b"!")  # The first look comes at once, for what happened before.
        return woken

    def _take_in_all(self, woken: int) -> None:
        """Log output, keep the deadlines, and notice the end."""
        import select
        import signal

        poller = select.poll()
        for descriptor in (*self.streams, woken):
            poller.register(descriptor, select.POLLIN)
        drain_until = 0.0
        while self.exit_status is None or (self.streams and time.monotonic() < drain_until):
            for descriptor, _ in poller.poll(self._wait_ms(time.monotonic(), drain_until)):
                if descriptor == woken:
                    os.read(woken, 4096)
                elif not self._take_in(descriptor):
                    poller.unregister(descriptor)
            if self.exit_status is None and self._reap():
                # The command is over: what it left running is not part of it.
                self._kill_tree(signal.SIGKILL)
                drain_until = time.monotonic() + DRAIN_SECONDS
            # After it: what ended by itself was not stopped by an order that came too late.
            self._check_deadlines(time.monotonic())

    def _clear_away(self) -> None:
        """Kill and collect whatever is left, so that nothing outlives the verdict."""
        import signal

        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until:
            self._kill_tree(signal.SIGKILL)
            for _ in range(20):
                while self._reap_one(os.WNOHANG):
                    pass
                if not self._has_children():
                    return
                time.sleep(0.002)

    def _has_children(self) -> bool:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def _wait_ms(self, now: float, drain_until: float) -> int:
        """Return how long to sleep at the most: to the next deadline, or a second."""
        moments = [now + 1.0]
        if self.exit_status is not None:
            moments.append(drain_until)
        elif self.kill_at is not None:
            moments.append(self.kill_at)
        elif self.timeout is not None:
            moments.append(self.started_clock + self.timeout)
        return max(0, int((min(moments) - now) * 1000) + 1)

    def _take_in(self, descriptor: int) -> bool:
        """Read once from a pipe. False when it has come to its end."""
        stream = self.streams[descriptor]
        data = os.read(descriptor, READ_BYTES)
        if data:
            self.log.feed(stream, data)
            return True
        self.log.close_stream(stream)
        os.close(descriptor)
        del self.streams[descriptor]
        return False

    def _reap(self, *, block: bool = False) -> bool:
        """Collect what has ended. True once the command itself has."""
        while self._reap_one(0 if block and self.exit_status is None else os.WNOHANG):
            pass
        return self.exit_status is not None

    def _reap_one(self, flags: int) -> bool:
        try:
            pid, status, usage = os.wait4(-1, flags)
        except ChildProcessError:
            return False
        if pid == 0:
            return False
        if pid == self.child:
            self.exit_status = os.waitstatus_to_exitcode(status)
        # A sandbox's inner init is counted when it is reaped; it carries its children's.
        kilobytes = usage.ru_maxrss // 1024 if sys.platform == "darwin" else usage.ru_maxrss
        self.peak_kilobytes = max(self.peak_kilobytes, kilobytes)
        self.cpu_seconds += usage.ru_utime + usage.ru_stime
        return True

    # -- Ending it ---------------------------------------------------------------------

    def _check_deadlines(self, now: float) -> None:
        import signal

        if self.exit_status is not None:
            return
        if not self.ended_by:
            if os.path.exists(f"{self.spool}/{STOP}"):
                self._obey_stop(now)
            elif self.is_host_ending:
                self._end("killed", "The host asked the supervisor to stop.", now)
            elif self.timeout is not None and now >= self.started_clock + self.timeout:
                self._end("timed_out", f"Stopped after its timeout of {self.timeout:g} s.", now)
        elif self.kill_at is not None and now >= self.kill_at:
            self._kill_tree(signal.SIGKILL)
            self.kill_at = now + 1.0  # Again, for what was forked meanwhile.

    def _obey_stop(self, now: float) -> None:
        import json

        try:
            with open(f"{self.spool}/{STOP}", encoding="utf-8") as file:
                order = json.load(file)
        except ValueError:
            order = {}
        self.grace = float(order.get("grace_seconds", self.grace))
        self._end("killed", order.get("reason") or "Stopped on request.", now)

    def _on_term(self, *_: object) -> None:
        """Note that somebody signals the supervisor itself: the host is going down."""
        self.is_host_ending = True

    def _end(self, status: str, reason: str, now: float) -> None:
        import signal

        self.ended_by, self.end_reason = status, reason
        self.kill_at = now + self.grace
        self._kill_tree(signal.SIGTERM)

    def _give_up(self, reason: str) -> None:
        """End the command at once, because nobody could look after it any longer."""
        import signal

        self.failure = reason
        self._kill_tree(signal.SIGKILL)
        while self.exit_status is None:
            self._reap(block=True)

    def _kill_tree(self, signal_number: int) -> None:
        """Signal the command and everything that it started.

        A sandbox is not told to TERM: its own process would die at once and take the
        code with it, unasked. Its KILL takes the whole process namespace along.
        """
        import signal

        spared = set()
        if self.sandboxed and signal_number != signal.SIGKILL:
            spared = {self.child, self._sandbox_init()}
        if sys.platform != "linux":  # No /proc to look into: the session's group has to do.
            _send(-self.child, signal_number)
        for pid in descendants(os.getpid()):
            if pid not in spared:
                _send(pid, signal_number)

    def _sandbox_init(self) -> int:
        """Return the pid of the sandbox's inner init, as the sandbox reported it."""
        import json

        if not self.inner and self.status_pipe >= 0:
            os.set_blocking(self.status_pipe, False)
            try:
                text = os.read(self.status_pipe, 4096).decode()
                self.inner = int(json.loads(text.splitlines()[0])["child-pid"])
            except (BlockingIOError, IndexError, ValueError, KeyError):
                self.inner = 0
        return self.inner

    # -- Verdict -----------------------------------------------------------------------

    def _start_complaint(self) -> str:
        """Return why the command could not be started; empty if it was."""
        # Its only other end went with the command's process, or as it turned into the command.
        text = os.read(self.complaint_pipe, 4096).decode(errors="replace")
        return f"It could not be started: {text}." if text else ""

    def conclude(self) -> None:
        """Write the last line of the log and the verdict; wake the agent."""
        import signal

        ended_at = time.time()
        code = self.exit_status if self.exit_status is not None else 127
        # Python has a signal's death as -9, a sandbox hands it on as 128 + 9.
        number = -code if code < 0 else code - 128
        signal_name = ""
        if (code < 0 or self.sandboxed) and number in {int(known) for known in signal.Signals}:
            signal_name = signal.Signals(number).name
            code = 128 + number
        failure = self.failure or self._start_complaint()
        if failure:
            status, reason = "failure", failure
        elif self.ended_by:
            status, reason = self.ended_by, self.end_reason
        elif code == 0:
            status, reason = "success", ""
        elif signal_name:
            status, reason = "failure", f"Ended by signal {signal_name}."
        else:
            status, reason = "failure", f"Ended with exit status {code}."
        took = time.monotonic() - self.started_clock
        words = f"{status} after {took:.3f} s. {reason or 'Exit status 0.'}"
        if self.log.dropped:
            words += f" {self.log.dropped} lines were over the log's limit and are not kept."
        try:
            self.log.note(words)
        except LogFull:
            pass
        self._write_verdict(
            {
                "status": status,
                "reason": reason,
                "exit_code": code,
                "signal_name": signal_name,
                "started_at": self.started_at,
                "ended_at": max(ended_at, self.started_at),
                "peak_memory_bytes": self.peak_kilobytes * 1024,
                "cpu_seconds": round(self.cpu_seconds, 3),
                "log_lines": self.log.lines,
                "log_bytes": self.log.bytes,
            },
        )
        ring(self.doorbells)

    def _write_verdict(self, content: dict[str, object]) -> None:
        """Write the verdict into room reserved at the start: it fits on a full disk too."""
        import json

        reserve = f"{self.spool}/{RESERVE}"
        descriptor = os.open(reserve, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            # Blanks to the reserve's end: overwriting in place needs no new blocks.
            _write_all(descriptor, json.dumps(content).encode().ljust(RESERVE_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(reserve, f"{self.spool}/{VERDICT}")

    def _replace(self, name: str, data: bytes) -> None:
        """Give a file of the spool new content in one step."""
        draft = f"{self.spool}/{name}.draft"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)
        os.replace(draft, f"{self.spool}/{name}")


def _send(pid: int, number: int) -> None:
    """Signal a process, or with a negative number a group, that may be gone already."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def born(pid: int) -> str:
    """Return what tells a process from another one that gets its pid later.

    The host's boot and the tick in which it was made; empty where /proc is not there.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return f"{boot} {stat.read().rpartition(b')')[2].split()[19].decode()}"
    except (OSError, IndexError):
        return ""


def adopt_orphans() -> None:
    """Become the parent of whatever a descendant leaves behind, to find it and to end it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root: int) -> list[int]:
    """Return every process below `root`, nearest first; empty where /proc is not there."""
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The command's name may hold blanks and brackets; it ends at the last one.
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(name))
    found, queue = [], [root]
    while queue:
        for child in children.get(queue.pop(0), []):
            found.append(child)
            queue.append(child)
    return found


def ring(doorbells: str) -> None:
    """Wake every process that waits at a doorbell of this folder. Nobody home is fine."""
    try:
        names = os.listdir(doorbells)
    except OSError:
        return
    for name in names:
        try:
            bell = os.open(f"{doorbells}/{name}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # ENXIO: its owner is gone.
            continue
        try:
            os.write(bell, b"!")
        except OSError:  # Full: it is ringing already.
            pass
        finally:
            os.close(bell)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
