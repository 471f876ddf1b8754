# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run PyPI's django-oauth-toolkit with its defaults: ``python django_oauth.py PORT DATABASE CLIENTS.json``.

CLIENTS.json: ``{"user": {"username", "password"}, "clients": [fields of oauth2_provider.models.Application]}``.
"""

from __future__ import annotations

import json
import pathlib
import secrets
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.urls import include, path

PORT, DATABASE, CLIENTS = sys.argv[1:4]

settings.configure(
    SECRET_KEY=secrets.token_hex(32),
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    LOGIN_URL="/admin/login/",
    USE_TZ=True,
)
django.setup()

from django.contrib import admin  # noqa: E402 - after the settings
from django.contrib.auth import get_user_model  # noqa: E402
from oauth2_provider.models import get_application_model  # noqa: E402

urlpatterns = [path("admin/", admin.site.urls), path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    given = json.loads(pathlib.Path(CLIENTS).read_text(encoding="utf-8"))
    user = get_user_model().objects.create_superuser(**given["user"])
    for client in given["clients"]:
        get_application_model().objects.create(user=user, name=client["client_id"], **client)
    call_command("runserver", f"127.0.0.1:{PORT}", use_reloader=False, verbosity=0)
