"""Workspaces, their members, and people."""

import re
from typing import Any
from uuid import UUID

import pytest

from tests.sdk.conftest import PASSWORD, Sdk, new_name
from tests.sdk.remote import Raised
from tests.sdk.shown import records

pytestmark = pytest.mark.engine


def emails(workspace: Any) -> list[str]:
    return [user.email() for user in workspace.users()]


# -- Workspaces ------------------------------------------------------------------------


def test_a_new_workspace_belongs_to_its_maker(ann: Any) -> None:
    name = new_name("Team")

    workspace = ann.create_workspace(name)

    assert isinstance(workspace.id(), int)
    assert workspace.name() == name
    assert workspace.archived() is False
    assert workspace.created_by() == ann.auth.user_id()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", workspace.created_at())
    assert emails(workspace) == ["ann@example.com"]
    assert list(workspace.models()) == list(workspace.pipelines()) == []
    assert name in str(workspace)
    assert ann.get_workspace(name).id() == workspace.id()


def test_workspaces_are_listed_and_shown_as_a_table(newcomer: Any) -> None:
    workspace = newcomer.create_workspace(new_name("team"))

    _, shown = records(newcomer.list_workspaces())  # The first is their own one.

    assert shown["Name"] == workspace.name()
    assert shown["Users"] == f"['{newcomer.auth.user_email()}']"
    assert shown["Created At"] == workspace.created_at()[:19].replace("T", " ")
    assert (shown["Models"], shown["Pipelines"]) == ("0", "0")


def test_the_name_of_a_workspace_is_taken_once(ann: Any, ben: Any, workspace: Any) -> None:
    for somebody in (ann, ben):
        with pytest.raises(Raised, match="Failed to create workspace"):
            somebody.create_workspace(workspace.name())


def test_the_sdk_itself_refuses_some_names(ann: Any) -> None:
    with pytest.raises(Raised, match="InvalidNameError"):
        ann.create_workspace("with_underscores")


def test_a_workspace_is_made_where_there_is_none_by_a_name(ann: Any) -> None:
    # Here the SDK lets underscores through.
    name = new_name("some").replace("-", "_")
    with pytest.raises(Raised, match=f"Workspace with name {name} does not exist"):
        ann.get_workspace(name)

    made = ann.get_workspace(name, create_if_not_exist=True)

    assert ann.get_workspace(name).id() == made.id()
    assert ann.get_workspace(name, create_if_not_exist=True).id() == made.id()


def test_everybody_works_in_a_workspace_of_their_own_first(newcomer: Any, sdk: Sdk) -> None:
    workspace = newcomer.get_current_workspace()

    assert workspace.name() == f"{newcomer.auth.user_email()} - Default Workspace"
    assert emails(workspace) == [newcomer.auth.user_email()]
    again = sdk.log_in(newcomer.auth.user_email())
    assert again.get_current_workspace().id() == workspace.id()


def test_the_current_workspace_is_the_client_s_own_choice(ann: Any, sdk: Sdk) -> None:
    workspace = ann.create_workspace(new_name("team"))

    assert ann.set_current_workspace(workspace).id() == workspace.id()

    assert ann.get_current_workspace().id() == workspace.id()
    assert sdk.log_in("ann@example.com").get_current_workspace().id() != workspace.id()
    with pytest.raises(Raised, match="TypeError: Workspace type was expected"):
        ann.set_current_workspace(workspace.name())


# -- Members ---------------------------------------------------------------------------


def test_a_member_sees_the_workspace_until_they_are_removed(
    ann: Any, ben: Any, workspace: Any
) -> None:
    workspace.add_user("ben@example.com")

    assert emails(workspace) == ["ann@example.com", "ben@example.com"]
    assert ben.get_workspace(workspace.name()).id() == workspace.id()
    with pytest.raises(Raised, match="already exists in workspace"):
        workspace.add_user("ben@example.com")

    workspace.remove_user("ben@example.com")

    assert emails(workspace) == ["ann@example.com"]
    with pytest.raises(Raised, match="does not exist"):
        ben.get_workspace(workspace.name())


