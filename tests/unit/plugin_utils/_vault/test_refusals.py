# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error for each refusal of Vault; which requests are refused is in test_client.py."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.answer import Refusal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.refusal_texts import path_hint
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.refusals import Refusals
from support.scripted import approle, vault_options

TOKEN = vault_options()


class Vault:
    """Vault's answer to each question; an exception is raised instead of an answer."""

    def __init__(self, *, token=True, policies=(), kv_version=None, initialised=True):
        self.answers = {"has_token": token, "policies": policies, "kv_version": kv_version, "is_initialised": initialised}
        self.asked = []

    def _answer(self, name, *about):
        self.asked.append((name, *about))
        found = self.answers[name]
        if isinstance(found, Exception):
            raise found
        return found

    def has_token(self):
        return self._answer("has_token")

    def policies(self):
        return self._answer("policies")

    def kv_version(self, mount, path):
        return self._answer("kv_version", mount, path)

    def is_initialised(self):
        return self._answer("is_initialised")


def refusal(status, *errors, retry_after=None, **body):
    return Refusal(status, errors=errors, body={"errors": list(errors), **body}, retry_after=retry_after)


def refusals(options=TOKEN, vault=None, secrets=()):
    return Refusals(options, place="Vault at https://v", hidden=list(secrets), questions=vault or Vault())


def text_and_kind(error):
    return error.message, error.kind


UNKNOWN = refusal(403, "permission denied")


# -- any request ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "text", "kind"),
    [
        (refusal(503, "Vault is sealed"), " is sealed. An operator must unseal it first.", "sealed"),
        (refusal(501), " is not initialised. An operator must initialise and unseal it first.", "sealed"),
        (refusal(429), " refuses more requests: its rate limit is reached (429). Try again later.", "unavailable"),
        (refusal(429, retry_after=7.4), " refuses more requests for 7 s: its rate limit is reached (429). Try again later.", "unavailable"),
        (refusal(407), ": the proxy in front of it requires a login (407). Check proxies.", "unreachable"),
        (refusal(412), " is a replica that is not up to date yet (412). Try again, or set retries.", "unavailable"),
        (refusal(500, "a", "a", "b"), " cannot serve now: status 500 (a; b). Try again later, or set retries.", "unavailable"),
        (refusal(503, "no"), " cannot serve now: status 503 (no). Try again later, or set retries.", "unavailable"),
        (
            Refusal(403, errors=("x",), body={"message": "x"}, retry_after=None),
            ": the answer (status 403) comes from a proxy or another service, not from Vault. Check url (VAULT_ADDR) and proxies.",
            "unavailable",
        ),
        (
            refusal(400),
            " failed (reading p): status 400. Check url (VAULT_ADDR), any proxy between here and Vault, and Vault's log.",
            "unavailable",
        ),
        (refusal(500, "no X"), " cannot serve now: status 500 (no X). Try again later, or set retries.", "unavailable"),
        (refusal(404), " has nothing at p (reading). Check the mount, the path and namespace.", "missing"),
        (
            refusal(400, "what?"),
            " failed (reading p): status 400 (what?). Check url (VAULT_ADDR), any proxy between here and Vault, and Vault's log.",
            "unavailable",
        ),
    ],
)
def test_each_refused_request_has_its_message_and_kind(answer, text, kind):
    assert text_and_kind(refusals().of_request(answer, "reading", "p", needs="read")) == (f"Vault at https://v{text}", kind)


def test_a_hint_is_at_the_end_of_the_message():
    for answer in (refusal(404), refusal(400), UNKNOWN):
        assert refusals().of_request(answer, "reading", "p", needs="read", hint="Try q.").message.endswith(". Try q.")


