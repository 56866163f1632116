"""The REST API: the SDK's and everybody's. Described at /v1/api/docs.

Success codes and objects are those of the SDK's contract; permissions are those of the pages,
by the same functions.
"""

from django.http import HttpRequest
from django.views.decorators.http import require_safe
from ninja import NinjaAPI, Swagger
from ninja.operation import Operation

from wallaroo_ui.api import connections, keycloak, orchestrations, tasks, users, workspaces
from wallaroo_ui.api.bodies import MicrosecondRenderer, StrictJsonParser
from wallaroo_ui.api.errors import add_error_handlers
from wallaroo_ui.api.scopes import READ

DESCRIPTION = """
Everything takes and gives JSON, and needs an `Authorization: Bearer` header: an access token of
the SDK, or a personal API token made on your account's page. Errors are `{"msg", "code"}`; what
you may not see answers 404 as if it did not exist.
"""

V1 = "/v1/api"


class Api(NinjaAPI):
    """Calls each operation by the name of its function, which also names its URL."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the function's name."""
        return operation.view_func.__name__


api = Api(
    title="Wallaroo UI",
    version="1",
    description=DESCRIPTION,
    urls_namespace="rest",
    docs_url=f"{V1}/docs",
    openapi_url=f"{V1}/openapi.json",
    docs_decorator=require_safe,
    docs=Swagger(settings={"persistAuthorization": True}),
    auth=READ,
    parser=StrictJsonParser(),
    renderer=MicrosecondRenderer(),
)
add_error_handlers(api)


@api.get(f"{V1}/config", auth=None, response=dict[str, str], tags=["server"])
def config(request: HttpRequest) -> dict[str, str]:
    """Tell a client, before it has any token, what it must know."""
    return {"default_arch": "x86"}


for module in (workspaces, users, connections, orchestrations, tasks):
    api.add_router(V1, module.router)
api.add_router("/auth/admin/realms/master", keycloak.router)
