"""GraphQL: what the SDK reads and writes through it, and its limits."""

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from graphql import build_client_schema, get_introspection_query

from orchestrations.models import Orchestration
from tests.api.conftest import ApiClient, client_of
from tests.factories import make_orchestration, make_user
from wallaroo_ui.accounts import services
from wallaroo_ui.accounts.models import Scope, User
from wallaroo_ui.workspaces.models import Membership, Workspace

pytestmark = pytest.mark.django_db

WORKSPACE = """
query ($id: bigint!) {
  workspace_by_pk(id: $id) {
    id name archived created_at created_by
    users { user_id } models(order_by: [{updated_at: asc}]) { id } pipelines { id }
  }
}
"""
ORCHESTRATION = """
query ($id: uuid!) {
  orchestration_by_pk(id: $id) {
    id name file_name file_size owner_id sha status task_id workspace_id created_at updated_at
    created_by created_on_version image_path
  }
}
"""
DEFAULT = """
query ($user: String!) {
  user_default_workspace(where: {user_id: {_eq: $user}}) { workspace { id name } }
}
"""
MAKE = """
mutation ($object: workspace_insert_input!) {
  insert_workspace_one(
    object: $object, on_conflict: {constraint: workspace_name_key, update_columns: []}
  ) { id name created_by }
}
"""
REMOVE = """
mutation ($user: String!, $workspace: bigint!) {
  delete_workspace_users(
    where: {user_id: {_eq: $user}, _and: {workspace_id: {_eq: $workspace}}}
  ) { affected_rows }
}
"""


def test_the_schema_can_be_fetched_as_the_sdk_does(api: ApiClient) -> None:
    answer = api.ask(get_introspection_query())
    schema = build_client_schema(answer["data"])
    assert {"workspace_by_pk", "orchestration_by_pk", "user_default_workspace"} <= set(
        schema.query_type.fields  # type: ignore[union-attr]
    )


def test_a_workspace_and_its_members(api: ApiClient, workspace: Workspace, owner: User) -> None:
    shown = api.ask(WORKSPACE, id=workspace.pk)["data"]["workspace_by_pk"]
    members = [str(pk) for pk in Membership.objects.order_by("created_at").filter(
        workspace=workspace).values_list("user", flat=True)]  # fmt: skip
    assert (
        shown
        | {
            "id": workspace.pk,
            "name": "team",
            "archived": False,
            "users": [{"user_id": pk} for pk in members],
            "models": [],
            "pipelines": [],
        }
        == shown
    )


def test_an_orchestration(api: ApiClient, orchestration: Orchestration, owner: User) -> None:
    shown = api.ask(ORCHESTRATION, id=str(orchestration.pk))["data"]["orchestration_by_pk"]
    over_rest = api.post("orchestration/get_by_id", {"id": str(orchestration.pk)}).json()
    assert shown == over_rest
    assert shown["owner_id"] == str(owner.pk)


def test_what_one_may_not_see_is_null(orchestration: Orchestration, stranger: User) -> None:
    client = client_of(stranger)
    for query, foreign, unknown in (
        (WORKSPACE, orchestration.workspace_id, 987654),
        (ORCHESTRATION, str(orchestration.pk), str(uuid4())),
    ):
        assert client.ask(query, id=foreign) == client.ask(query, id=unknown)
        assert list(client.ask(query, id=foreign)["data"].values()) == [None]


def test_the_default_workspace_of_a_person(api: ApiClient, owner: User, stranger: User) -> None:
    own = Workspace.objects.get(default_for=owner)
    answer = api.ask(DEFAULT, user=str(owner.pk))["data"]["user_default_workspace"]
    assert answer == [{"workspace": {"id": own.pk, "name": own.name}}]
    assert api.ask(DEFAULT, user=str(stranger.pk))["data"] == {"user_default_workspace": []}


def test_making_the_default_workspace_again_returns_it(api: ApiClient, owner: User) -> None:
    own = Workspace.objects.get(default_for=owner)
    wanted = {
        "name": own.name,
        "users": {"data": [{"user_id": str(owner.pk), "user_type": "OWNER"}]},
        "user_default_workspaces": {"data": [{"user_id": str(owner.pk)}]},
    }
    made = api.ask(MAKE, object=wanted)["data"]["insert_workspace_one"]
    assert made == {"id": own.pk, "name": own.name, "created_by": str(owner.pk)}


def test_making_a_workspace_by_name(api: ApiClient, workspace: Workspace, stranger: User) -> None:
    made = api.ask(MAKE, object={"name": "fraud"})["data"]["insert_workspace_one"]
    assert Workspace.objects.get(pk=made["id"]).name == "fraud"
    assert api.ask(MAKE, object={"name": "team"})["data"]["insert_workspace_one"]["id"] == (
        workspace.pk
    )
    refused = client_of(stranger).ask(MAKE, object={"name": "team"})
    assert refused["data"] == {"insert_workspace_one": None}
    assert refused["errors"][0]["message"] == "There is a workspace team already."


def test_removing_a_member(
    api: ApiClient, workspace: Workspace, viewer: User, collaborator: User
) -> None:
    def remove(client: ApiClient, user: User) -> Any:
        return client.ask(REMOVE, user=str(user.pk), workspace=workspace.pk)

    refused = remove(client_of(collaborator), viewer)
    assert "Only an owner" in refused["errors"][0]["message"]
    assert remove(api, viewer)["data"] == {"delete_workspace_users": {"affected_rows": 1}}
    assert remove(api, viewer)["data"] == {"delete_workspace_users": {"affected_rows": 0}}
    foreign = remove(client_of(make_user()), collaborator)
    assert "nothing here" in foreign["errors"][0]["message"]


