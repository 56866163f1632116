"""The real supervisor program: started, fed, stopped, starved and killed."""

import errno
import itertools
import json
import os
import resource
import signal
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.executions.conftest import (
    ENVIRONMENT,
    Entry,
    Supervisors,
    peak_memory,
    processes_with,
    python,
)
from tests.processes import wait_until
from wallaroo_ui.executions import logstore, supervisor
from wallaroo_ui.executions.doorbell import Doorbell

MEGABYTE = 1024 * 1024
IGNORES_TERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
SLEEPS = "print('on'); time.sleep(600)"


# -- How it ends -----------------------------------------------------------------------


def test_exit_status_0_is_a_success(supervisors: Supervisors) -> None:
    run = supervisors.start(python("print('hello')"))

    verdict = run.verdict()

    assert (verdict.status, verdict.exit_code, verdict.reason) == ("success", 0, "")
    assert verdict.signal_name == ""
    assert run.log() == [Entry("stdout", "F", b"hello")]
    assert run.last_line().startswith("WALLAROO: success after ")


def test_another_exit_status_is_a_failure_that_names_it(supervisors: Supervisors) -> None:
    verdict = supervisors.start(python("raise SystemExit(3)")).verdict()

    assert (verdict.status, verdict.exit_code) == ("failure", 3)
    assert verdict.reason == "Ended with exit status 3."


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM])
def test_a_signal_that_nobody_ordered_is_a_failure_that_names_it(
    supervisors: Supervisors, number: signal.Signals
) -> None:
    verdict = supervisors.start(python(f"import os; os.kill(os.getpid(), {number})")).verdict()

    assert (verdict.status, verdict.signal_name) == ("failure", number.name)
    assert verdict.exit_code == 128 + number
    assert verdict.reason == f"Ended by signal {number.name}."


def test_an_exit_status_above_128_is_no_signal_to_a_plain_process(
    supervisors: Supervisors,
) -> None:
    verdict = supervisors.start(python("raise SystemExit(137)")).verdict()

    assert (verdict.exit_code, verdict.signal_name) == (137, "")


@pytest.mark.parametrize("command", ["no-such-program", "/no/such/program"])
def test_a_command_that_does_not_exist_is_a_failure_that_says_so(
    supervisors: Supervisors, command: str
) -> None:
    run = supervisors.start([command, "argument"])

    verdict = run.verdict()

    assert (verdict.status, verdict.exit_code) == ("failure", 127)
    assert verdict.reason.startswith(f"It could not be started: cannot start {command}: ")
    assert "No such file or directory" in verdict.reason
    assert run.texts()[0].startswith(f"cannot start {command}: ")


def test_a_working_directory_that_does_not_exist_is_a_failure_that_names_it(
    supervisors: Supervisors, tmp_path: Path
) -> None:
    verdict = supervisors.start(python("print('on')"), cwd=tmp_path / "gone").verdict()

    assert verdict.status == "failure"
    assert str(tmp_path / "gone") in verdict.reason


def test_exit_status_127_of_a_command_that_did_start_is_just_its_status(
    supervisors: Supervisors,
) -> None:
    verdict = supervisors.start(python("raise SystemExit(127)")).verdict()

    assert verdict.reason == "Ended with exit status 127."


# -- Timeout and stop ------------------------------------------------------------------


def test_a_timeout_lets_the_script_clean_up(supervisors: Supervisors, sandboxed: bool) -> None:
    script = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("cleaned up"), sys.exit(0)))
