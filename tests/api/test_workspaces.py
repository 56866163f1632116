"""Workspaces, members and people over REST, and over Keycloak's paths."""

from typing import Any

import pytest

from tests.api.conftest import ApiClient, client_of
from tests.factories import add_member, make_user, make_workspace
from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces.models import Membership, Role, Workspace

pytestmark = pytest.mark.django_db

USERS = "/auth/admin/realms/master/users"


def role_of(workspace: Workspace, user: User) -> str | None:
    membership = Membership.objects.filter(workspace=workspace, user=user).first()
    return membership.role if membership else None


def test_the_list_is_whole_for_what_one_may_see(
    api: ApiClient, workspace: Workspace, owner: User
) -> None:
    make_workspace()  # Of others.
    rows = api.post("workspaces/list").json()["workspaces"]
    own = Workspace.objects.get(default_for=owner)
    assert {row["id"] for row in rows} == {workspace.pk, own.pk}
    for row in rows:
        assert row.keys() == {
            "id", "name", "created_at", "created_by", "archived", "models", "pipelines",
        }  # fmt: skip
    of_viewer = api.post("workspaces/list", {"user_id": str(make_user().pk)}).json()
    assert of_viewer == {"workspaces": []}


@pytest.mark.parametrize("name", ["a", "Fraud-Detection_2", "x" * 64])
def test_a_new_workspace_belongs_to_who_made_it(api: ApiClient, owner: User, name: str) -> None:
    pk = api.post("workspaces/create", {"workspace_name": name}).json()["workspace_id"]
    made = Workspace.objects.get(pk=pk)
    assert (made.name, made.created_by, role_of(made, owner)) == (name, owner, "owner")


@pytest.mark.parametrize("name", ["", " ", "-a", "a b", "a/b", "Zürich", "x" * 65, "a\n"])
def test_a_name_that_is_none_is_refused(api: ApiClient, name: str) -> None:
    before = Workspace.objects.count()
    response = api.post("workspaces/create", {"workspace_name": name})
    assert response.status_code == 400
    assert response.json()["msg"].startswith("A workspace's name has")
    assert Workspace.objects.count() == before


def test_a_name_that_is_taken_is_refused_even_by_what_one_may_not_see(api: ApiClient) -> None:
    make_workspace(name="taken")
    response = api.post("workspaces/create", {"workspace_name": "taken"})
    assert (response.status_code, response.json()["msg"]) == (
        400, "There is a workspace taken already.",
    )  # fmt: skip


@pytest.mark.parametrize("key", ["email", "user_id"])
@pytest.mark.parametrize("word", ["collaborator", "OWNER", "viewer", None])
def test_people_are_added_with_a_role(
    api: ApiClient, workspace: Workspace, stranger: User, key: str, word: str | None
) -> None:
    value = stranger.email.upper() if key == "email" else str(stranger.pk)
    body: dict[str, Any] = {"workspace_id": workspace.pk, key: value, "url": "ignored"}
    response = api.post("workspaces/add_user", body | ({"user_type": word} if word else {}))
    assert (response.status_code, response.json()) == (200, {})
    assert role_of(workspace, stranger) == (word or "collaborator").lower()


def test_a_member_gets_another_role(api: ApiClient, workspace: Workspace, viewer: User) -> None:
    body = {"workspace_id": workspace.pk, "user_id": str(viewer.pk), "user_type": "owner"}
    assert api.post("workspaces/add_user", body).status_code == 200
    assert role_of(workspace, viewer) == "owner"
    members = api.post("workspaces/list_users", {"workspace_id": workspace.pk}).json()["users"]
    assert {"user_id": str(viewer.pk), "user_type": "OWNER"} in members


def test_a_workspace_keeps_an_owner(api: ApiClient, workspace: Workspace, owner: User) -> None:
    member = {"workspace_id": workspace.pk, "user_id": str(owner.pk)}
    for path, body in (
        ("workspaces/add_user", member | {"user_type": "viewer"}),
        ("workspaces/remove_user", member),
    ):
        response = api.post(path, body)
        assert response.status_code == 400
        assert "no owner left" in response.json()["msg"]
    assert role_of(workspace, owner) == "owner"


def test_members_are_removed_and_may_leave(
    api: ApiClient, workspace: Workspace, viewer: User, collaborator: User
) -> None:
    def remove(client: ApiClient, user: User) -> Any:
        body = {"workspace_id": workspace.pk, "email": user.email}
        return client.post("workspaces/remove_user", body)

    assert remove(api, viewer).json() == {"affected_rows": 1}
    assert remove(api, viewer).json() == {"affected_rows": 0}
    assert remove(client_of(collaborator), collaborator).json() == {"affected_rows": 1}
    assert remove(client_of(collaborator), collaborator).status_code == 404


