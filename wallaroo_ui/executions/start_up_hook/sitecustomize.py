"""Make the SDK's fixed path work where no sandbox gives a run its own /home/jovyan.

The official SDK opens `/home/jovyan/arguments.json`, whatever the home is. Without a
sandbox that path cannot be each run's own, so opening it opens the run's own file.
Used by plain-process runs only, by way of PYTHONPATH.
"""

import builtins
import os
from typing import Any

FIXED = "/home/jovyan/arguments.json"
_open = builtins.open


def _open_own(file: Any, *arguments: Any, **options: Any) -> Any:
    if file == FIXED:
        file = os.path.join(os.environ["HOME"], "arguments.json")  # noqa: PTH118
    return _open(file, *arguments, **options)


builtins.open = _open_own
