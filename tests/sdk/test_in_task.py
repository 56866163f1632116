"""The SDK inside a run: what a script of a task finds, and how it calls back."""

import json
from typing import Any

import pytest

from tests.sdk.conftest import ended, ready, text_of, upload

pytestmark = pytest.mark.engine

# Whatever kind of login a notebook asks for, in a task it is the task's own.
SCRIPT = """
import json, os, pathlib
import wallaroo

wl = wallaroo.Client(auth_type="sso")
say = lambda *words: print(*map(json.dumps, words))
say("in task", wl.in_task())
say("arguments", wl.task_args())
say("whoami", wl.auth.user_email(), wl.auth.user_id())
say("orchestrations", [each.id() for each in wl.list_orchestrations()])

task = wl.get_task_by_id(os.environ["WALLAROO_TASK_ID"])
say("myself", task.name(), task.status(), [run._status for run in task.last_runs()])

cache = pathlib.Path.home() / ".cache/wallaroo_sdk/auth/keycloak.json"
login = json.loads(cache.read_text())
cache.write_text(json.dumps(login | {"expiry": 0, "access_token": "worn out"}))
for client in (wl, wallaroo.Client()):
    for _ in range(2):
        header = client.auth.auth_header()["Authorization"]
        say("refreshed", "worn out" not in header, len(client.list_tasks()))
"""


def said(run: Any) -> dict[str, list[Any]]:
    """Return what the script said, by its first word."""
    decoder = json.JSONDecoder()
    found: dict[str, list[Any]] = {}
    for line in text_of(run):
        words: list[Any] = []
        rest = line
        while rest:
            word, end = decoder.raw_decode(rest)
            words, rest = [*words, word], rest[end:].lstrip()
        found[words[0]] = found.get(words[0], []) + words[1:]
    return found


def test_a_script_in_a_task_has_its_arguments_and_its_person_s_rights(
    ann: Any, workspace: Any
) -> None:
    orchestration = ready(upload(ann, SCRIPT))
    arguments = {"workspace_name": workspace.name(), "number": 3.5, "nested": {"list": [1, None]}}

    run = ended(orchestration.run_once("itself", arguments))

    words = said(run)
    assert run._status == "success"
    assert words["in task"] == [True]
    assert words["arguments"] == [arguments]
    assert words["whoami"] == ["ann@example.com", ann.auth.user_id()]
    assert orchestration.id() in words["orchestrations"][0]
    assert words["myself"] == ["itself", "started", ["running"]]
    # Four calls with a token that had run out, each with one that is new.
    assert words["refreshed"][::2] == [True] * 4
    assert all(count >= 1 for count in words["refreshed"][1::2])


def test_a_client_outside_is_in_no_task(ann: Any) -> None:
    assert ann.in_task() is False


def test_the_sample_that_a_new_server_has_runs(admin: Any) -> None:
    quickstart = admin.get_workspace("quickstart")
    [donuts] = admin.list_orchestrations(workspace_id=quickstart.id())
    ready(donuts)

    task = donuts.run_once("order", {"donuts": 2, "glaze": "maple"})

    assert "Receipt: 2 x 1.25 = 2.50. Enjoy!" in text_of(ended(task))
