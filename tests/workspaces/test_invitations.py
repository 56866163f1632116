"""Inviting people without an account: the link, who may use it, and when it is over."""

import re
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.executions.test_services import at_once
from tests.factories import add_member, make_invitation, make_user, make_workspace
from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces import invitations
from wallaroo_ui.workspaces.models import Invitation, Membership, Role, Workspace

pytestmark = pytest.mark.django_db
HTMX: dict[str, Any] = {"headers": {"HX-Request": "true"}}
ACCOUNT = {
    "first_name": "New",
    "last_name": "Person",
    "password": "battery staple 9",
    "again": "battery staple 9",
}
OVER = "This invitation was used or withdrawn, or its time is over."


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(response: Any) -> str:
    content: bytes = response.content
    return content.decode()


def link_in(page: str) -> str:
    found = re.search(r"http://testserver(/workspaces/invitations/[\w-]+/)", page)
    return found[1] if found else ""


def link(token: str) -> str:
    return reverse("workspaces:invitation", args=[token])


def invite(
    client: Client, workspace: Workspace, email: str = "new@example.com", **more: Any
) -> str:
    """Invite somebody on the page; return the path of the link that it shows."""
    data = {"email": email, "role": "viewer"}
    url = reverse("workspaces:member-add", args=[workspace.pk])
    return link_in(text(client.post(url, data, **more)))


# -- To invite ------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, HTMX], ids=["plain", "htmx"])
def test_an_address_without_an_account_gets_a_link_that_is_shown_once(
    workspace: Workspace, owner_client: Client, more: dict[str, Any]
) -> None:
    path = invite(owner_client, workspace, **more)

    assert path
    made = Invitation.objects.get()
    assert (made.email, made.role, made.workspace) == ("new@example.com", "viewer", workspace)
    assert made.expires_at - made.created_at == timedelta(days=7)
    page = text(owner_client.get(workspace.page_url))
    assert "new@example.com" in page
    assert link_in(page) == ""
    token = path.rstrip("/").rpartition("/")[2]
    assert token not in str(Invitation.objects.values())


def test_open_invitations_are_seen_by_owners_only(
    workspace: Workspace, owner: User, viewer: User
) -> None:
    make_invitation(workspace, owner)
    assert "Open invitations" in text(login(owner).get(workspace.page_url))
    assert "Open invitations" not in text(login(viewer).get(workspace.page_url))


def test_the_link_is_sent_where_the_server_sends_e_mail(
    workspace: Workspace, owner_client: Client, settings: Any
) -> None:
    settings.SENDS_EMAIL = True
    # Who invites does not see it: they could make the account of the address themselves.
    assert invite(owner_client, workspace) == ""
    (sent,) = mail.outbox
    assert sent.to == ["new@example.com"]
    assert "Join team" in text(Client().get(link_in(str(sent.body))))
    assert "invites you to the workspace team" in sent.subject


def test_without_a_mail_server_nothing_is_sent(workspace: Workspace, owner_client: Client) -> None:
    assert invite(owner_client, workspace)
    assert mail.outbox == []


