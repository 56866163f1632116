"""The few objects that the SDK reads and writes through GraphQL.

`schema.graphql` says what there is; the resolvers are the methods of `Root`, by the same names.
"""

import logging
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from graphql import (
    ASTValidationRule,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValidationContext,
    build_schema,
    execute_sync,
    get_operation_ast,
    is_scalar_type,
    parse,
    specified_rules,
    validate,
)

from orchestrations.models import Orchestration
from wallaroo_ui.accounts.models import Scope, User
from wallaroo_ui.api.bearer import Caller, caller_of
from wallaroo_ui.api.bodies import read_json_object
from wallaroo_ui.api.errors import WORDS, Refused, refusal
from wallaroo_ui.api.schemas import OrchestrationOut
from wallaroo_ui.workspaces import services
from wallaroo_ui.workspaces.access import require_owner, visible_or_404
from wallaroo_ui.workspaces.models import Membership, Workspace
from wallaroo_ui.workspaces.services import WorkspaceRefused

logger = logging.getLogger(__name__)

MOST_TOKENS = 1000  # The SDK's longest query, its introspection, has some 300.
MOST_DEPTH = 15  # Introspection asks for types of types of types.
MOST_FIELDS = 400  # Introspection has some 200, with those of its fragments.
# What says in its own words why something was refused.
SAYABLE = (GraphQLError, PermissionDenied, WorkspaceRefused)


class SizeLimit(ASTValidationRule):
    """Refuses queries that are deeper, or ask for more, than anything here does.

    Few words are enough to ask for very much: fields under other names, in fragments that are
    used again and again.
    """

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._of_fragments: dict[str, tuple[int, int]] = {}

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """Measure one operation."""
        depth, fields = self._measure(node.selection_set)
        if depth > MOST_DEPTH:
            words = f"The query is nested more than {MOST_DEPTH} deep."
            self.report_error(GraphQLError(words, node))
        if fields > MOST_FIELDS:
            words = f"The query asks for more than {MOST_FIELDS} fields, with its fragments."
            self.report_error(GraphQLError(words, node))

    def _measure(self, selections: SelectionSetNode | None) -> tuple[int, int]:
        """Return how deep it is, and how many fields it has, each as often as it is asked for."""
        sizes = [self._size_of(each) for each in selections.selections] if selections else []
        return max((depth for depth, _ in sizes), default=0), sum(fields for _, fields in sizes)

    def _size_of(self, selection: SelectionNode) -> tuple[int, int]:
        if isinstance(selection, FragmentSpreadNode):
            return self._size_of_fragment(selection.name.value)
        if isinstance(selection, FieldNode):
            depth, fields = self._measure(selection.selection_set)
            return depth + 1, fields + 1
        if isinstance(selection, InlineFragmentNode):
            return self._measure(selection.selection_set)
        return 0, 0

    def _size_of_fragment(self, name: str) -> tuple[int, int]:
        # Each is measured once. One that holds itself counts nothing; another rule refuses it.
        if name not in self._of_fragments:
            self._of_fragments[name] = (0, 0)
            fragment = self.context.get_fragment(name)
            if fragment is not None:
                self._of_fragments[name] = self._measure(fragment.selection_set)
        return self._of_fragments[name]


