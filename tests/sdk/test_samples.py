"""The specification's own samples of the SDK, pasted in order into a new notebook.

They are as they stand there, with their line breaks restored. Three things are not: the
number of a workspace, which is another on every server; a schedule given in braces, a set,
which the SDK itself cannot send; and nobody waits for the minute in `time.sleep(60)`.
"""
# ruff: noqa: E501

from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_zip
from tests.processes import wait_until
from tests.sdk.conftest import PASSWORD, Sdk, ended, ready, text_of
from tests.sdk.shown import fields

pytestmark = pytest.mark.engine

# "… using the wallaroo.in_task() and wallaroo.task_args() methods within an Orchestration."
IN_TASK = """
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
"""

ARGUMENTS = """
import wallaroo
import pandas as pd
import pyarrow as pa
import requests
import time

# create a Wallaroo client
wl = wallaroo.Client()

# get the arguments
arguments = wl.task_args()

if "workspace_name" in arguments:
    workspace_name = arguments['workspace_name']
else:
    workspace_name="simpleorchestrationworkspace"

if "pipeline_name" in arguments:
    pipeline_name = arguments['pipeline_name']
else:
    pipeline_name="simpleorchestrationpipeline"

if "connection_name" in arguments:
    connection_name = arguments['connection_name']
else:
    connection_name = "external_inference_connection"
"""

# "The following script executes and completes without any loops …"
COMPLETES = (
    ARGUMENTS
    + """
# print the parameters
print(workspace_name)
print(pipeline_name)
print(connection_name)
"""
)

# "The following script will loop forever, generating only one Task Run …"
LOOPS = (
    ARGUMENTS
    + """
while True:
    print(workspace_name)
    print(pipeline_name)
    print(connection_name)
    # wait 60 seconds then print again
    time.sleep(60)
"""
)

SET_UP = """
import types
import wallaroo

wl = wallaroo.Client()
workspace_name = "simpleorchestrationworkspace"
pipeline_name = "simpleorchestrationpipeline"
connection_name = "external_inference_connection"
sample_task_name = "continuoustaskdemo"
wl.set_current_workspace(wl.get_workspace(name=workspace_name, create_if_not_exist=True))
time = types.SimpleNamespace(sleep=lambda seconds: None)
"""

RUN_ONCE = """
task = orchestration.run_once(name="house price run once 2", json_args={"workspace_name": workspace_name,
                                                                        "pipeline_name":pipeline_name,
                                                                        "connection_name": connection_name
                                                                        }
                              )
task
"""

RUN_SCHEDULED = """
task_scheduled = orchestration.run_scheduled(name="schedule example",
                                             timeout=600,
                                             schedule=schedule,
                                             json_args={"workspace_name": workspace_name,
                                                        "pipeline_name": pipeline_name,
                                                        "connection_name": connection_name
                                                        })
task_scheduled
"""

RUN_CONTINUOUSLY = """
task_continuously = orchestration.run_continuously(name=sample_task_name,
                                                   json_args={"workspace_name": workspace_name,
                                                              "pipeline_name": pipeline_name,
                                                              "connection_name": connection_name
                                                              })
display(task_continuously)
"""

LOGS = """
# give time for the task to complete and the log files entered
time.sleep(60)

recent_run = task.last_runs()[0]
display(recent_run.logs())
"""

PARAMETERS = [
    "simpleorchestrationworkspace",
    "simpleorchestrationpipeline",
    "external_inference_connection",
]


@pytest.fixture
def notebook(sdk: Sdk, newcomer: Any) -> Any:
    """The notebook of somebody new: cells go in, what their last line says comes out."""
    variables = sdk.variables(
        sdk.new_home(),
        WALLAROO_SDK_AUTH_TYPE="user_password",
        WALLAROO_USER=newcomer.auth.user_email(),
        WALLAROO_PASSWORD=PASSWORD,
    )
    sdk.interpreter.call("os.environ.update", variables)
    return sdk.interpreter.call("IPython.core.interactiveshell.InteractiveShell")


def test_the_samples_of_the_specification_run_as_they_stand(notebook: Any, tmp_path: Path) -> None:
    def paste(cell: str) -> Any:
        result = notebook.run_cell(cell)
        result.raise_error()
        return result.result

    def upload(script: str) -> Any:
        archive = tmp_path / "remote_inference.zip"
        archive.write_bytes(make_zip({"main.py": script, "requirements.txt": "\n"}))
        paste(f"orchestration = wl.upload_orchestration(path={str(archive)!r})")
        ready(paste("orchestration"))

    paste(SET_UP)
    upload(IN_TASK + "print(workspace_name, pipeline_name)")
    in_task = paste(RUN_ONCE)
    upload(LOOPS)
    paste(RUN_CONTINUOUSLY)
    upload(COMPLETES)
    assert fields(paste(RUN_ONCE))["Type"] == "Temporary Run"
    for schedule in ("42 * * * *", "00 1 * * 0", "*/5 * * * *"):
        paste(f"schedule={schedule!r}")
        assert fields(paste(RUN_SCHEDULED))["Schedule"] == schedule

    number = paste("wl.get_current_workspace().id()")
    for options in ("", f"workspace_id={number}", "workspace_name='simpleorchestrationworkspace'"):
        orchestrations = paste(f"wl.list_orchestrations({options})")
        assert [each.file_name() for each in orchestrations] == ["remote_inference.zip"] * 3
        tasks = paste(f"wl.list_tasks({options})")
        assert [each.name() for each in tasks] == [
            *["schedule example"] * 3,
            "house price run once 2",
            "continuoustaskdemo",
            "house price run once 2",
        ]

    paste("task2 = task_scheduled\ndisplay(task2.status())")
    assert repr(paste("task2.kill()")) == "<ArbexStatus.PENDING_KILL: 'pending_kill'>"

    ended(paste("task"))
    assert [run._status for run in paste("task.last_runs()")] == ["success"]
    paste(LOGS)
    assert text_of(paste("recent_run")) == PARAMETERS
    assert text_of(ended(in_task)) == [" ".join(PARAMETERS[:2])]

    task_continuously = paste("task_continuously")
    wait_until(lambda: said_first(task_continuously) == PARAMETERS, "the loop's first lines")
    assert len(task_continuously.last_runs()) == 1
    paste("for task in wl.list_tasks():\n    task.kill()")


def said_first(task: Any) -> list[str]:
    """Return the first three lines of a task's newest run; a loop may say them again."""
    return [line for run in task.last_runs(limit=1) for line in text_of(run)[:3]]