def test_a_sealed_vault_is_asked_whether_it_is_initialised():
    sealed = refusal(503, "Vault is sealed")
    fresh = refusals(vault=Vault(initialised=False)).of_request(sealed, "reading", "p", needs="read")
    assert text_and_kind(fresh) == ("Vault at https://v is not initialised. An operator must initialise and unseal it first.", "sealed")
    for trouble in (UNKNOWN, VaultError("x")):
        assert "is sealed" in refusals(vault=Vault(initialised=trouble)).of_request(sealed, "reading", "p", needs="read").message


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("policies", "advice"),
    [
        (["a", "s3cr3t"], "The token is valid, but none of its policies (a, ***) grants read on p, or one of them denies it. Correct the policies."),
        ([], "The token may be expired, or none of its policies grants read on p, or one of them denies it. Check the token and its policies."),
        (UNKNOWN, "The token may be expired, or none of its policies grants read on p, or one of them denies it. Check the token and its policies."),
        (VaultError("x"), "The token may be expired, or none of its policies grants read on p, or one of them denies it. Check the token and its policies."),
    ],
)
def test_a_denial_names_the_policies_if_the_token_is_valid(status, policies, advice):
    denied = refusals(vault=Vault(policies=policies), secrets=["s3cr3t"]).of_request(refusal(status, "permission denied s3cr3t"), "reading", "p", needs="read")
    assert text_and_kind(denied) == (f"Vault at https://v denied reading p (permission denied ***). {advice}", "denied")


def test_a_denied_request_about_the_token_itself_says_that_it_may_be_expired():
    vault = Vault(policies=["a"])
    denied = refusals(vault=vault).of_request(UNKNOWN, "renewing", "auth/token/renew-self", needs="update")
    assert denied.message.endswith("The token may be expired or revoked.")
    assert vault.asked == []


@pytest.mark.parametrize("said", ["invalid token", "Bad token"])
@pytest.mark.parametrize(
    ("options", "vault", "advice"),
    [
        (TOKEN, None, "Get a new one (vault login), and set token (VAULT_TOKEN)."),
        (approle(), None, "Try again, which logs in again. If that does not help, check url (VAULT_ADDR) and any proxy in front of Vault."),
        (vault_options(auth_method="none"), Vault(token=False), "Check the agent or proxy that adds it."),
        (
            vault_options(auth_method="none"),
            Vault(token=True),
            "Try again, which logs in again. If that does not help, check url (VAULT_ADDR) and any proxy in front of Vault.",
        ),
    ],
)
def test_a_rejected_token_has_advice_for_its_origin(said, options, vault, advice):
    denied = refusals(options, vault).of_request(refusal(403, said), "reading", "p", needs="read")
    assert text_and_kind(denied) == (
        f"Vault at https://v does not accept the token ({said}): it is wrong, expired or revoked. {advice} Denied: reading p.",
        "denied",
    )
    # For the user, the login does not work; a denial by its policies is a different error.
    assert (denied.error_code, refusals(options, vault).of_request(UNKNOWN, "reading", "p", needs="read").error_code) == ("TRK-V04", "TRK-V05")


def test_without_a_token_a_denial_asks_for_an_agent_that_adds_one():
    vault = Vault(token=False)
    denied = refusals(vault_options(auth_method="none"), vault).of_request(UNKNOWN, "reading", "p", needs="read")
    assert denied.message.endswith("With auth_method=none an agent or proxy must add a token whose policies grant read on p.")


def test_reasons_of_a_refusal_are_joined_in_one_line_without_duplicates():
    listed = refusal(400, "2 errors occurred:\n\t* one\n\t* two\n\n", "", "one; two", "end. ")
    assert " status 400 (one; two; end)." in refusals().of_request(listed, "reading", "p", needs="read").message


# -- a login -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"auth_method": "userpass", "username": "joe", "password": "p"}, "login by userpass at auth/userpass as joe"),
        ({"auth_method": "ldap", "username": "joe", "password": "p", "mount_point": "corp"}, "login by ldap at auth/corp as joe"),
        ({"auth_method": "jwt", "role_id": "ops", "jwt": "j", "username": "joe"}, "login by jwt at auth/jwt as role ops"),
        ({"auth_method": "approle", "role_id": "0123456789abcdef", "secret_id": "s"}, "login by approle at auth/approle as role_id 0123456789abcdef"),
        ({"auth_method": "approle", "role_id": "0123456789abcdefg", "secret_id": "s"}, "login by approle at auth/approle as role_id 01234567…"),
        ({"auth_method": "approle", "role_id": "0123456789"}, "login by approle at auth/approle"),  # the login needs nothing else
        ({"auth_method": "aws_iam"}, "login by aws_iam at auth/aws"),
        ({}, "check of the token"),
    ],
)
def test_the_name_of_a_login_shows_method_mount_and_identity(values, name):
    assert refusals(vault_options(**values)).login_name() == name