def test_a_mail_server_that_does_not_answer_leaves_the_link(
    workspace: Workspace, owner_client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SENDS_EMAIL = True

    def broken(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(invitations, "send_mail", broken)
    url = reverse("workspaces:member-add", args=[workspace.pk])
    page = text(owner_client.post(url, {"email": "new@example.com", "role": "viewer"}))
    assert "Pass this link on to" in page
    assert link_in(page)


def test_inviting_again_replaces_the_link(workspace: Workspace, owner_client: Client) -> None:
    old = invite(owner_client, workspace)
    new = invite(owner_client, workspace, "New@Example.com")
    assert Invitation.objects.count() == 1
    assert Client().get(old).status_code == 404
    assert Client().get(new).status_code == 200


def test_an_address_that_is_too_long_to_be_a_user_name_is_refused(
    workspace: Workspace, owner_client: Client
) -> None:
    domain = ".".join(["x" * 60] * 3)
    assert invite(owner_client, workspace, f"new@{domain}.com") == ""
    assert not Invitation.objects.exists()


def test_only_admins_invite_where_the_operator_says_so(
    workspace: Workspace, owner_client: Client, admin: User, settings: Any
) -> None:
    settings.INVITATIONS = "admins"
    assert invite(owner_client, workspace) == ""
    assert invite(login(admin), workspace)


# -- To accept ------------------------------------------------------------------------------


def test_the_link_makes_the_account_and_lets_it_in(workspace: Workspace, owner: User) -> None:
    _, token = make_invitation(workspace, owner)
    client = Client()
    assert "Make my account" in text(client.get(link(token)))

    response = client.post(link(token), ACCOUNT, follow=True)

    user = User.objects.get(email="new@example.com")
    assert workspace.role_of(user) == Role.COLLABORATOR
    assert user.get_full_name() == "New Person"
    assert user.check_password(ACCOUNT["password"])
    assert response.redirect_chain == [(workspace.get_absolute_url(), 302)]
    assert "Welcome to team." in text(response)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "short", "again": "short"}, "too short"),
        ({"password": "new@example.com", "again": "new@example.com"}, "too similar"),
        ({"again": "something else"}, "The two passwords are not the same."),
        ({"password": "", "again": ""}, "This field is required."),
    ],
)
def test_a_password_that_will_not_do_makes_no_account(
    workspace: Workspace, owner: User, wrong: dict[str, str], words: str
) -> None:
    _, token = make_invitation(workspace, owner)
    response = Client().post(link(token), ACCOUNT | wrong)
    assert response.status_code == 422
    assert words in text(response)
    assert not User.objects.filter(email="new@example.com").exists()
    assert Client().get(link(token)).status_code == 200


def test_it_is_good_once(workspace: Workspace, owner: User) -> None:
    _, token = make_invitation(workspace, owner)
    Client().post(link(token), ACCOUNT)
    for again in (Client().get(link(token)), Client().post(link(token), ACCOUNT)):
        assert again.status_code == 404
        assert OVER in text(again)
    assert User.objects.filter(email="new@example.com").count() == 1


