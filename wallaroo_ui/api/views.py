"""What a script in a task needs of the SDK's contract: fresh tokens."""

import logging
from datetime import timedelta

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tasks import credentials
from wallaroo_ui.accounts import tokens

logger = logging.getLogger(__name__)

ACCESS_LIFETIME = timedelta(minutes=5)
REFRESH_LIFETIME = timedelta(days=1)


@csrf_exempt
@require_POST
def token(request: HttpRequest) -> JsonResponse:
    """Exchange a run's refresh token for an access token.

    The refresh token itself stays good until its run has ended: the SDK in a task
    never keeps a new one.
    """
    if request.POST.get("grant_type") != "refresh_token":
        return _refuse("unsupported_grant_type", "Only refresh_token is known here.")
    refresh = request.POST.get("refresh_token", "")
    try:
        claims = tokens.read_token(refresh, kind="refresh")
    except tokens.TokenRefused as error:
        return _refuse("invalid_grant", str(error))
    user = credentials.user_of_run(claims.run) if claims.run else None
    if user is None or user.pk != claims.user:
        # To the script this looks like a fault of the SDK, so the server keeps a trace.
        logger.warning("refresh refused: the run is over", extra={"run": str(claims.run)})
        return _refuse("invalid_grant", "The run of this token has ended.")
    return JsonResponse(
        {
            "access_token": tokens.access_token(user, lifetime=ACCESS_LIFETIME, run=claims.run),
            "expires_in": int(ACCESS_LIFETIME.total_seconds()),
            "refresh_token": refresh,
            "refresh_expires_in": int(REFRESH_LIFETIME.total_seconds()),
            "token_type": "Bearer",
        }
    )


def _refuse(error: str, description: str) -> JsonResponse:
    return JsonResponse({"error": error, "error_description": description}, status=400)