@pytest.mark.parametrize("answer", [refusal(404), refusal(400, "no handler for route x"), refusal(400, "unsupported path")])
def test_a_missing_login_path_is_reported(answer):
    assert text_and_kind(refusals(approle()).login(answer)) == (
        "Vault at https://v has no such login: login by approle at auth/approle as role_id role. Check mount_point, auth_method and namespace.",
        "login_refused",
    )


def test_a_missing_secret_id_is_named_only_if_none_is_set():
    without, missing = vault_options(auth_method="approle", role_id="role"), refusal(400, "missing secret_id")
    assert text_and_kind(refusals(without).login(missing)) == (
        "Vault at https://v refused the login by approle at auth/approle: this AppRole needs a secret_id. Set it (ANSIBLE_HASHI_VAULT_SECRET_ID).",
        "login_refused",
    )
    for options, answer in ((without, refusal(400, "no")), (approle(), missing)):
        assert text_and_kind(refusals(options).login(answer))[0].endswith("Check role_id and secret_id.")


@pytest.mark.parametrize(("status", "advice"), [(400, "role_id and secret_id"), (403, "role_id, secret_id and mount_point")])
def test_a_refused_login_names_the_options_to_check(status, advice):
    assert text_and_kind(refusals(approle()).login(refusal(status, "no"))) == (
        f"Vault at https://v refused the login by approle at auth/approle as role_id role (no). Check {advice}.",
        "login_refused",
    )


@pytest.mark.parametrize(
    ("method", "answer", "locked"),
    [
        ("userpass", UNKNOWN, True),
        ("ldap", UNKNOWN, True),
        ("approle", UNKNOWN, True),
        ("jwt", UNKNOWN, False),
        ("userpass", refusal(403, "no"), False),
        ("userpass", refusal(400, "permission denied"), False),
    ],
)
def test_a_possible_user_lockout_is_mentioned(method, answer, locked):
    values = {"username": "joe", "password": "p", "role_id": "r", "secret_id": "s", "jwt": "j"}
    message = refusals(vault_options(auth_method=method, **values)).login(answer).message
    assert message.endswith(", and whether Vault has locked this user (sys/locked-users).") is locked
    assert ("locked" in message) is locked


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (refusal(500, "no"), " cannot serve now: status 500 (no). Try again later."),
        (refusal(412), " is a replica that is not up to date yet (412). Try again."),
    ],
)
def test_a_login_is_never_repeated_so_no_retries_are_advised(answer, text):
    assert text_and_kind(refusals(approle()).login(answer)) == (f"Vault at https://v{text}", "unavailable")


def test_a_token_refused_at_its_validation_is_explained():
    """A token that is wrong; and one that may be right, because Vault refuses the question in the same words."""
    text = "Vault at https://v does not accept the token ({}). Get a new one (vault login), and set token (VAULT_TOKEN)."
    rights = " If it is valid but its policies do not allow auth/token/lookup-self, set token_validate=false."
    assert text_and_kind(refusals().login(UNKNOWN)) == (text.format("permission denied") + rights, "login_refused")
    for reason in ("invalid token", "bad token"):
        assert text_and_kind(refusals().login(refusal(403, reason))) == (text.format(reason), "login_refused")
    assert text_and_kind(refusals().login(refusal(400, "no"))) == (text.format("no"), "login_refused")


def test_a_login_at_a_sealed_vault_is_reported_as_sealed():
    assert refusals(approle()).login(refusal(503, "Vault is sealed")).kind == "sealed"


# -- a secret ------------------------------------------------------------------------------------------------------


def read(answer, *, engine=2, version=None, vault=None, path="x"):
    return text_and_kind(refusals(vault=vault).read(answer, "kv", path, engine=engine, version=version))


HAS_1 = ("Vault at https://v has KV version 1 at kv, but version 2 was requested. Set engine_version=1.", "missing")
HAS_2 = ("Vault at https://v has KV version 2 at kv, but version 1 was requested. Set engine_version=2.", "missing")


