"""The packager's words for what the installer complains of."""

from pathlib import Path

import pytest

from orchestrations.environments import base_environment, environment_for
from orchestrations.packager import explain, normal_name

BUILD_FAILED = """error: Failed to build `pyarrow==9.0.0`
  cause: The build backend returned an error
         ModuleNotFoundError: No module named 'pkg_resources'

hint: `pyarrow` (v9.0.0) was included because `google-cloud-bigquery` (v3.3.2) depends on `pyarrow`
"""
NO_WHEEL = """error: No solution found when resolving dependencies
  cause: Because betterproto==1.2.5 has no usable wheels and dbt-core==1.4.5 depends on
         betterproto==1.2.5, we can conclude that dbt-core==1.4.5 cannot be used.

hint: Wheels are required for `betterproto` because building from source is disabled
"""
NOT_FOUND = """error: No solution found when resolving dependencies
  cause: Because nosuch-zzz was not found in the package registry and you require nosuch-zzz==1,
         we can conclude that your requirements are unsatisfiable."""
NO_VERSION = """error: No solution found when resolving dependencies
  cause: Because there is no version of six==99 and you require six==99, we can conclude that
         your requirements are unsatisfiable."""
CONFLICT = """error: No solution found when resolving dependencies
  cause: Because pandas==1.5.3 depends on numpy<2 and you require numpy>=2, we can conclude that
         your requirements are unsatisfiable."""
OFFLINE = """error: Request failed after 3 retries in 6.9s
  cause: Failed to fetch: http://index.invalid/six/
  cause: client error (Connect)"""


@pytest.mark.parametrize(
    ("complaint", "requirements", "words"),
    [
        (
            BUILD_FAILED,
            ["six", "google-cloud-bigquery==3.3.2"],
            "google-cloud-bigquery==3.3.2 cannot be installed: it needs pyarrow==9.0.0",
        ),
        (
            BUILD_FAILED,
            ["google-cloud-bigquery"],
            "not be built from source on this Python (No module named 'pkg_resources').",
        ),
        (BUILD_FAILED, ["pyarrow==9.0.0"], "pyarrow==9.0.0"),
        (NO_WHEEL, ["dbt-core==1.4.5"], "dbt-core==1.4.5 cannot be installed: betterproto has no"),
        (
            NOT_FOUND,
            ["NoSuch_zzz==1"],
            "NoSuch_zzz==1 cannot be installed: the index has no",
        ),
        (NO_VERSION, ["six==99"], "six==99 cannot be installed: the index has no such version."),
        (
            CONFLICT,
            ["pandas<2", "numpy>=2"],
            "contradict each other. Because pandas==1.5.3",
        ),
        (OFFLINE, ["six"], "could not be reached (client error (Connect)). Package"),
        ("something new", ["six"], "could not be installed: something new"),
    ],
)
def test_the_culprit_is_named_in_words(complaint: str, requirements: list[str], words: str) -> None:
    assert words in explain(complaint, requirements)


@pytest.mark.parametrize("text", ["A_b.C", "a-b-c>=1", "a--b__c[extra] ; python_version>'3'"])
def test_names_are_compared_as_the_index_does(text: str) -> None:
    assert normal_name(text) == "a-b-c"


def test_an_environment_is_named_after_its_content() -> None:
    root = Path("/environments")
    base = base_environment(root, ["sdk==1"])

    assert environment_for(root, ["sdk==1"], []) == base
    layer = environment_for(root, ["sdk==1"], ["a", "b"])
    assert layer == environment_for(root, ["sdk==1"], ["b", "a"])
    assert layer != environment_for(root, ["sdk==2"], ["a", "b"])
    assert layer != environment_for(root, ["sdk==1"], ["a"])