@pytest.mark.parametrize(
    "where",
    [
        "{}",
        "{_and: null}",
        "{user_id: null, workspace_id: {_eq: %d}}",
        "{user_id: {}, workspace_id: {_eq: %d}}",
        "{user_id: {_eq: null}, workspace_id: {_eq: %d}}",
        '{user_id: {_eq: "x"}, workspace_id: null}',
    ],
)
def test_a_removal_that_does_not_say_of_whom_is_refused_in_words(
    api: ApiClient, workspace: Workspace, where: str
) -> None:
    before = Membership.objects.count()
    where = where.replace("%d", str(workspace.pk))
    answer = api.ask(f"mutation {{ delete_workspace_users(where: {where}) {{ affected_rows }} }}")
    words = "Name one user_id and one workspace_id."
    assert [error["message"] for error in answer["errors"]] == [words]
    assert Membership.objects.count() == before


@pytest.mark.parametrize("where", ["null", "{}", "{user_id: null}", "{user_id: {_eq: null}}"])
def test_the_default_workspace_is_one_s_own_unless_said(
    api: ApiClient, owner: User, where: str
) -> None:
    answer = api.ask(f"{{ user_default_workspace(where: {where}) {{ workspace {{ id }} }} }}")
    own = Workspace.objects.get(default_for=owner)
    assert answer["data"]["user_default_workspace"] == [{"workspace": {"id": own.pk}}]


def test_a_name_with_a_nul_in_it_is_refused_in_words(api: ApiClient) -> None:
    query = r'mutation { insert_workspace_one(object: {name: "a\u0000"}) { id } }'
    assert "NUL" in api.ask(query)["errors"][0]["message"]


def test_a_token_that_may_not_manage_changes_nothing(owner: User) -> None:
    _, text = services.create_api_token(
        user=owner, name="ci", scope=Scope.RUN, lifetime=None, at=timezone.now()
    )
    client = ApiClient(text)
    body = {"query": MAKE, "variables": {"object": {"name": "fraud"}}}
    assert client.send("POST", "/v1/graphql", body).status_code == 403
    assert client.ask("{ __typename }") == {"data": {"__typename": "query_root"}}


@pytest.mark.parametrize(
    "query",
    [
        "{ workspace_by_pk(id: 1) { nope } }",
        '{ workspace_by_pk(id: "1") { id } }',
        "{ workspace_by_pk(id: 99999999999999999999) { id } }",
        '{ orchestration_by_pk(id: "7") { id } }',
        "{ " * 40 + "}" * 40,
        "{ workspace_by_pk(id: 1) { id } }" + " " * 10 + "# " + "x" * 10 + "\n" + "{ id " * 2000,
        "{ __schema { types { " + "fields { type { " * 8 + "name" + " } }" * 8 + " } } }",
        "fragment a on query_root { ...a } { ...a }",
        "",
        "}",
    ],
    ids=lambda query: query[:40],
)
def test_a_bad_query_is_refused_with_errors(api: ApiClient, query: str) -> None:
    answer = api.ask(query)
    assert answer["errors"]
    assert not answer.get("data")


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"query": 7}', '{"query": "{id}", "variables": 7}', "\xff"]
)
def test_a_bad_body_is_refused_in_words(api: ApiClient, body: str) -> None:
    response = api.send("POST", "/v1/graphql", body)
    assert response.status_code == 400
    assert response.json()["msg"]


def test_a_short_query_that_asks_for_very_much_is_refused(api: ApiClient) -> None:
    def many(what: str) -> str:
        return " ".join(f"a{number}: {what}" for number in range(20))

    query = (
        f"{{ {many('__schema { types { ...Type } }')} }}"
        f"fragment Type on __Type {{ {many('fields { ...Field }')} }}"
        f"fragment Field on __Field {{ {many('name')} }}"
    )
    answer = api.ask(query)
    assert not answer.get("data")
    assert [error["message"] for error in answer["errors"]] == [
        "The query asks for more than 400 fields, with its fragments."
    ]


def test_nobody_reads_the_schema_without_a_token() -> None:
    response = ApiClient().send("POST", "/v1/graphql", {"query": get_introspection_query()})
    assert (response.status_code, response.json()["code"]) == (401, 401)


def test_only_post_is_taken(api: ApiClient) -> None:
    response = api.send("GET", "/v1/graphql")
    assert (response.status_code, response["Allow"], response.json()["code"]) == (405, "POST", 405)


def test_a_fault_of_ours_is_not_told(
    api: ApiClient, orchestration: Orchestration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(orchestration: Orchestration) -> None:
        raise RuntimeError("the secret path is /etc/shadow")

    monkeypatch.setattr("wallaroo_ui.api.graphql.OrchestrationOut.of", fail)
    answer = api.ask(ORCHESTRATION, id=str(orchestration.pk))
    assert answer["data"] == {"orchestration_by_pk": None}
    assert "secret" not in str(answer)


@pytest.mark.parametrize("count", [1, 20])
def test_a_workspace_costs_as_many_queries_however_many_members(
    owner: User, workspace: Workspace, django_assert_num_queries: Any, count: int
) -> None:
    for _ in range(count):
        Membership.objects.create(workspace=workspace, user=make_user())
        make_orchestration(workspace)
    client = client_of(owner)
    with django_assert_num_queries(3):  # The caller, the workspace, its members.
        client.ask(WORKSPACE, id=workspace.pk)
