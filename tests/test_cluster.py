"""The cluster: what becomes of it when one of its processes dies."""

import signal
from types import SimpleNamespace

import pytest
from django_q.cluster import Sentinel

from wallaroo_ui.management.commands.cluster import StrictSentinel


@pytest.mark.parametrize("exit_code", [0, 1, None])
def test_a_process_that_ended_by_itself_is_replaced(
    exit_code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced: list[object] = []
    monkeypatch.setattr(Sentinel, "reincarnate", lambda self, process: replaced.append(process))
    process = SimpleNamespace(exitcode=exit_code)

    StrictSentinel.__new__(StrictSentinel).reincarnate(process)

    assert replaced == [process]


def test_a_process_that_was_killed_takes_the_cluster_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("os._exit", leave)
    process = SimpleNamespace(exitcode=-signal.SIGKILL)

    with pytest.raises(SystemExit, match="1"):
        StrictSentinel.__new__(StrictSentinel).reincarnate(process)