def test_pressed_twice_at_once_it_does_not_say_that_somebody_took_the_address(
    workspace: Workspace, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = make_invitation(workspace, owner)
    join_as_new = invitations.join_as_new

    def join_after_another(**asked: Any) -> User:
        join_as_new(**asked)  # The first press, while the second is on its way.
        return join_as_new(**asked)

    monkeypatch.setattr(invitations, "join_as_new", join_after_another)
    answer = text(Client().post(link(token), ACCOUNT))
    assert OVER in answer
    assert "If you have made your account with it, log in" in answer
    assert "has the e-mail address" not in answer


def test_it_is_good_for_seven_days(workspace: Workspace, owner: User) -> None:
    week = timedelta(days=7)
    now = timezone.now()
    _, token = make_invitation(workspace, owner, at=now - week + timedelta(minutes=1))
    assert Client().get(link(token)).status_code == 200
    _, token = make_invitation(workspace, owner, at=now - week)
    assert Client().post(link(token), ACCOUNT).status_code == 404
    assert "expired" in text(login(owner).get(workspace.page_url))


def test_who_has_the_account_already_logs_in_and_joins(workspace: Workspace, owner: User) -> None:
    _, token = make_invitation(workspace, owner)
    somebody = make_user("new")  # Made by an admin meanwhile.

    page = text(Client().get(link(token)))
    assert f"/login/?next={quote(link(token), safe='')}" in page
    assert Client().post(link(token), ACCOUNT).status_code == 422
    client = login(somebody)
    assert "Join</button>" in text(client.get(link(token)))
    assert workspace.role_of(somebody) is None
    client.post(link(token))
    assert workspace.role_of(somebody) == Role.COLLABORATOR
    assert client.post(link(token)).status_code == 404


def test_another_person_cannot_use_it(workspace: Workspace, owner: User, stranger: User) -> None:
    _, token = make_invitation(workspace, owner)
    client = login(stranger)
    for response in (client.get(link(token)), client.post(link(token), ACCOUNT)):
        assert response.status_code == 403
        assert "You are logged in as stranger@example.com" in text(response)
    assert workspace.role_of(stranger) is None
    assert Client().get(link(token)).status_code == 200


def test_a_member_who_joins_keeps_the_role_they_have(workspace: Workspace, owner: User) -> None:
    _, token = make_invitation(workspace, owner, role=Role.VIEWER)
    somebody = make_user("new")
    add_member(workspace, somebody, Role.OWNER)
    login(somebody).post(link(token))
    assert workspace.role_of(somebody) == Role.OWNER
    assert not Invitation.objects.exists()


def test_two_links_at_one_moment_let_in_once(workspace: Workspace, owner: User) -> None:
    first, _ = make_invitation(workspace, owner)
    somebody = make_user("new")
    second = Invitation.objects.get(pk=first.pk)  # As another request has read it.
    invitations.join(invitation=first, user=somebody, at=timezone.now())
    with pytest.raises(invitations.InvitationOver):
        invitations.join(invitation=second, user=somebody, at=timezone.now())
    assert Membership.objects.filter(workspace=workspace, user=somebody).count() == 1


def test_an_account_is_not_left_behind_where_the_invitation_was_over_at_that_moment(
    workspace: Workspace, owner: User
) -> None:
    found, _ = make_invitation(workspace, owner)
    Invitation.objects.all().delete()
    with pytest.raises(invitations.InvitationOver):
        invitations.join_as_new(
            invitation=found,
            password="battery staple 9",
            first_name="",
            last_name="",
            at=timezone.now(),
        )
    assert not User.objects.filter(email="new@example.com").exists()


# -- To take it back ------------------------------------------------------------------------


def test_a_withdrawn_invitation_is_over_and_twice_is_no_error(
    workspace: Workspace, owner: User, owner_client: Client
) -> None:
    made, token = make_invitation(workspace, owner)
    url = reverse("workspaces:invitation-withdraw", args=[workspace.pk, made.pk])
    first = owner_client.post(url, follow=True)
    assert "The invitation of new@example.com is withdrawn." in text(first)
    assert "This invitation is over already." in text(owner_client.post(url, follow=True))
    assert Client().post(link(token), ACCOUNT).status_code == 404


def test_an_invitation_is_withdrawn_in_its_own_workspace_only(
    workspace: Workspace, owner: User, stranger: User
) -> None:
    made, _ = make_invitation(workspace, owner)
    other = make_workspace(stranger)
    login(stranger).post(reverse("workspaces:invitation-withdraw", args=[other.pk, made.pk]))
    assert Invitation.objects.exists()


def test_adding_the_account_of_an_address_ends_its_invitation(
    workspace: Workspace, owner: User, owner_client: Client
) -> None:
    make_invitation(workspace, owner)
    make_user("new")
    invite(owner_client, workspace)
    assert not Invitation.objects.exists()


def test_what_expired_long_ago_is_deleted(workspace: Workspace, owner: User) -> None:
    now = timezone.now()
    make_invitation(workspace, owner, at=now - timedelta(days=38))
    make_invitation(workspace, owner, email="later@example.com", at=now - timedelta(days=36))
    invitations.delete_expired(at=now)
    assert [each.email for each in Invitation.objects.all()] == ["later@example.com"]


@pytest.mark.parametrize("change", ["removed", "demoted", "deactivated"])
def test_the_link_of_who_may_not_invite_any_more_is_over(workspace: Workspace, change: str) -> None:
    second = make_user("second")
    add_member(workspace, second, Role.OWNER)
    _, token = make_invitation(workspace, second, email=second.email, role=Role.OWNER)
    membership = Membership.objects.filter(workspace=workspace, user=second)
    if change == "removed":
        membership.delete()
    elif change == "demoted":
        membership.update(role=Role.VIEWER)
    else:
        User.objects.filter(pk=second.pk).update(is_active=False)
    assert OVER in text(Client().get(link(token)))
    kept = Invitation.objects.select_related("workspace", "created_by").get()
    with pytest.raises(invitations.InvitationOver):
        invitations.join(invitation=kept, user=second, at=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_of_two_invitations_of_an_address_at_once_one_stays() -> None:
    owner = make_user("owner")
    workspace = make_workspace(owner)
    at_once(*[partial(make_invitation, workspace, owner)] * 2)
    assert Invitation.objects.count() == 1
