"""Calling the API as somebody."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tasks.models import TaskRun
from wallaroo_ui.accounts import tokens
from wallaroo_ui.accounts.models import User

HOUR = timedelta(hours=1)

Call = Callable[..., HttpResponse]


class ApiClient:
    """Sends JSON with a bearer token, as the SDK does; a body may be text, to be wrong."""

    def __init__(self, token: str = "") -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method: str, path: str, body: Any = None) -> Any:
        content = body if isinstance(body, str | bytes) else json.dumps(body or {})
        return self.client.generic(
            method, path, content, content_type="application/json", headers=self.headers
        )

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", f"/v1/api/{path}", body)

    def ask(self, query: str, **variables: Any) -> Any:
        """Ask GraphQL, and return the whole answer."""
        body = {"query": query, "variables": variables}
        return self.send("POST", "/v1/graphql", body).json()

    def upload(self, **parts: Any) -> Any:
        return self.client.post("/v1/api/orchestration/upload", parts, headers=self.headers)


def client_of(user: User, run: TaskRun | None = None) -> ApiClient:
    key = run.pk if run else None
    return ApiClient(tokens.access_token(user, lifetime=HOUR, run=key))


@pytest.fixture
def api(owner: User) -> ApiClient:
    """The API, as the owner of the workspace."""
    return client_of(owner)