print("on"); time.sleep(600)
"""
    run = supervisors.start(
        python(script), sandboxed=sandboxed, timeout_seconds=2, grace_seconds=60
    )

    verdict = run.verdict()

    assert verdict.status == "timed_out"
    assert verdict.reason == "Stopped after its timeout of 2 s."
    assert run.texts() == ["on", "cleaned up"]


def test_a_timeout_kills_what_ignores_term(supervisors: Supervisors, sandboxed: bool) -> None:
    run = supervisors.start(python(IGNORES_TERM + SLEEPS), sandboxed=sandboxed, timeout_seconds=1)

    verdict = run.verdict()

    assert (verdict.status, verdict.signal_name, verdict.exit_code) == (
        "timed_out",
        "SIGKILL",
        137,
    )


def test_a_timeout_ends_a_stubborn_child_and_a_grandchild_in_its_own_session(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    script = """
import signal, subprocess, sys, time
depth, token = int(sys.argv[1]), sys.argv[2]
if depth:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if depth < 2:
    source = sys.orig_argv[sys.orig_argv.index("-c") + 1]
    command = [sys.executable, "-I", "-S", "-u", "-c", source, str(depth + 1), token]
    subprocess.Popen(command, start_new_session=depth == 1)
print("generation", depth)
time.sleep(600)
"""
    token = uuid.uuid4().hex
    run = supervisors.start(
        python(script, "0", token), sandboxed=sandboxed, timeout_seconds=3, token=token
    )
    for generation in range(3):
        run.wait_for(f"generation {generation}")
    assert len(processes_with(token)) >= 3

    wait_until(run.spool.verdict, "the verdict")

    # The supervisor itself is on its way out.
    assert set(processes_with(token)) <= {run.process.pid}
    assert run.verdict().status == "timed_out"


def test_an_order_to_stop_ends_the_script_and_keeps_the_reason(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    run = supervisors.start(python("import time;" + SLEEPS), sandboxed=sandboxed)
    run.wait_for("on")

    run.spool.order_stop(reason="Stopped by ann@example.com.", grace_seconds=60)

    verdict = run.verdict()
    assert (verdict.status, verdict.reason) == ("killed", "Stopped by ann@example.com.")
    assert verdict.signal_name == "SIGTERM"
    assert "Stopped by ann@example.com." in run.last_line()


def test_an_order_to_stop_brings_its_own_grace(supervisors: Supervisors) -> None:
    run = supervisors.start(python(IGNORES_TERM + SLEEPS), grace_seconds=1_000_000)
    run.wait_for("on")

    run.spool.order_stop(reason="", grace_seconds=0.1)

    verdict = run.verdict()
    assert (verdict.status, verdict.signal_name) == ("killed", "SIGKILL")
    assert verdict.reason == "Stopped on request."


def test_an_order_that_was_there_first_stops_the_script_too(supervisors: Supervisors) -> None:
    spool = supervisors.spool()
    spool.order_stop(reason="Too late.", grace_seconds=0)

    verdict = supervisors.start(python("import time; time.sleep(600)"), spool=spool).verdict()

    assert (verdict.status, verdict.reason) == ("killed", "Too late.")


def test_an_order_that_comes_after_the_end_changes_nothing(supervisors: Supervisors) -> None:
    script = """
import os, time
print("on")
while not os.path.exists("go"): time.sleep(0.01)
"""
    run = supervisors.start(python(script))
    run.wait_for("on")
    started = wait_until(run.spool.started, "the start")
    os.kill(run.process.pid, signal.SIGSTOP)
    (run.spool.home / "go").touch()
    wait_until(lambda: state(started.child_pid) == "Z", "the script's end")

    run.spool.order_stop(reason="Too late.", grace_seconds=0)
    os.kill(run.process.pid, signal.SIGCONT)

    assert run.verdict().status == "success"


def test_a_supervisor_that_is_asked_to_end_ends_the_script(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    run = supervisors.start(python("import time;" + SLEEPS), sandboxed=sandboxed)
    run.wait_for("on")

    run.process.send_signal(signal.SIGTERM)

    verdict = run.verdict()
    assert (verdict.status, verdict.reason) == (
        "killed",
        "The host asked the supervisor to stop.",
    )


def test_an_order_to_stop_counts_more_than_a_signal_to_the_supervisor(
    supervisors: Supervisors,
) -> None:
    run = supervisors.start(python("import time;" + SLEEPS))
    run.wait_for("on")
    os.kill(run.process.pid, signal.SIGSTOP)
    run.process.send_signal(signal.SIGTERM)

    run.spool.order_stop(reason="Stopped by ann@example.com.", grace_seconds=60)
    os.kill(run.process.pid, signal.SIGCONT)

    assert run.verdict().reason == "Stopped by ann@example.com."


def test_an_order_to_stop_that_cannot_be_read_stops_all_the_same(
    supervisors: Supervisors,
) -> None:
    run = supervisors.start(python("import time;" + SLEEPS))
    run.wait_for("on")

    (run.spool.directory / supervisor.STOP).write_text("{")

    verdict = run.verdict()
    assert (verdict.status, verdict.reason) == ("killed", "Stopped on request.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_terminal_that_goes_away_does_not_end_it(
    supervisors: Supervisors, number: signal.Signals
) -> None:
    script = """
