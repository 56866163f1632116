from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.http import HttpRequest

from wallaroo_ui.accounts.models import ApiToken, BrowserSession, RefreshToken, User


class NewUserForm(AdminUserCreationForm[User]):
    """A new person, with the address that the SDK and their default workspace need."""

    class Meta:
        model = User
        fields = ("username", "email")


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    """People: create, deactivate, reset a password.

    Nobody is deleted: their work would act for nobody, and their workspaces have no owner.
    """

    add_form = NewUserForm
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
    )
    list_display = ("email", "username", "is_superuser", "is_active", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "username", "first_name", "last_name")
    ordering = ("email",)
    fieldsets = (
        *(DjangoUserAdmin.fieldsets or ()),
        ("Looks", {"fields": ("theme", "time_zone")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Keep who looks after the server from shutting themselves out."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return (*fields, "is_active", "is_staff", "is_superuser") if obj == request.user else fields

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Leave people who are gone to deactivating."""
        return False


class SecretAdmin(admin.ModelAdmin[Any]):
    """What acts for people: their own to make, and an admin's to end by deleting it."""

    list_select_related = ("user",)
    ordering = ("-created_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody makes one for somebody else."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What a secret may do is settled when it is made."""
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(SecretAdmin):
    """The tokens that people made for their scripts."""

    list_display = ("start", "name", "user", "scope", "created_at", "expires_at", "last_used_at")
    list_filter = ("scope", "expires_at")
    search_fields = ("name", "start", "user__email", "user__username")


@admin.register(RefreshToken)
class RefreshTokenAdmin(SecretAdmin):
    """The logins of the SDK."""

    list_display = ("user", "user_agent", "created_at", "expires_at", "last_used_at")
    list_filter = ("expires_at",)
    search_fields = ("user__email", "user__username", "user_agent")


@admin.register(BrowserSession)
class BrowserSessionAdmin(SecretAdmin):
    """The browsers in which people are logged in. To end one, an admin deletes it."""

    list_display = ("user", "device", "address", "created_at", "last_seen_at")
    list_filter = ("last_seen_at",)
    search_fields = ("user__email", "user__username", "user_agent")
    exclude = ("session",)  # Its key is the login itself.

    def delete_model(self, request: HttpRequest, obj: BrowserSession) -> None:
        """Log the browser out."""
        obj.session.delete()

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Log the browsers out."""
        queryset.end()