class Root:
    """What can be asked, by the names in the schema."""

    def __init__(self, caller: Caller) -> None:
        self.user = caller.user

    def workspace_by_pk(self, info: Any, id: int) -> dict[str, Any] | None:  # noqa: A002
        """Return a workspace; None where there is none that the caller may see."""
        found = Workspace.objects.visible_to(self.user).filter(pk=id).first()
        return _workspace(found) if found else None

    def user_default_workspace(
        self, info: Any, where: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return where a person works unless they chose another workspace, as a list of one."""
        wanted = _equal_to("user_id", where or {}) or str(self.user.pk)
        found = Workspace.objects.visible_to(self.user).filter(default_for=_uuid(wanted)).first()
        return [{"workspace": _workspace(found)}] if found else []

    def orchestration_by_pk(self, info: Any, id: UUID) -> OrchestrationOut | None:  # noqa: A002
        """Return an orchestration; None where there is none that the caller may see."""
        shown = Orchestration.objects.visible_to(self.user).select_related("newest")
        found = shown.filter(pk=id).first()
        return OrchestrationOut.of(found) if found else None

    def insert_workspace_one(
        self,
        info: Any,
        object: dict[str, Any],  # noqa: A002
        on_conflict: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Make a workspace. The caller's default one is returned where it is there already."""
        if "user_default_workspaces" in object:
            return _workspace(services.ensure_default_workspace(self.user))
        name = object.get("name") or ""
        if "\0" in name:  # Written in the query as an escape; PostgreSQL takes no such text.
            raise WorkspaceRefused("A workspace's name has no NUL in it.")
        found = Workspace.objects.visible_to(self.user).filter(name=name).first()
        if on_conflict is not None and found is not None:
            return _workspace(found)
        return _workspace(services.open_workspace(name=name, owner=self.user))

    def delete_workspace_users(self, info: Any, where: dict[str, Any]) -> dict[str, int]:
        """Take one person out of one workspace."""
        parts = [where, *(where.get("_and") or [])]
        users = {_equal_to("user_id", part) for part in parts} - {None}
        workspaces = {_equal_to("workspace_id", part) for part in parts} - {None}
        if len(users) != 1 or len(workspaces) != 1:
            raise WorkspaceRefused("Name one user_id and one workspace_id.")
        workspace = visible_or_404(Workspace.objects.all(), self.user, pk=workspaces.pop())
        member = User.objects.filter(pk=_uuid(users.pop())).first()
        if member != self.user:
            require_owner(workspace, self.user)
        removed = member is not None and services.remove_member(
            workspace=workspace, user=member, by=self.user
        )
        return {"affected_rows": int(removed)}


@csrf_exempt
def graphql(request: HttpRequest) -> JsonResponse:
    """Answer one query; the contract's `POST /v1/graphql`."""
    if request.method != "POST":
        response = refusal(405)
        response["Allow"] = "POST"
        return response
    caller = caller_of(request)
    if caller is None:
        return refusal(401)
    try:
        body = read_json_object(request.body)
    except Refused as error:
        return refusal(400, str(error))
    query, variables = body.get("query"), body.get("variables") or {}
    if not isinstance(query, str) or not isinstance(variables, dict):
        return refusal(400, "The body has to hold a query as text, and variables as an object.")
    document = _document(query)
    if not isinstance(document, DocumentNode):
        return JsonResponse({"errors": [error.formatted for error in document]})
    operation = get_operation_ast(document)
    is_mutation = operation is not None and operation.operation is OperationType.MUTATION
    if is_mutation and not caller.scope.allows(Scope.MANAGE):
        return refusal(403, f"This token may only {caller.scope}; it takes one that may manage.")
    result = execute_sync(_schema(), document, Root(caller), variable_values=variables)
    return JsonResponse(_formatted(result))


@cache
def _schema() -> GraphQLSchema:
    text = Path(__file__).with_name("schema.graphql").read_text(encoding="utf-8")
    schema = build_schema(text)
    scalars = {name: each for name, each in schema.type_map.items() if is_scalar_type(each)}
    scalars["bigint"].coerce_input_value = _bigint
    scalars["uuid"].coerce_input_value = _uuid
    scalars["timestamptz"].coerce_output_value = datetime.isoformat
    return schema


@lru_cache(maxsize=256)
def _document(query: str) -> DocumentNode | tuple[GraphQLError, ...]:
    """Return a query that may be executed, or what is wrong with it. The SDK has few of them."""
    try:
        document = parse(query, max_tokens=MOST_TOKENS)
    except GraphQLError as error:
        return (error,)
    rules = [*specified_rules, SizeLimit]
    return tuple(validate(_schema(), document, rules)) or document


def _formatted(result: ExecutionResult) -> dict[str, Any]:
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = [_in_words(error) for error in result.errors]
    return answer


def _in_words(error: GraphQLError) -> dict[str, Any]:
    """Say what may be said: a refusal as it is, and of a fault of ours nothing."""
    cause = error.original_error
    words = error.message
    if isinstance(cause, Http404):
        words = WORDS[404]
    elif cause is not None and not isinstance(cause, SAYABLE):
        logger.error("graphql failed", exc_info=cause)
        words = WORDS[500]
    return {**error.formatted, "message": words}


def _workspace(workspace: Workspace) -> dict[str, Any]:
    return {
        "id": workspace.pk,
        "name": workspace.name,
        "archived": False,
        "created_at": workspace.created_at,
        "created_by": str(workspace.created_by_id) if workspace.created_by_id else None,
        "users": lambda info: _members(workspace),
        "models": lambda info, **_: [],
        "pipelines": [],
    }


def _members(workspace: Workspace) -> list[dict[str, str]]:
    members = Membership.objects.filter(workspace=workspace).order_by("created_at", "pk")
    return [{"user_id": str(each.user_id)} for each in members]


def _equal_to(name: str, where: dict[str, Any]) -> Any:
    """Return what a field has to equal; None where that was left open."""
    return (where.get(name) or {}).get("_eq")


def _bigint(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise GraphQLError(f"A bigint is a whole number, not {value!r:.50}.")
    return value


def _uuid(value: Any) -> UUID:
    try:
        return UUID(value)
    except (AttributeError, TypeError, ValueError) as error:
        raise GraphQLError(f"A uuid is a text of hex digits, not {value!r:.50}.") from error
