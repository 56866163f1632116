"""Behind a proxy: whose address a request comes from."""

import json
import urllib.request

import pytest

from tests.processes import Processes
from wallaroo_ui.accounts.models import DeviceAuthorization

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded_for", "address"),
    [
        ("true", "203.0.113.9, 192.0.2.7", "192.0.2.7"),  # The first part is anybody's claim.
        ("true", None, "127.0.0.1"),
        ("false", "192.0.2.7", "127.0.0.1"),
    ],
)
def test_the_clients_address_is_the_one_that_the_proxy_saw(
    behind_proxy: str, forwarded_for: str | None, address: str
) -> None:
    processes = Processes(BEHIND_PROXY=behind_proxy)
    try:
        processes.start_web()
        request = urllib.request.Request(
            f"{processes.url}/auth/realms/master/protocol/openid-connect/auth/device", data=b""
        )
        if forwarded_for:
            request.add_header("X-Forwarded-For", forwarded_for)
            request.add_header("X-Forwarded-Proto", "https")
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    finally:
        processes.end()

    assert DeviceAuthorization.objects.get().address == address
    scheme = "https" if behind_proxy == "true" and forwarded_for else "http"
    assert answer["verification_uri"].startswith(f"{scheme}://127.0.0.1:")
