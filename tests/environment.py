"""The environment of the tests, set before Django reads its settings.

Loaded by `-p tests.environment` (pyproject.toml). Nothing of a developer's own server
is touched: the data folder is a temporary one, gone afterwards. DATABASE_URL is taken
over, so that the same tests run on SQLite and on PostgreSQL.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

DATA_DIR = tempfile.mkdtemp(prefix="wallaroo-test-")
(Path(DATA_DIR) / "static").mkdir()  # Where `make run` collects static files.
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)

for name in ("ALLOWED_HOSTS", "DEBUG", "PRODUCTION", "HOST", "PORT", "RUN_SLOTS", "CONN_MAX_AGE"):
    os.environ.pop(name, None)

os.environ |= {
    "DATA_DIR": DATA_DIR,
    "SECRET_KEY": "tests-only",
    "ENCRYPTION_KEYS": "tests-only-tests-only-tests-only",
    "NODE_NAME": "testnode",
    # The SDK's 63 packages are for the acceptance tests; a tiny base does for the rest.
    "BASE_REQUIREMENTS": "six",
    "STOP_GRACE_SECONDS": "1",
    # Playwright's plain interface keeps an event loop in the thread of the tests.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
}