def test_nobody_leaves_their_default_workspace(api: ApiClient, owner: User) -> None:
    own = Workspace.objects.get(default_for=owner)
    add_member(own, make_user(), Role.OWNER)
    body = {"workspace_id": own.pk, "user_id": str(owner.pk)}
    response = api.post("workspaces/remove_user", body)
    assert response.status_code == 400
    assert "default workspace" in response.json()["msg"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 400),
        ({"email": "nobody@example.com"}, 404),
        ({"email": "x", "user_type": "god"}, 400),
        ({"user_id": "7"}, 400),
        ({"workspace_id": "1"}, 400),
        ({"workspace_id": 987654, "email": "x"}, 404),
    ],
    ids=str,
)
def test_a_member_that_cannot_be_is_refused(
    api: ApiClient, workspace: Workspace, changes: dict[str, Any], status: int
) -> None:
    response = api.post("workspaces/add_user", {"workspace_id": workspace.pk} | changes)
    assert response.status_code == status
    assert response.json()["msg"]


# -- People ----------------------------------------------------------------------------


def test_people_see_whom_they_share_a_workspace_with(
    api: ApiClient, workspace: Workspace, owner: User, viewer: User, collaborator: User, admin: User
) -> None:
    alone = make_user("alone")
    users = api.post("users/query").json()["users"]
    assert users.keys() == {str(user.pk) for user in (owner, viewer, collaborator)}
    assert (
        users[str(viewer.pk)]
        | {
            "id": str(viewer.pk),
            "email": "viewer@example.com",
            "username": "viewer",
            "enabled": True,
        }
        == users[str(viewer.pk)]
    )
    wanted = [str(viewer.pk), str(alone.pk), "no id"]
    assert api.post("users/query", {"user_ids": wanted}).json()["users"].keys() == {wanted[0]}
    assert len(client_of(admin).post("users/query").json()["users"]) == User.objects.count()


def test_a_whole_e_mail_address_finds_its_person(api: ApiClient, stranger: User) -> None:
    def find(email: str) -> list[str]:
        return [user["id"] for user in api.send("GET", f"{USERS}?email={email}").json()]

    assert find("Stranger%40example.com") == [str(stranger.pk)]
    assert find("stranger") == find("a%00b") == []
    assert str(stranger.pk) not in find("")


def test_an_admin_deactivates_and_activates(admin: User, stranger: User) -> None:
    client, path = client_of(admin), f"{USERS}/{stranger.pk}"
    shown = client.send("GET", path).json()
    assert shown["enabled"] is True
    response = client.send("PUT", path, shown | {"enabled": False})
    assert (response.status_code, response.content) == (204, b"")
    assert client_of(stranger).post("workspaces/list").status_code == 401
    assert client.send("GET", path).json()["enabled"] is False
    assert client.send("PUT", path, shown).status_code == 204
    assert client_of(stranger).post("workspaces/list").status_code == 200
    assert client.post("users/deactivate", {"email": stranger.email}).json() == {}
    assert client_of(stranger).post("workspaces/list").status_code == 401


def test_nobody_shuts_themselves_out(admin: User) -> None:
    response = client_of(admin).post("users/deactivate", {"email": admin.email})
    assert (response.status_code, response.json()["msg"]) == (
        400, "You cannot deactivate your own account.",
    )  # fmt: skip


def test_an_invited_person_can_log_in_and_has_a_workspace(admin: User) -> None:
    body = {"email": "ann@example.com", "password": "correct horse battery"}
    shown = client_of(admin).post("users/invite", body).json()
    user = User.objects.get(pk=shown["id"])
    assert shown["username"] == user.email == "ann@example.com"
    assert user.check_password("correct horse battery")
    assert Workspace.objects.filter(default_for=user).exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"email": "no address"}, "valid email"),
        ({"email": "Owner@example.com"}, "already"),
        ({"email": f"{'x' * 150}@example.com"}, "more than 150 characters"),
        ({"email": "ann@example.com", "password": "short"}, "too short"),
        ({}, "email: Field required"),
    ],
)
def test_an_invitation_that_cannot_be_is_refused(
    admin: User, owner: User, body: dict[str, str], words: str
) -> None:
    before = User.objects.count()
    response = client_of(admin).post("users/invite", body)
    assert response.status_code == 400
    assert words in response.json()["msg"]
    assert User.objects.count() == before