import os, time
print("on")
while not os.path.exists("go"): time.sleep(0.01)
"""
    run = supervisors.start(python(script))
    run.wait_for("on")
    wait_until(run.spool.started, "the start")

    run.process.send_signal(number)
    (run.spool.home / "go").touch()

    assert run.verdict().status == "success"


# -- What a script leaves behind -------------------------------------------------------


def test_what_a_script_leaves_in_the_background_ends_with_it(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    script = """
import subprocess, sys
command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", sys.argv[1]]
subprocess.Popen(command)
print("done")
"""
    token = uuid.uuid4().hex
    run = supervisors.start(python(script, token), sandboxed=sandboxed, token=token)

    verdict = run.verdict()

    assert verdict.status == "success"
    assert run.texts() == ["done"]
    assert processes_with(token) == []


def test_a_daemon_of_the_first_moment_ends_with_its_command(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    # A shell has left it behind before a supervisor written in Python has done anything more.
    command = 'setsid sh -c "sleep 600; true" sh "$1" & exit 0'
    token = uuid.uuid4().hex
    run = supervisors.start(["sh", "-c", command, "sh", token], sandboxed=sandboxed, token=token)

    assert run.verdict().status == "success"
    assert processes_with(token) == []


def test_a_daemon_that_holds_the_output_open_ends_with_its_script(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    script = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        code = "import time; print('daemon'); open('on', 'w').close(); time.sleep(600)"
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-u", "-c", code, sys.argv[1]])
    os._exit(0)
os.wait()
while not os.path.exists("on"): time.sleep(0.01)
print("done")
"""
    token = uuid.uuid4().hex
    run = supervisors.start(python(script, token), sandboxed=sandboxed, token=token)

    wait_until(run.spool.verdict, "the verdict")

    # The supervisor itself is on its way out.
    assert set(processes_with(token)) <= {run.process.pid}
    assert run.verdict().status == "success"
    assert run.texts() == ["daemon", "done"]


# -- The log ---------------------------------------------------------------------------


def test_output_is_kept_byte_for_byte(supervisors: Supervisors) -> None:
    strange = bytes(byte for byte in range(256) if byte != ord("\n"))

    run = supervisors.run(python(f"import os; os.write(1, {strange!r} + b'\\n')"))

    assert run.log() == [Entry("stdout", "F", strange)]


def test_blanks_and_empty_lines_are_kept(supervisors: Supervisors) -> None:
    run = supervisors.run(python(r"print('  two before, two after  \n\n\t\r\nend')"))

    texts = [b"  two before, two after  ", b"", b"\t\r", b"end"]
    assert run.log() == [Entry("stdout", "F", text) for text in texts]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_without_a_newline_at_its_end_is_kept(supervisors: Supervisors, stream: str) -> None:
    run = supervisors.run(python(f"import sys; sys.{stream}.write('one\\ntwo')"))

    assert run.log() == [Entry(stream, "F", b"one"), Entry(stream, "F", b"two")]


