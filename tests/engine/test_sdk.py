"""The official SDK, unmodified, inside a run: the in-task contract from end to end."""

import pytest
from django.core.files.base import ContentFile

from orchestrations import samples
from orchestrations import services as orchestrations
from orchestrations.models import Orchestration
from tasks.models import TaskRun
from tests.engine.test_runs import log_text
from tests.factories import make_user, make_workspace, make_zip, start_task
from tests.processes import Processes, finished
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.engine

# The specification's own lines, and what it prints of them.
SAMPLE = """
import wallaroo

# get the arguments
wl = wallaroo.Client()

# if true, get the arguments passed to the task
if wl.in_task():
    arguments = wl.task_args()

    # arguments is a key/value pair, set the workspace and pipeline name
    workspace_name = arguments['workspace_name']
    pipeline_name = arguments['pipeline_name']

# False: We're not in a Task, so set the pipeline manually
else:
    workspace_name="bigqueryworkspace"
    pipeline_name="bigquerypipeline"

print(workspace_name, pipeline_name)
"""

# The access token has run out: the SDK has to fetch a new one, again and again.
EXPIRED = (
    SAMPLE
    + """
import json, pathlib
cache = pathlib.Path.home() / ".cache/wallaroo_sdk/auth/keycloak.json"
content = json.loads(cache.read_text())
cache.write_text(json.dumps(content | {"expiry": 0}))
for _ in range(2):
    header = wallaroo.Client().auth.auth_header()["Authorization"]
    print(header.startswith("Bearer "), content["access_token"] in header)
print(wl.auth.user_email())
"""
)


@pytest.fixture
def server(processes: Processes) -> Processes:
    """The whole server, with the environment that users have."""
    processes.variables |= {
        "BASE_REQUIREMENTS": "wallaroo==2026.1.3,requests",
        "TASK_SERVER_URL": processes.url,
    }
    processes.start("serve")
    return processes


def packaged(orchestration: Orchestration) -> Orchestration:
    packaging = orchestration.latest_packaging
    assert packaging is not None
    assert finished(packaging, seconds=300).status == Status.SUCCESS
    orchestration.refresh_from_db()
    return orchestration


def run(orchestration: Orchestration, user: User, arguments: dict[str, object]) -> TaskRun:
    task = start_task(orchestration, user=user, arguments=arguments, timeout_seconds=120)
    return finished(task.runs.get(), seconds=120)


def test_the_sdk_and_the_sample_work_in_a_task(server: Processes) -> None:
    user, workspace = make_user("ann"), make_workspace()
    orchestration = packaged(
        orchestrations.upload_orchestration(
            workspace=workspace,
            file=ContentFile(make_zip({"main.py": EXPIRED})),
            file_name="sample.zip",
            name="",
            user=user,
        )
    )

    ended = run(orchestration, user, {"workspace_name": "w", "pipeline_name": "p"})

    lines = log_text(ended)
    assert ended.status == Status.SUCCESS, lines
    assert "w p" in lines
    assert lines.count("True False") == 2
    assert "ann@example.com" in lines

    donuts = packaged(samples.upload_donuts(workspace=workspace, user=user))
    ordered = run(donuts, user, {"donuts": 2, "glaze": "maple"})
    assert "Receipt: 2 x 1.25 = 2.50. Enjoy!" in log_text(ordered)
    refused = run(donuts, user, {"glaze": "mustard"})
    assert refused.status == Status.FAILURE
