# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an answer means; nothing of it is shown except its status and known words."""

from __future__ import annotations

import re

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import coded
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.setup_answers import (
    for_operator,
    is_from_vault,
    is_not_there,
    may_pass,
    not_from_vault,
    refused,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.answer import Refusal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.login_input import FIELDS
from support.places import ROOT

PLACE = "Vault at https://v.example"
CHECK = "Check VAULT_ADDR and the policies of the token."
SECRET = "hvs.CAESIJ0123456789"


def answer(status, *errors, body=None):
    return Refusal(status, errors=errors, body={"errors": list(errors)} if body is None else body, retry_after=None)


def of_others(status, text=""):
    """A refusal that is not Vault's JSON."""
    return Refusal(status, errors=(text,), body=None, retry_after=None)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (answer(503, "Vault is sealed"), f"{PLACE} is sealed. An operator must unseal it first. [TRK-V03]"),
        (answer(501, "Vault is not initialized"), f"{PLACE} is not initialised. An operator must initialise and unseal it first. [TRK-V03]"),
        (
            answer(403, f"2 errors occurred: permission denied, invalid token {SECRET}"),
            f"{PLACE} does not accept the token. Get a new one (vault login), and set VAULT_TOKEN (or vault_setup_token). [TRK-V04]",
        ),
        (
            of_others(400, "Client sent an HTTP request to an HTTPS server.\n"),
            f"{PLACE} speaks TLS only. Begin VAULT_ADDR (or vault_setup_url) with https://. [TRK-V02]",
        ),
        (answer(403, "permission denied", SECRET), f"{PLACE} answered with status 403 (permission denied). {CHECK} [TRK-V05]"),
        (answer(403, SECRET), f"{PLACE} answered with status 403. {CHECK} [TRK-V05]"),
        (answer(400, "path is already in use at x/"), f"{PLACE} answered with status 400 (path is already in use). {CHECK} [TRK-V09]"),
        (of_others(503, f"<html>{SECRET}"), f"{PLACE} answered with status 503. {CHECK} [TRK-V09]"),
        *(
            (
                of_others(status, SECRET),
                f"{PLACE} redirects to another address, and the token is not sent there. Set VAULT_ADDR (or vault_setup_url) to the address of the active "
                "node, with https; vault status shows it. [TRK-V09]",
            )
            for status in (301, 302, 303, 307, 308)
        ),
        *(
            (
                refusal,
                "the server at https://v.example is not Vault, but a proxy or another service. "
                "Check VAULT_ADDR (or vault_setup_url) and any proxy in front of Vault. [TRK-V09]",
            )
            for refusal in (not_from_vault(), of_others(204), of_others(404, SECRET), of_others(400, SECRET), answer(404, body={"message": SECRET}))
        ),
    ],
)
def test_answers_have_the_same_error_codes_as_in_modules(refusal, expected):
    assert refused(refusal, "it", place=PLACE, verb="answered with").coded_message == f"it: {expected}"


@pytest.mark.parametrize("refusal", [answer(500), of_others(301), not_from_vault()])
def test_an_unknown_answer_counts_as_unavailable(refusal):
    assert refused(refusal, "it", place=PLACE, verb="answered with").kind == "unavailable"


def test_a_refused_change_is_reported_with_known_words_only():
    said = refused(answer(403, "permission denied", "rate limit quota exceeded"), "it", place=PLACE, verb="refused it with").coded_message
    assert said == f"it: {PLACE} refused it with status 403 (permission denied, rate limit). {CHECK} [TRK-V05]"
    said = refused(answer(400, "existing mount at kv"), "it", place=PLACE, verb="refused it with").coded_message
    assert said == f"it: {PLACE} refused it with status 400 (existing mount). {CHECK} [TRK-V09]"