def test_no_output_leaves_the_verdict_alone_in_the_log(supervisors: Supervisors) -> None:
    run = supervisors.run(python("pass"))

    assert len(run.whole_log()) == 1
    assert run.last_line().startswith("WALLAROO: success")


def test_streams_that_alternate_keep_their_own_lines_whole(supervisors: Supervisors) -> None:
    script = """
import os
for n in range(500):
    os.write(1, b"out "); os.write(2, b"err ")
    os.write(1, b"%d\\n" % n); os.write(2, b"%d\\n" % n)
"""
    log = supervisors.run(python(script)).log()

    for stream, word in (("stdout", "out"), ("stderr", "err")):
        texts = [entry.text.decode() for entry in log if entry.stream == stream]
        assert texts == [f"{word} {n}" for n in range(500)]


def test_a_line_without_end_is_kept_in_parts_and_in_little_memory(
    supervisors: Supervisors,
) -> None:
    size = 50 * MEGABYTE
    script = f"""
import os, time
for n in range(50): os.write(1, bytes([65 + n % 26]) * {MEGABYTE})
os.write(1, b"\\n"); print("on"); time.sleep(600)
"""
    run = supervisors.start(python(script))
    wait_until(lambda: run.spool.log.exists() and run.spool.log.stat().st_size > size, "50 MB")
    run.wait_for("on")

    assert peak_memory(run.process.pid) < 40 * MEGABYTE

    run.spool.order_stop(reason="", grace_seconds=0)
    run.verdict()
    *parts, last, on = run.log()
    assert {(part.mark, len(part.text)) for part in parts} == {("P", supervisor.MAX_PART_BYTES)}
    assert (last.mark, on) == ("F", Entry("stdout", "F", b"on"))
    whole = b"".join(part.text for part in (*parts, last))
    assert whole == b"".join(bytes([65 + n % 26]) * MEGABYTE for n in range(50))


