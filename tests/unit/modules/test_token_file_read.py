# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is reported about a file with a token, on the Python versions that hosts may have. The owner of the file may have written anything."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import typing as t

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._hosts.formats import render
from support.processes import Unavailable
from support.targets import PYTHONS, Target

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to others")
TOKEN = "opaque.t0k3n+/="
DETAILS = {"vendor": "tracx", "access_token": TOKEN, "authorization": f"Bearer {TOKEN}", "expires_at": 1799999999.5}


@pytest.fixture(scope="module", params=[pytest.param(python, marks=pytest.mark.system) for python in PYTHONS])
def host(request, tmp_path_factory) -> t.Iterator[Target]:
    try:
        target = Target(request.param, tmp_path_factory.mktemp("target"))
    except Unavailable as exc:
        pytest.skip(str(exc))
    with contextlib.closing(target):
        yield target


def seen(host: Target, *paths: t.Any, form: str | None = None, **options: t.Any) -> list[dict[str, t.Any]]:
    answer = host.run("__private.token_file_read", {"files": [{"path": str(path), **({"format": form} if form else {})} for path in paths], **options})
    assert TOKEN not in answer.everything
    return t.cast("list[dict[str, t.Any]]", answer.result["files"])


def fingerprint(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]


def jwt(claims: str) -> str:
    return "e30." + base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=") + ".c2ln"


@pytest.mark.parametrize(("form", "has_expiry"), [("raw", False), ("header", False), ("env", True), ("json", True)])
def test_the_token_is_read_in_every_format(host, tmp_path, form, has_expiry):
    path = tmp_path / "token"
    path.write_text(render(form, DETAILS))
    path.chmod(0o640)
    for expected in (form, None, "template"):
        [file] = seen(host, path, form=expected)
        assert (file["exists"], file["empty"], file["mode"], file["fingerprint"]) == (True, False, "0640", fingerprint(TOKEN))
        assert file["expires_at"] == (1799999999 if has_expiry else None)
        assert "claims" not in file


@pytest.mark.parametrize("form", ["header", "env", "json"])
@pytest.mark.parametrize("text", ["junk", "{}", "[1]", "X_TOKEN=\n", "Authorization:\n", '{"access_token": ""}'])
def test_a_text_not_in_its_format_has_no_token(host, tmp_path, form, text):
    (tmp_path / "token").write_text(text)
    assert seen(host, tmp_path / "token", form=form)[0].get("fingerprint") is None


@pytest.mark.parametrize("awkward", ["a'b", 'a"b', "a\\b", "a$b`c", "tökén"])
def test_quoted_values_of_an_env_file_are_read(host, tmp_path, awkward):
    path = tmp_path / "token"
    path.write_text(render("env", {**DETAILS, "access_token": awkward, "authorization": awkward}))
    assert seen(host, path)[0]["fingerprint"] == fingerprint(awkward)


@pytest.mark.parametrize(
    ("claims", "expires_at"),
    [
        ('{"exp": 1799999999}', 1799999999), ('{"exp": 1e999}', None), ('{"exp": -5}', None), ('{"exp": true}', None), ('{"exp": NaN}', None),
        ("[]", None), ("", None),
    ],
)  # fmt: skip
def test_the_expiry_of_a_jwt_is_read_from_its_claims(host, tmp_path, claims, expires_at):
    path = tmp_path / "token"
    path.write_text(jwt(claims))
    [file] = seen(host, path, claims=True)
    assert (file["expires_at"], file.get("error")) == (expires_at, None)
    assert (file["claims"] == {"exp": expires_at}) is (expires_at is not None)
    assert (file["claims"] is None) is (not claims.startswith("{"))


@pytest.mark.parametrize(
    "text",
    [
        '{"access_token": "x", "expires_at": 1e999}', '{"access_token": "x", "expires_at": "soon"}', "[" * 100000,
        "X_TOKEN='x'\nX_EXPIRES_AT=" + "9" * 5000 + "\n", "x" * (17 << 20), "\0" * 50, '{"access_token": "\\ud800"}',
        '{"access_token": "x", "expires_at": 1' + "0" * 400 + "}",
    ],
    ids=range(8),
)  # fmt: skip
def test_a_hostile_file_hides_no_other(host, tmp_path, text):
    hostile, good = tmp_path / "hostile", tmp_path / "good"
    hostile.write_text(text)
    good.write_text(render("json", DETAILS))
    files = seen(host, hostile, good)
    assert files[0]["exists"] and files[0].get("expires_at") is None
    assert (files[1]["fingerprint"], files[1]["expires_at"]) == (fingerprint(TOKEN), 1799999999)


def test_anything_but_a_regular_file_is_reported(host, tmp_path):
    secret, link, pipe, folder = (tmp_path / name for name in ("secret", "link", "pipe", "folder"))
    secret.write_text(TOKEN)
    link.symlink_to(secret)
    os.mkfifo(pipe)
    folder.mkdir()
    files = seen(host, link, pipe, folder, tmp_path / "none", secret / "below", "token")
    assert [file.get("error") for file in files] == [
        "is a symlink; it is not followed. Remove it, or give the path of the file itself", "is not a regular file",
        "is a directory; give the path of a file", None, f"{secret} is not a directory", "must be an absolute path",
    ]  # fmt: skip
    assert [file["exists"] for file in files] == [True, True, True, False, True, True]
    assert all("fingerprint" not in file for file in files)


@needs_root
def test_another_users_symlink_in_the_path_is_not_followed(host, tmp_path):
    """Otherwise root would report on a file that the owner of the link may not read."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "token").write_text(TOKEN)
    link = tmp_path / "link"
    link.symlink_to("kept")
    assert seen(host, link / "token")[0]["fingerprint"] == fingerprint(TOKEN)
    os.lchown(link, 12345, 12345)
    [file] = seen(host, link / "token", claims=True)
    assert file["error"] == f"{link} is a symlink that belongs to another user, or can be replaced by one; it is not followed"
    assert "fingerprint" not in file


def test_an_empty_file_is_reported_as_empty(host, tmp_path):
    (tmp_path / "token").touch()
    [file] = seen(host, tmp_path / "token")
    assert (file["exists"], file["empty"], file.get("fingerprint")) == (True, True, None)


def test_json_of_something_else_is_no_token(host, tmp_path):
    (tmp_path / "token").write_text(json.dumps({"password": "x"}))
    assert seen(host, tmp_path / "token")[0].get("fingerprint") is None