def test_only_vault_itself_can_report_a_missing_object():
    assert is_not_there(answer(404)) and is_not_there(answer(400, "No secret engine mount at kv/"))
    assert not is_not_there(of_others(404)) and not is_not_there(of_others(400)) and not is_not_there(answer(403)) and not is_not_there(answer(503))


def test_answers_of_vault_are_recognized():
    assert all(map(is_from_vault, ({}, {"data": {}}, {"data": None, "request_id": "x", "warnings": ["y"]})))
    assert not any(map(is_from_vault, ({"data": None}, {"status": "ok"}, {"data": []})))


@pytest.mark.parametrize(
    "refusal",
    [
        answer(400, "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly."),
        answer(404),
        answer(429, "request path: rate limit quota exceeded"),
        answer(500, "local node not active but active cluster node not found"),
        answer(503),
    ],
)
def test_a_temporary_refusal_is_retried(refusal):
    assert may_pass(refusal)


@pytest.mark.parametrize(
    "refusal",
    [
        answer(307),
        answer(401),
        answer(403, "permission denied"),
        answer(405, "unsupported operation"),
        answer(400, "path is already in use at kv/"),
        answer(503, "Vault is sealed"),
        of_others(502),
        not_from_vault(),
    ],
)
def test_a_permanent_refusal_is_not_retried(refusal):
    assert not may_pass(refusal)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("cannot be reached: connection refused. Check that it runs, and url (VAULT_ADDR).", "Check that it runs, and VAULT_ADDR (or vault_setup_url)."),
        (
            "does not speak TLS: begin url with http:// if that is intended (VAULT_ADDR).",
            ": begin VAULT_ADDR (or vault_setup_url) with http:// if that is intended.",
        ),
        (
            "Name its CA file in ca_cert (VAULT_CACERT); validate_certs=false would turn the check off.",
            "Name its CA file in VAULT_CACERT.",
        ),
        (
            "ca_cert /etc/url/ca_cert.pem does not verify it: name the file of its CA there (VAULT_CACERT).",
            "VAULT_CACERT /etc/url/ca_cert.pem does not verify it: name the file of its CA there.",
        ),
        (
            "Set cert_auth_public_key and cert_auth_private_key (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY).",
            "Set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY.",
        ),
        (
            "Vault at https://url.example: its certificate is not checked (validate_certs=false): x",
            "Vault at https://url.example: its certificate is not checked ",
        ),
        ("its certificate is not checked (validate_certs=false): x", "its certificate is not checked (VAULT_SKIP_VERIFY): x"),
        ("Try again, or raise timeout (ANSIBLE_HASHI_VAULT_TIMEOUT).", "Try again."),
        ("broke off its answer. Try again, or set retries.", "Try again."),
        ("Check proxies (ANSIBLE_HASHI_VAULT_PROXIES, https_proxy).", "Check VAULT_PROXY_ADDR and https_proxy."),
    ],
)
def test_messages_name_the_operators_variables(ours, theirs):
    assert theirs in for_operator(ours)


def test_no_connection_message_names_an_option_of_a_lookup():
    """This checks all texts of the file that contains them, so a new option in one of them is noticed here."""
    options = re.compile(
        rf"(?<![\w./:-])(?:{'|'.join(sorted(set(FIELDS) - {'url', 'token', 'timeout', 'jwt', 'password', 'namespace'}))}|begin url|check url)(?!\w)"
    )
    source = (ROOT / "plugins/plugin_utils/_vault/transport_error.py").read_text(encoding="utf-8").partition("def why_no_answer")[2]
    texts = re.findall(r'"((?:[^"\\\n]|\\.)* (?:[^"\\\n]|\\.)*)"', source)
    assert len(texts) > 25 and sum(for_operator(text) != text for text in texts) > 15
    assert {text for text in texts if options.search(for_operator(text).lower())} == set()
    assert coded(for_operator("Check url (VAULT_ADDR)."), "vault:unreachable") == "Check VAULT_ADDR (or vault_setup_url). [TRK-V01]"
