"""Pages about connections: what they show to whom, and what they answer to what is sent."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from tests.factories import make_connection, make_user, make_workspace
from wallaroo_ui.accounts.models import User
from wallaroo_ui.connections import services, views
from wallaroo_ui.connections.models import Connection, WorkspaceConnection
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db

Login = Callable[[User], Client]
HTMX: dict[str, Any] = {"headers": {"HX-Request": "true"}}


@pytest.fixture
def login() -> Login:
    def log_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return log_in


def path(name: str, connection: Connection, *more: object) -> str:
    return reverse(f"connections:{name}", args=[connection.pk, *more])


def text(response: Any) -> str:
    content: bytes = response.content
    return content.decode()


def valid(**fields: object) -> dict[str, object]:
    return {"name": "warehouse", "type": "HTTP", "details": '{"token": "open sesame"}'} | fields


# -- The list -------------------------------------------------------------------------------


def test_the_list_holds_what_somebody_may_see_and_names_only_their_workspaces(
    workspace: Workspace, viewer: User, login: Login
) -> None:
    make_connection(workspace, make_workspace(name="boardroom"), name="shared", type="mongodb")
    make_connection(created_by=viewer, name="own")
    make_connection(make_workspace(), name="foreign")

    page = text(login(viewer).get("/connections/"))

    assert "shared" in page
    assert "mongodb" in page
    assert "own" in page
    assert "team" in page
    assert "boardroom" not in page
    assert "foreign" not in page


def test_the_list_of_a_workspace_holds_what_it_has(
    workspace: Workspace, owner: User, owner_client: Client
) -> None:
    make_connection(workspace, name="here")
    make_connection(created_by=owner, name="elsewhere")

    page = text(owner_client.get(f"/workspaces/{workspace.pk}/connections/"))

    assert "here" in page
    assert "elsewhere" not in page
    assert f"/connections/create/?workspace={workspace.pk}" in page


def test_a_viewer_is_not_offered_to_make_one_for_the_workspace(
    workspace: Workspace, viewer: User, login: Login
) -> None:
    page = text(login(viewer).get(f"/workspaces/{workspace.pk}/connections/"))
    assert "team has no connections yet" in page
    assert "/connections/create/" not in page


def test_the_header_leads_to_the_connections_of_the_workspace_at_hand(
    workspace: Workspace, owner_client: Client
) -> None:
    here = f'href="/workspaces/{workspace.pk}/connections/"'
    assert here in text(owner_client.get(f"/workspaces/{workspace.pk}/workloads/"))
    assert 'href="/connections/"' in text(owner_client.get("/workspaces/"))


def test_a_long_list_has_pages_and_htmx_gets_the_table_alone(
    workspace: Workspace, owner_client: Client
) -> None:
    for _ in range(views.CONNECTIONS_PER_PAGE + 1):
        make_connection(workspace)

    first = owner_client.get("/connections/").context["page"]
    assert len(first.rows) == views.CONNECTIONS_PER_PAGE

    second = text(owner_client.get("/connections/", {"cursor": first.next}, **HTMX))

    assert second.count("row-link") == 1
    assert "<html" not in second


@pytest.mark.parametrize("name", ["viewer", "admin"])
def test_the_list_asks_the_same_few_questions_however_long_it_is(
    name: str,
    workspace: Workspace,
    request: pytest.FixtureRequest,
    login: Login,
    django_assert_max_num_queries: Any,
) -> None:
    client = login(request.getfixturevalue(name))
    others = [make_workspace() for _ in range(4)]
    for _ in range(20):
        make_connection(workspace, *others, created_by=make_user())

    with django_assert_max_num_queries(6) as queries:
        client.get("/connections/")

    assert not any("sealed_details" in query["sql"] for query in queries.captured_queries)


# -- One connection -------------------------------------------------------------------------


def test_whoever_may_read_the_details_sees_the_keys_and_no_value(
    workspace: Workspace, collaborator: User, login: Login
) -> None:
    connection = make_connection(workspace, details={"password": "open sesame", "port": 5432})
    page = text(login(collaborator).get(connection.get_absolute_url()))
    assert "password" in page
    assert "Show details" in page
    assert "sesame" not in page
    assert "5432" not in page


def test_a_viewer_sees_that_it_exists_and_nothing_of_the_details(
    workspace: Workspace, viewer: User, login: Login
) -> None:
    connection = make_connection(workspace, name="store", details={"secret key": "open sesame"})
    page = text(login(viewer).get(connection.get_absolute_url()))
    assert "store" in page
    assert "secret key" not in page
    assert "Show details" not in page
    assert "Add to workspace" not in page
    assert "Remove" not in page


@pytest.mark.parametrize("options", [{}, HTMX], ids=["page", "region"])
def test_details_are_shown_when_asked_for_and_kept_by_nobody(
    options: dict[str, Any], workspace: Workspace, owner_client: Client
) -> None:
    connection = make_connection(workspace, details={"password": "open <sesame>"})

    response = owner_client.get(path("details", connection), **options)

    assert "open &lt;sesame&gt;" in text(response)
    assert "Hide details" in text(response)
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    assert ("<html" in text(response)) is (not options)


def test_many_keys_are_not_all_listed(workspace: Workspace, owner_client: Client) -> None:
    many = views.KEYS_SHOWN + 1234
    connection = make_connection(workspace, details={f"key{n}": n for n in range(many)})
    page = text(owner_client.get(connection.get_absolute_url()))
    assert page.count("<dt><code>") == views.KEYS_SHOWN
    assert "and 1,234 more" in page


def test_its_page_says_how_scripts_ask_for_it(owner: User, owner_client: Client) -> None:
    connection = make_connection(created_by=owner, name='the "new" one')
    page = text(owner_client.get(connection.get_absolute_url()))
    assert r"wl.get_connection(name=&quot;the \&quot;new\&quot; one&quot;).details()" in page


@pytest.mark.parametrize("name", ["detail", "details", "edit"])
def test_details_without_their_key_give_clear_words(
    name: str, owner: User, owner_client: Client, settings: Any
) -> None:
    connection = make_connection(created_by=owner)
    settings.ENCRYPTION_KEYS = ["another " * 4]

    response = owner_client.get(path(name, connection))

    assert response.status_code == 200
    assert "cannot be decrypted: the key" in text(response)


def test_details_without_their_key_can_be_written_anew(
    owner: User, owner_client: Client, settings: Any
) -> None:
    connection = make_connection(created_by=owner)
    settings.ENCRYPTION_KEYS = ["another " * 4]
    owner_client.post(path("edit", connection), {"type": "HTTP", "details": '{"a": 1}'})
    assert Connection.objects.get().details == {"a": 1}


# -- Making and changing --------------------------------------------------------------------


def test_a_connection_is_made_for_the_workspace_of_the_page(
    workspace: Workspace, owner: User, owner_client: Client
) -> None:
    form = owner_client.get("/connections/create/", {"workspace": workspace.pk})
    assert f'<option value="{workspace.pk}" selected>' in text(form)
    assert "no-store" in form["Cache-Control"]

    response = owner_client.post("/connections/create/", valid(workspace=workspace.pk))

    connection = Connection.objects.get()
    assert response["Location"] == connection.get_absolute_url()
    assert connection.created_by == owner
    assert connection.details == {"token": "open sesame"}
    assert list(connection.workspaces.all()) == [workspace]


def test_without_a_workspace_it_is_its_makers_alone(owner_client: Client) -> None:
    owner_client.post("/connections/create/", valid())
    assert not WorkspaceConnection.objects.exists()


@pytest.mark.parametrize("workspace_id", ["nonsense", "", "9" * 30])
def test_a_workspace_that_makes_no_sense_is_not_chosen(
    workspace_id: str, owner_client: Client
) -> None:
    form = owner_client.get("/connections/create/", {"workspace": workspace_id})
    assert form.status_code == 200
    assert text(form).count("selected") <= 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 256}, "at most 255 characters"),
        ({"name": "a\x07b"}, "control characters"),
        ({"type": ""}, "This field is required."),
        ({"type": "x" * 65}, "at most 64 characters"),
        ({"details": ""}, "This field is required."),
        ({"details": "[1]"}, "Line 1, column 1: a JSON object is wanted"),
        ({"details": '{\n  "a": 1,\n  "a": 2}'}, "Line 3, column 3: the key"),
        ({"details": "{'a': 1}"}, "Line 1, column 2: JSON wants double quotes"),
        ({"workspace": "0"}, "Select a valid choice"),
    ],
)
def test_what_is_refused_is_explained_at_its_field(
    fields: dict[str, str], words: str, owner_client: Client
) -> None:
    response = owner_client.post("/connections/create/", valid(**fields))

    field = next(iter(fields))
    assert response.status_code == 422
    assert words in " ".join(response.context["form"].errors[field])
    assert f'aria-describedby="id_{field}_helptext id_{field}_error"' in text(response)
    assert not Connection.objects.exists()


def test_a_workspace_in_which_somebody_only_looks_is_not_offered(
    workspace: Workspace, viewer: User, login: Login
) -> None:
    client = login(viewer)
    assert "team</option>" not in text(client.get("/connections/create/"))
    assert client.post("/connections/create/", valid(workspace=workspace.pk)).status_code == 422
    assert not Connection.objects.exists()


def test_a_name_that_is_taken_is_refused_also_by_a_hair(
    owner_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_connection(name="warehouse")
    known = owner_client.post("/connections/create/", valid())
    assert "There is a connection of this name already." in text(known)

    def lose_the_race(**_: object) -> None:
        raise services.NameTaken("store")

    monkeypatch.setattr(services, "create_connection", lose_the_race)
    raced = owner_client.post("/connections/create/", valid(name="store"))
    assert raced.status_code == 422
    assert "There is a connection named “store” already." in raced.context["form"].errors["name"]


def test_details_that_grow_too_large_in_writing_are_refused_at_their_field(
    owner: User, owner_client: Client
) -> None:
    numbers = ",".join(["1e15"] * 150_000)  # Each is written as 1000000000000000.0.
    fields = valid(details=f'{{"a": [{numbers}]}}')
    connection = make_connection(created_by=owner)

    for url in ("/connections/create/", path("edit", connection)):
        response = owner_client.post(url, fields)
        assert response.status_code == 422
        assert "1,000,000 bytes" in response.context["form"].errors["details"][0]


def test_a_change_keeps_name_and_maker(owner: User, owner_client: Client) -> None:
    connection = make_connection(created_by=owner, name="warehouse", details={"a": 1})
    form = owner_client.get(path("edit", connection))
    assert form.context["form"].initial["details"] == json.dumps({"a": 1}, indent=2)
    assert "no-store" in form["Cache-Control"]

    owner_client.post(
        path("edit", connection), {"name": "other", "type": "S3", "details": '{"a": 2}'}
    )

    changed = Connection.objects.get()
    assert (changed.name, changed.type, changed.details) == ("warehouse", "S3", {"a": 2})
    assert changed.created_by == owner


def test_a_change_that_is_refused_changes_nothing(owner: User, owner_client: Client) -> None:
    connection = make_connection(created_by=owner, details={"a": 1})
    response = owner_client.post(path("edit", connection), {"type": "S3", "details": "{"}, **HTMX)
    assert response.status_code == 422
    assert "<html" not in text(response)
    assert Connection.objects.get().type == "HTTP"


def test_what_was_deleted_meanwhile_is_not_there(
    workspace: Workspace, owner: User, owner_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = make_connection(created_by=owner)

    def gone(**_: object) -> None:
        raise services.ConnectionGone("It has been deleted in the meantime.")

    monkeypatch.setattr(services, "change_connection", gone)
    monkeypatch.setattr(services, "link_connection", gone)
    edit = owner_client.post(path("edit", connection), {"type": "S3", "details": "{}"})
    link = owner_client.post(path("link", connection), {"workspace": workspace.pk})
    assert edit.status_code == link.status_code == 404


# -- Workspaces -----------------------------------------------------------------------------


def test_a_collaborator_of_both_sides_adds_it_to_a_workspace(
    workspace: Workspace, collaborator: User, login: Login
) -> None:
    connection, other = make_connection(workspace), make_workspace(collaborator, name="second")
    client = login(collaborator)
    page = text(client.get(connection.get_absolute_url()))
    assert "second</option>" in page
    assert "team</option>" not in page

    for _ in range(2):
        response = client.post(path("link", connection), {"workspace": other.pk})
        assert response["Location"] == connection.get_absolute_url()

    assert set(connection.workspaces.all()) == {workspace, other}
    assert connection.links.get(workspace=other).created_by == collaborator


@pytest.mark.parametrize("options", [{}, HTMX], ids=["page", "region"])
@pytest.mark.parametrize("which", ["none", "of others", "only looks"])
def test_it_is_added_only_where_somebody_may_change_things(
    which: str, options: dict[str, Any], workspace: Workspace, viewer: User, login: Login
) -> None:
    connection = make_connection(created_by=viewer)
    chosen = {"none": "", "of others": make_workspace().pk, "only looks": workspace.pk}[which]

    response = login(viewer).post(path("link", connection), {"workspace": chosen}, **options)

    assert response.status_code == 422
    assert "Choose a workspace" in text(response)
    assert 'aria-invalid="true"' in text(response)
    assert not WorkspaceConnection.objects.exists()


def unlink(client: Client, connection: Connection, workspace: Workspace) -> HttpResponse:
    response: HttpResponse = client.post(path("unlink", connection, workspace.pk))  # type: ignore[assignment]
    return response


def test_whoever_loses_sight_of_it_is_led_to_the_workspace(
    workspace: Workspace, collaborator: User, login: Login
) -> None:
    connection = make_connection(workspace)
    response = unlink(login(collaborator), connection, workspace)
    assert response["Location"] == f"/workspaces/{workspace.pk}/connections/"
    assert not connection.links.exists()


def test_taking_it_away_twice_is_no_error(workspace: Workspace, owner: User, login: Login) -> None:
    connection = make_connection(workspace, created_by=owner)
    for _ in range(2):
        response = unlink(login(owner), connection, workspace)
        assert response["Location"] == connection.get_absolute_url()


def test_its_maker_takes_it_from_a_workspace_that_they_do_not_see(stranger: User) -> None:
    hidden, other = make_workspace(), make_workspace()
    connection = make_connection(hidden, created_by=stranger)
    client = Client()
    client.force_login(stranger)

    page = text(client.get(connection.get_absolute_url()))
    assert "1 more workspace that you may not see has it." in page
    assert hidden.name not in page
    assert unlink(client, connection, other).status_code == 404
    assert unlink(client, connection, hidden).status_code == 302
    assert unlink(client, connection, hidden).status_code == 404


def test_a_member_takes_it_only_from_workspaces_that_they_change(
    workspace: Workspace, collaborator: User, viewer: User, login: Login
) -> None:
    elsewhere = make_workspace()
    connection = make_connection(workspace, elsewhere)
    assert unlink(login(collaborator), connection, elsewhere).status_code == 404
    assert unlink(login(viewer), connection, workspace).status_code == 403
    assert connection.links.count() == 2


def test_deleting_says_first_who_loses_it(
    workspace: Workspace, owner: User, owner_client: Client
) -> None:
    connection = make_connection(workspace, make_workspace(name="boardroom"), created_by=owner)

    page = text(owner_client.get(path("delete", connection), **HTMX))
    assert "team" in page
    assert "1 workspace that you may not see" in page
    assert "boardroom" not in page
    assert Connection.objects.exists()

    assert owner_client.post(path("delete", connection))["Location"] == "/connections/"
    assert not Connection.objects.exists()


# -- Django admin ---------------------------------------------------------------------------


@pytest.fixture
def admin_site(admin: User, login: Login) -> Client:
    return login(admin)


def test_the_admin_never_decrypts(
    workspace: Workspace, admin_site: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = make_connection(workspace, details={"password": "open sesame"})
    asked: list[object] = []
    monkeypatch.setattr("wallaroo_ui.connections.encryption.unseal", asked.append)

    for url in (
        reverse("admin:connections_connection_changelist"),
        reverse("admin:connections_connection_change", args=[connection.pk]),
        reverse("admin:connections_connection_delete", args=[connection.pk]),
    ):
        page = text(admin_site.get(url))
        assert connection.name in page
        assert connection.sealed_details not in page
    assert not asked


def test_an_admin_adds_a_workspace_in_the_admin(
    workspace: Workspace, admin: User, admin_site: Client
) -> None:
    connection = make_connection()
    before = connection.sealed_details
    admin_site.post(
        reverse("admin:connections_connection_change", args=[connection.pk]),
        {
            "type": "S3",
            "links-TOTAL_FORMS": 1,
            "links-INITIAL_FORMS": 0,
            "links-0-workspace": workspace.pk,
        },
    )
    link = connection.links.get()
    assert (link.workspace, link.created_by) == (workspace, admin)
    assert str(workspace.events.get(subject=connection.name).user) == str(admin)
    connection.refresh_from_db()
    assert (connection.type, connection.sealed_details) == ("S3", before)


@pytest.mark.parametrize("way", ["its page", "the list", "the link alone"])
def test_what_an_admin_takes_away_in_the_admin_is_among_the_activity(
    way: str, workspace: Workspace, admin_site: Client
) -> None:
    connection = make_connection(workspace)
    name = "admin:connections_connection"
    if way == "its page":
        url = reverse(f"{name}_delete", args=[connection.pk])
        admin_site.post(url, {"post": "yes"})
    elif way == "the list":
        chosen = {"action": "delete_selected", "_selected_action": connection.pk, "post": "yes"}
        admin_site.post(reverse(f"{name}_changelist"), chosen)
    else:
        form = {
            "type": "S3",
            "links-TOTAL_FORMS": 1,
            "links-INITIAL_FORMS": 1,
            "links-0-id": connection.links.get().pk,
            "links-0-connection": connection.pk,
            "links-0-workspace": workspace.pk,
            "links-0-DELETE": "on",
        }
        admin_site.post(reverse(f"{name}_change", args=[connection.pk]), form)

    assert not WorkspaceConnection.objects.exists()
    assert Connection.objects.exists() is (way == "the link alone")
    event = workspace.events.get(subject=connection.name)
    assert event.get_verb_display() == "took away the connection"


def test_connections_are_not_made_in_the_admin(admin_site: Client) -> None:
    assert admin_site.get(reverse("admin:connections_connection_add")).status_code == 403