def test_a_collaborator_cannot_change_the_members_and_an_owner_can(
    ann: Any, ben: Any, newcomer: Any, workspace: Any
) -> None:
    workspace.add_user("ben@example.com")
    seen_by_ben = ben.get_workspace(workspace.name())
    with pytest.raises(Raised, match="Failed to invite"):
        seen_by_ben.add_user(newcomer.auth.user_email())

    workspace.add_owner("ben@example.com")

    seen_by_ben.add_user(newcomer.auth.user_email())
    assert newcomer.auth.user_email() in emails(workspace)
    seen_by_ben.remove_user("ann@example.com")
    assert "ann@example.com" not in emails(seen_by_ben)


def test_members_that_must_stay_are_not_removed(ann: Any, newcomer: Any, workspace: Any) -> None:
    with pytest.raises(Raised, match="Last user of a workspace cannot be removed"):
        workspace.remove_user("ann@example.com")

    own = newcomer.get_current_workspace()
    own.add_user("ann@example.com")
    with pytest.raises(Raised, match="User cannot be removed from their default workspace"):
        own.remove_user(newcomer.auth.user_email())

    newcomer.get_current_workspace()
    workspace.add_user(newcomer.auth.user_email())
    with pytest.raises(Raised, match="would have no owner left"):
        workspace.remove_user("ann@example.com")


def test_nobody_can_add_whom_the_server_does_not_know(workspace: Any) -> None:
    for add in (workspace.add_user, workspace.add_owner):
        with pytest.raises(Raised, match="EntityNotFoundError: User not found"):
            add("nobody@example.com")


# -- People ----------------------------------------------------------------------------


def test_people_are_looked_up(ann: Any, admin: Any) -> None:
    user = ann.get_user_by_email("ann@example.com")

    assert UUID(user.id())
    assert user.id() == ann.auth.user_id()
    assert (user.username(), user.enabled()) == ("ann@example.com", True)
    assert admin.get_email_by_id(user.id()) == "ann@example.com"
    assert ann.get_user_by_email("nobody@example.com") is None
    # The whole address counts, not a part of it.
    assert ann.get_user_by_email("ann@example.co") is None


def test_an_admin_lists_everybody_and_others_whom_they_work_with(
    ann: Any, ben: Any, admin: Any, newcomer: Any
) -> None:
    everybody = {user.email() for user in admin.list_users()}

    assert {"admin@example.com", "ann@example.com", "ben@example.com"} <= everybody
    assert [user.email() for user in newcomer.list_users()] == [newcomer.auth.user_email()]
    newcomer.get_current_workspace().add_user("ben@example.com")
    assert len(newcomer.list_users()) == 2


def test_an_invited_person_can_log_in_and_is_invited_once(sdk: Sdk, admin: Any) -> None:
    email = f"{new_name('invited')}@example.com"

    invited = admin.invite_user(email, PASSWORD)

    assert sdk.log_in(email).auth.user_id() == invited["id"]
    assert admin.invite_user(email)["id"] == invited["id"]


def test_only_an_admin_invites_and_deactivates(ann: Any, ben: Any) -> None:
    # The SDK takes every refusal of an invitation for the licence's limit.
    with pytest.raises(Raised, match="UserLimitError"):
        ann.invite_user("friend@example.com", PASSWORD)
    with pytest.raises(Raised, match="EntityNotFoundError"):
        ann.deactivate_user("ben@example.com")
    assert ben.list_workspaces() is not None


def test_a_deactivated_person_is_shut_out_at_once_until_activated(
    sdk: Sdk, admin: Any, newcomer: Any
) -> None:
    email = newcomer.auth.user_email()

    admin.deactivate_user(email)

    assert admin.get_user_by_email(email).enabled() is False
    with pytest.raises(Raised, match="Log in first"):
        newcomer.list_workspaces()
    with pytest.raises(Raised, match=r"TokenFetchError.*invalid_grant"):
        sdk.log_in(email)

    admin.activate_user(email)

    assert sdk.log_in(email).get_current_workspace().name().startswith(email)


def test_admins_cannot_shut_themselves_out(admin: Any) -> None:
    with pytest.raises(Raised, match="may not deactive themselves"):
        admin.deactivate_user("admin@example.com")
    with pytest.raises(Raised, match="EntityNotFoundError"):
        admin.deactivate_user("nobody@example.com")