@pytest.mark.parametrize("size", [16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 32 * 1024])
def test_a_line_as_long_as_a_part_is_one_line(supervisors: Supervisors, size: int) -> None:
    log = supervisors.run(python(f"print('x' * {size}); print('y')")).log()

    assert [entry.mark for entry in log] == ["P"] * ((size - 1) // (16 * 1024)) + ["F", "F"]
    assert b"".join(entry.text for entry in log) == b"x" * size + b"y"


@pytest.mark.parametrize("size", [16 * 1024, 16 * 1024 + 1])
def test_a_line_that_comes_in_pieces_has_the_same_parts(
    supervisors: Supervisors, size: int
) -> None:
    spool = supervisors.spool()
    log = supervisor.Log(str(spool.directory), limit=1 << 40)

    log.feed(b"stdout", b"x" * size)
    log.feed(b"stdout", b"\n")

    window = logstore.read_tail(spool)
    sizes = [len(line.text) for line in window.lines]
    assert sizes == [16 * 1024, 1][: len(sizes)]
    assert sum(sizes) == size
    assert [line.is_partial for line in window.lines] == [True] * (len(sizes) - 1) + [False]


def test_a_million_lines_are_complete_in_order_and_indexed(supervisors: Supervisors) -> None:
    script = """
import sys
for start in range(0, 1_000_000, 10_000):
    sys.stdout.write("".join(f"{n}\\n" for n in range(start, start + 10_000)))
"""
    run = supervisors.start(python(script))

    verdict = run.verdict()

    data = run.spool.log.read_bytes()
    lines = data.split(b"\n")[:-1]
    assert len(lines) == verdict.log_lines == 1_000_001
    assert len(data) == verdict.log_bytes
    assert all(int(line.rpartition(b" ")[2]) == n for n, line in enumerate(lines[:-1]))

    index = memoryview(run.spool.index.read_bytes())
    assert len(index) % supervisor.INDEX_ENTRY_BYTES == 0
    entries = [
        tuple(int.from_bytes(index[at + n : at + n + 8], "little") for n in (0, 8))
        for at in range(0, len(index), supervisor.INDEX_ENTRY_BYTES)
    ]
    starts = [0, *itertools.accumulate(len(line) + 1 for line in lines)]
    assert entries[0] == (0, 0)
    assert all(starts[line] == offset for line, offset in entries)
    gaps = [after[0] - before[0] for before, after in itertools.pairwise(entries)]
    assert max(gaps) < 2 * supervisor.INDEX_EVERY_LINES


def test_lines_over_the_limit_are_counted_and_do_not_change_the_verdict(
    supervisors: Supervisors,
) -> None:
    script = """
import sys, time
for start in range(0, 500_000, 10_000):
    sys.stdout.write("".join(f"{n}\\n" for n in range(start, start + 10_000)))
print("x" * 100_000)
open("written", "w").close()
time.sleep(600)
"""
    limit = MEGABYTE
    run = supervisors.start(python(script), log_limit=limit)
    wait_until((run.spool.home / "written").exists, "the script's last line")

    assert peak_memory(run.process.pid) < 40 * MEGABYTE
    run.spool.order_stop(reason="Enough.", grace_seconds=0)

    verdict = run.verdict()
    assert verdict.status == "killed"
    kept = run.texts()
    assert kept == [str(n) for n in range(len(kept))]
    assert limit <= verdict.log_bytes < limit + 200_000
    # The long line counts once, however many parts it has.
    dropped = 500_001 - len(kept)
    assert f" {dropped} lines were over the log's limit and are not kept" in run.last_line()


def test_notes_open_the_log_line_by_line(supervisors: Supervisors) -> None:
    notes = ["run 7 on café", "two\nlines", "caf\udce9"]

    run = supervisors.run(python("print('on')"), notes=notes)

    assert [entry.text for entry in run.log()] == [
        "WALLAROO: run 7 on café".encode(),
        b"WALLAROO: two",
        b"WALLAROO: lines",
        b"WALLAROO: caf\xe9",
        b"on",
    ]


def test_the_verdict_appears_after_the_last_line_of_the_log(supervisors: Supervisors) -> None:
    run = supervisors.start(python("for n in range(200_000): print(n)"))

    wait_until(run.spool.verdict, "the verdict")

    size = run.spool.log.stat().st_size
    assert run.last_line().startswith("WALLAROO: success")
    verdict = run.verdict()
    assert run.spool.log.stat().st_size == size == verdict.log_bytes


# -- A full disk -----------------------------------------------------------------------


def file_size_limit(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_log_that_cannot_grow_is_a_failure_that_says_so(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    script = """
import time
for n in range(100_000): print(n)
time.sleep(600)
"""
    size = 100_003
    token = uuid.uuid4().hex
    run = supervisors.start(
        python(script, token), sandboxed=sandboxed, token=token, before_exec=file_size_limit(size)
    )

    verdict = run.verdict()

    assert verdict.status == "failure"
    assert verdict.reason == "Its log could not be written any more: File too large."
    data = run.spool.log.read_bytes()
    assert data.endswith(b"\n")
    assert len(data) == verdict.log_bytes <= size
    texts = run.texts()
    assert texts == [str(n) for n in range(len(texts))]
    assert verdict.log_lines == len(run.whole_log())
    assert processes_with(token) == []


def test_an_index_that_cannot_grow_has_no_torn_entry(
    supervisors: Supervisors, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = supervisors.spool()
    log = supervisor.Log(str(spool.directory), limit=1 << 40)
    log.feed(b"stdout", b"first\n" * supervisor.INDEX_EVERY_LINES)

    def fill_up(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "")

    with monkeypatch.context() as patch:
        patch.setattr(supervisor, "_write_all", fill_up)
        with pytest.raises(supervisor.LogFull, match="No space left"):
            log.feed(b"stdout", b"second\n")
    log.note("last words")

    window = logstore.read_tail(spool, lines=2)
    assert [(line.number, line.text) for line in window.lines] == [
        (1000, "first"),
        (1001, "WALLAROO: last words"),
    ]
    assert spool.index.stat().st_size == 2 * supervisor.INDEX_ENTRY_BYTES


def test_a_disk_that_is_full_before_the_start_is_a_failure_without_a_start(
    supervisors: Supervisors,
) -> None:
    size = supervisor.RESERVE_BYTES
    run = supervisors.start(
        python("open('ran', 'w').close()"),
        notes=["x" * 2 * size],
        before_exec=file_size_limit(size),
    )

    verdict = run.verdict()

    assert verdict.status == "failure"
    assert verdict.reason == "It could not be started: File too large."
    assert not (run.spool.home / "ran").exists()


def test_a_start_that_cannot_be_told_ends_the_command(supervisors: Supervisors) -> None:
    spool = supervisors.spool()
    (spool.directory / f"{supervisor.STARTED}.draft").mkdir()
    token = uuid.uuid4().hex
    run = supervisors.start(python("import time; time.sleep(600)", token), spool=spool, token=token)

    verdict = run.verdict()

    assert verdict.status == "failure"
    assert verdict.reason.startswith("It could not be followed any more: ")
    assert processes_with(token) == []


# -- One supervisor, and its death -----------------------------------------------------


def test_a_second_supervisor_refuses_while_the_first_lives(supervisors: Supervisors) -> None:
    first = supervisors.start(python("import time;" + SLEEPS))
    first.wait_for("on")

    second = supervisors.start(python("print('second')"), spool=first.spool)

    assert second.process.wait(60) == 75
    assert first.texts() == ["on"]
    assert first.spool.is_supervised()


def test_a_second_supervisor_refuses_after_the_first_has_ended(supervisors: Supervisors) -> None:
    first = supervisors.run(python("print('first')"))

    second = supervisors.start(python("print('second')"), spool=first.spool)

    assert second.process.wait(60) == 75
    assert first.texts() == ["first"]


def test_sandboxed_code_dies_with_its_supervisor(supervisors: Supervisors) -> None:
    token = uuid.uuid4().hex
    script = IGNORES_TERM + SLEEPS
    run = supervisors.start(python(script, token), sandboxed=True, token=token)
    run.wait_for("on")
    assert processes_with(token)

    run.process.kill()
    run.process.wait(60)

    wait_until(lambda: not processes_with(token), "the end of the sandbox")
    assert not run.spool.is_supervised()
    assert run.spool.verdict() is None


def test_the_lock_is_held_as_long_as_the_supervisor_lives(supervisors: Supervisors) -> None:
    run = supervisors.start(python("import time;" + SLEEPS))
    run.wait_for("on")
    assert run.spool.is_supervised()

    run.spool.order_stop(reason="", grace_seconds=0)
    run.verdict()

    assert not run.spool.is_supervised()


def test_plain_code_does_not_inherit_the_lock(supervisors: Supervisors) -> None:
    run = supervisors.start(python("import time;" + SLEEPS))
    run.wait_for("on")

    run.process.kill()
    run.process.wait(60)

    assert not run.spool.is_supervised()


# -- What the command is given ---------------------------------------------------------


def test_the_start_is_told_with_its_processes(supervisors: Supervisors) -> None:
    run = supervisors.start(python("import os, time; print(os.getpid());" + SLEEPS))
    run.wait_for("on")

    started = wait_until(run.spool.started, "the start")

    assert started.supervisor_pid == run.process.pid
    assert str(started.child_pid) == run.texts()[0]
    assert started.child_born == supervisor.born(started.child_pid) != ""
    run.spool.order_stop(reason="", grace_seconds=0)
    assert run.verdict().started_at == started.started_at


def test_the_command_leads_a_session_of_its_own(supervisors: Supervisors) -> None:
    script = "import os; print(os.getsid(0) == os.getpid() == os.getpgrp())"

    assert supervisors.run(python(script)).texts() == ["True"]


def test_standard_input_is_empty(supervisors: Supervisors, sandboxed: bool) -> None:
    run = supervisors.run(python("import sys; print(repr(sys.stdin.read()))"), sandboxed=sandboxed)

    assert run.texts() == ["''"]


def test_the_environment_given_is_all_there_is(
    supervisors: Supervisors, sandboxed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVERS_OWN", "secret")
    environment = ENVIRONMENT | {"TASK": "7", "EMPTY": ""}
    script = "import json, os; print(json.dumps(dict(os.environ)))"

    run = supervisors.run(python(script), sandboxed=sandboxed, environment=environment)

    seen = json.loads(run.texts()[0])
    seen.pop("PWD", None)  # bwrap says where it has gone.
    assert seen == environment


def test_no_descriptor_but_the_first_three_is_inherited(supervisors: Supervisors) -> None:
    script = """
import os
directory = os.open("/proc/self/fd", os.O_RDONLY)
print(sorted(int(name) for name in os.listdir(directory)), directory)
"""
    # The listing of a descriptor opens one more.
    assert supervisors.run(python(script)).texts() == ["[0, 1, 2, 3, 4] 3"]


def test_no_signal_is_ignored_or_blocked_on_the_commands_behalf(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    command = ["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"]

    run = supervisors.run(command, sandboxed=sandboxed)

    # Signals 32 and 33 are the C library's own: no program can set them.
    own = 0b11 << 31
    assert [int(text.split()[1], 16) & ~own for text in run.texts()] == [0, 0]


def test_a_pipe_that_closes_ends_its_writer(supervisors: Supervisors) -> None:
    run = supervisors.run(["sh", "-c", "(yes; echo $? >&2) | head -n 1"])

    assert sorted(run.texts()) == [str(128 + signal.SIGPIPE), "y"]


# -- What is counted and told ----------------------------------------------------------


def test_peak_memory_and_processor_time_are_counted(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    script = """
import time
kept = b"x" * 150_000_000
until = time.process_time() + 0.3
while time.process_time() < until: pass
"""
    verdict = supervisors.start(python(script), sandboxed=sandboxed).verdict()

    assert verdict.peak_memory_bytes is not None
    assert 150_000_000 <= verdict.peak_memory_bytes < 300_000_000
    assert verdict.cpu_seconds is not None
    assert 0.3 <= verdict.cpu_seconds < 30


def test_the_processor_time_of_children_is_counted_too(
    supervisors: Supervisors, sandboxed: bool
) -> None:
    script = """
import subprocess, sys, time
code = "import time\\nwhile time.process_time() < 0.3: pass"
children = [subprocess.Popen([sys.executable, "-I", "-S", "-c", code]) for _ in range(2)]
for child in children: child.wait()
"""
    verdict = supervisors.start(python(script), sandboxed=sandboxed).verdict()

    assert verdict.cpu_seconds is not None
    assert verdict.cpu_seconds >= 0.6


def test_the_processor_time_of_what_is_left_behind_is_counted_too(
    supervisors: Supervisors,
) -> None:
    script = """
import os, time
def work():
    while time.process_time() < 0.3: pass
if os.fork() == 0:
    work()
    open("worked", "w").close()
    time.sleep(600)
work()
while not os.path.exists("worked"): time.sleep(0.01)
"""
    verdict = supervisors.start(python(script)).verdict()

    assert verdict.cpu_seconds is not None
    assert verdict.cpu_seconds >= 0.6


def test_the_doorbell_rings_at_the_start_and_at_the_end(supervisors: Supervisors) -> None:
    script = """
import os, time
while not os.path.exists("go"): time.sleep(0.01)
"""
    with Doorbell("agent") as bell:
        run = supervisors.start(python(script))

        assert bell.wait(60)
        assert run.spool.started() is not None
        assert run.spool.verdict() is None
        (run.spool.home / "go").touch()
        assert bell.wait(60)
        assert run.spool.verdict() is not None


def state(pid: int) -> str:
    """Return the state of a process: R, S, T, Z."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