@pytest.mark.parametrize(
    ("answer", "more", "expected"),
    [
        (
            refusal(404),
            {},
            ("Vault at https://v has no secret at kv/x (KV version 2). Check the path, engine_mount_point, engine_version and namespace.", "missing"),
        ),
        (
            refusal(404),
            {"version": 3},
            ("Vault at https://v has no secret at kv/x, or not its version 3. Check the path and secret_version.", "missing"),
        ),
        (
            refusal(404),
            {"path": "data/x"},
            ("Vault at https://v has no secret at kv/data/x (KV version 2). Try 'x': data/ is not part of path.", "missing"),
        ),
        (
            refusal(404, "no handler for route kv"),
            {},
            ("Vault at https://v has nothing mounted at kv. Check engine_mount_point and namespace.", "missing"),
        ),
        (refusal(404, "route entry not found"), {}, ("Vault at https://v has nothing mounted at kv. Check engine_mount_point and namespace.", "missing")),
        (refusal(404), {"vault": Vault(kv_version="1")}, HAS_1),
        (refusal(404, warnings=["Invalid path for a VERSIONED K/V"]), {"engine": 1}, HAS_2),
        (refusal(403, "permission denied"), {"vault": Vault(kv_version="1")}, HAS_1),
        (refusal(403, "permission denied"), {"engine": 1, "vault": Vault(kv_version="2")}, HAS_2),
    ],
)
def test_a_missing_secret_is_explained(answer, more, expected):
    assert read(answer, **more) == expected


@pytest.mark.parametrize("found", ["2", None, UNKNOWN, VaultError("x")])
def test_a_denial_is_reported_unless_the_kv_version_is_wrong(found):
    message, kind = read(UNKNOWN, vault=Vault(kv_version=found))
    assert (message.startswith("Vault at https://v denied reading kv/data/x"), kind) == (True, "denied")


def test_after_a_rejected_token_the_kv_version_is_not_requested():
    vault = Vault(kv_version="1")
    assert read(refusal(403, "invalid token"), vault=vault)[0].startswith("Vault at https://v does not accept the token")
    assert vault.asked == []
    assert read(refusal(503, "Vault is sealed"), vault=vault)[1] == "sealed"


def test_a_denial_names_the_full_path_of_each_kv_version():
    for engine, full in ((2, "kv/data/x"), (1, "kv/x")):
        assert read(UNKNOWN, engine=engine)[0] == (
            f"Vault at https://v denied reading {full} (permission denied). The token may be expired, or none of its policies grants read on {full},"
            " or one of them denies it. Check the token, its policies, and engine_mount_point (now: kv)."
        )


def test_a_denied_path_that_repeats_the_mount_gets_a_hint_without_asking_for_policies():
    vault = Vault(policies=["fleet"])
    assert read(UNKNOWN, path="kv/data/x", vault=vault) == (
        "Vault at https://v denied reading kv/data/kv/data/x (permission denied). Try 'x': the mount and data/ are not part of path.",
        "denied",
    )
    assert ("policies",) not in vault.asked


def test_a_denied_read_mentions_engine_mount_point():
    assert read(UNKNOWN, vault=Vault(policies=["fleet"]))[0].endswith(
        "none of its policies (fleet) grants read on kv/data/x, or one of them denies it. Correct the policies, or engine_mount_point (now: kv)."
    )


@pytest.mark.parametrize("answer", [UNKNOWN, refusal(404)])
def test_the_kv_version_is_requested_with_the_path_of_the_secret(answer):
    vault = Vault(kv_version="2")
    assert "engine_version=" not in read(answer, vault=vault)[0]
    assert vault.asked[0] == ("kv_version", "kv", "x")


def test_the_path_hint_is_shown_except_for_a_rejected_token():
    hint = path_hint("kv", "data/x", engine=2)
    assert read(refusal(400, "what?"), path="data/x")[0].endswith(f" (what?). {hint}")
    text = read(refusal(403, "invalid token"), path="data/x")[0]
    assert text.startswith("Vault at https://v does not accept the token (invalid token)") and hint not in text


def test_a_preposition_at_the_end_of_the_action_is_dropped():
    assert refusals().of_request(refusal(404), "looking at", "p", needs="read").message == (
        "Vault at https://v has nothing at p (looking). Check the mount, the path and namespace."
    )


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"version": 3, "destroyed": True}, "version 3 of the secret at kv/x is destroyed. Write it again, or name another version in secret_version."),
        ({"version": 3}, "version 3 of the secret at kv/x is deleted. Undelete it, write it again, or name another version in secret_version."),
        ({}, "the secret at kv/x is deleted. Undelete it, write it again, or name another version in secret_version."),
    ],
)
def test_a_deleted_or_destroyed_version_is_explained(metadata, expected):
    assert read(refusal(404, data={"data": None, "metadata": metadata})) == (f"Vault at https://v: {expected}", "deleted")
    assert read(refusal(404, data={"metadata": metadata}), engine=1)[1] == "missing"
