from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserCreationForm

from wallaroo_ui.accounts.models import User


class NewUserForm(UserCreationForm[User]):
    """A new person, with the address that the SDK and their default workspace need."""

    class Meta:
        model = User
        fields = ("username", "email")


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    """People: create, deactivate, reset a password. Deleting is left to deactivating."""

    add_form = NewUserForm
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
    )
    list_display = ("email", "username", "is_superuser", "is_active", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "username", "first_name", "last_name")
    ordering = ("email",)
