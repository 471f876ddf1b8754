# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import SecretField, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent import protocol as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.redaction import Redactor
from hypothesis import given
from hypothesis import strategies as st

HERE = "http://127.0.0.1:8400/callback"
VENDOR = Vendor(name="acme", base_url="https://login.example.com/", authorize_url="/authorize")
ASKED = subject.Consent(state="the-state", verifier="", redirect_uri=HERE)


def back(**parameters: str) -> str:
    return f"{HERE}?{urlencode({'state': 'the-state', **parameters})}"


def test_state_and_verifier_are_random_and_hidden_from_the_repr():
    first, second = (subject.begin(HERE, pkce=True) for _ in range(2))
    assert len({first.state, first.verifier, second.state, second.verifier}) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", value) for value in (first.state, first.verifier))  # RFC 7636 4.1
    assert repr(first) == f"Consent(redirect_uri='{HERE}')"
    assert subject.begin(HERE, pkce=False).verifier == ""
    drawn = subject.begin(HERE, pkce=True, random=lambda size: f"of {size} bytes")
    assert (drawn.state, drawn.verifier) == ("of 32 bytes", "of 32 bytes")


def test_the_challenge_is_that_of_rfc_7636():
    # RFC 7636, appendix B
    assert subject.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_authorization_url_has_the_required_parameters():
    url = subject.authorization_url(VENDOR, "my client&", ASKED)
    assert url.startswith("https://login.example.com/authorize?")
    assert parse_qsl(urlsplit(url).query) == [
        ("response_type", "code"),
        ("client_id", "my client&"),
        ("redirect_uri", HERE),
        ("state", "the-state"),
    ]


def test_the_authorization_url_has_scope_pkce_and_resources_but_no_secret_fields():
    vendor = dataclasses.replace(
        VENDOR,
        scope="read offline_access",
        parameters={"resource": ("https://a", "https://b"), "audience": SecretField("audience"), "tenant": "t", "key": SecretField("key")},
    )
    asked = dataclasses.replace(ASKED, verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    url = subject.authorization_url(vendor, "c", asked)
    assert parse_qsl(urlsplit(url).query)[4:] == [
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("scope", "read offline_access"),
        ("resource", "https://a"),
        ("resource", "https://b"),
    ]
    assert asked.verifier not in url


def test_the_query_of_authorize_url_is_kept():
    vendor = dataclasses.replace(VENDOR, authorize_url="https://example.com/auth?access_type=offline&prompt=")
    assert parse_qsl(urlsplit(subject.authorization_url(vendor, "c", ASKED)).query, keep_blank_values=True)[:2] == [
        ("access_type", "offline"),
        ("prompt", ""),
    ]
    with pytest.raises(OptionError) as caught:
        subject.authorization_url(dataclasses.replace(VENDOR, authorize_url="/authorize?state=1&client_id=&x=y"), "c", ASKED)
    assert caught.value.coded_message == "acme: the query of authorize_url must not contain 'client_id': it is added automatically. [TRK-O04]"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "acme: the vendor's authorization URL is not known. Set authorize_url or issuer."),
        ("http://example.com/a", "acme: at example.com you would log in over plain http. Use https, or set allow_http if you must."),
        ("javascript://example.com/%0aalert(1)", "acme: authorize_url is not a usable http(s) address. Check base_url and authorize_url."),
        ("https://user@example.com/", "acme: authorize_url is not a usable http(s) address. Check base_url and authorize_url."),
        ("https://example.com/#here", "acme: authorize_url is not a usable http(s) address. Check base_url and authorize_url."),
        ("https://example.com/\x1b[31m", "acme: authorize_url is not a usable http(s) address. Check base_url and authorize_url."),
        ("https://[::1", "acme: authorize_url is not a usable http(s) address. Check base_url and authorize_url."),
        ("https://[::1]:99999/", "acme: authorize_url is not a usable http(s) address. Check base_url and authorize_url."),
        ("https://exa mple.com/", "acme: authorize_url is not a usable http(s) address. Check base_url and authorize_url."),
    ],
)
def test_unusable_authorization_urls_are_refused(url: str, message: str):
    with pytest.raises(OptionError) as caught:
        subject.authorization_url(dataclasses.replace(VENDOR, authorize_url=url), "c", ASKED)
    code = "TRK-O03" if "is not known" in message else "TRK-O09" if "plain http" in message else "TRK-O08"
    assert (caught.value.message, caught.value.error_code) == (message, code)


def test_a_plain_http_authorization_url_is_accepted_if_allowed_or_local():
    vendor = dataclasses.replace(VENDOR, authorize_url="http://example.com/a")
    assert subject.authorization_url(vendor, "c", ASKED, allow_http=True).startswith("http://example.com/a?")
    assert subject.authorization_url(dataclasses.replace(vendor, authorize_url="http://127.0.0.1:1/a"), "c", ASKED)


@pytest.mark.parametrize("uri", ["http://127.0.0.1/cb", "http://[::1]:80/", "http://localhost:1", "https://a.example/b?c=d", "com.example.app:/cb"])
def test_valid_redirect_addresses_are_accepted(uri: str):
    subject.check_redirect_uri(VENDOR, uri)


@pytest.mark.parametrize(
    "uri",
    [
        "/callback",
        "",
        "https://a.example/#x",
        "http://a.example/",
        "http://127.0.0.1.example.com/",
        "http:/cb",
        "http://a b",
        "http://[::1",
        "http://127.0.0.1:99999/",
    ],
)
def test_unsafe_redirect_addresses_are_refused(uri: str):
    with pytest.raises(OptionError) as caught:
        subject.check_redirect_uri(VENDOR, uri)
    plain = "acme: redirect_uri would carry the code over plain http. Use https, or an address of this machine. [TRK-O09]"
    odd = "acme: redirect_uri must be a whole address without a fragment, such as http://127.0.0.1:8400/callback. [TRK-O08]"
    assert caught.value.coded_message == (plain if uri in ("http://a.example/", "http://127.0.0.1.example.com/", "http:/cb") else odd)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://127.0.0.1:8400/callback", ("127.0.0.1", 8400, "/callback")),
        ("http://127.0.0.1/callback?x=y", ("127.0.0.1", 0, "/callback")),
        ("http://localhost:1", ("localhost", 1, "/")),
        ("http://[::1]:5/a", ("::1", 5, "/a")),
        ("https://127.0.0.1/callback", None),
        ("http://example.com/callback", None),
        ("http://127.0.0.1:99999/callback", None),
        ("http://[::1", None),
        ("http:/cb", None),
        ("com.example:/cb", None),
    ],
)
def test_the_listening_address_comes_from_the_redirect_address(uri: str, address: tuple[str, int, str] | None):
    assert subject.listening_address(uri) == address


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://127.0.0.1/callback", "http://127.0.0.1:7/callback"),
        ("http://127.0.0.1:0/callback?a=b", "http://127.0.0.1:7/callback?a=b"),
        ("http://[::1]/callback", "http://[::1]:7/callback"),
        ("http://127.0.0.1:5/callback", "http://127.0.0.1:5/callback"),
    ],
)
def test_the_chosen_port_is_put_into_the_redirect_address(uri: str, expected: str):
    assert subject.with_port(uri, 7) == expected


@pytest.mark.parametrize(
    "redirected",
    [
        back(code="the-code"),
        f"  <{back(code='the-code')}>\n",
        "/callback?" + back(code="the-code").partition("?")[2],
        back(code="the-code").partition("?")[2],
        back(code="the-code", iss="https://login.example.com", session_state="x"),
        f"'{back(code='the-code')}'",
        f'"{back(code="the-code")}"',
        back(code="the-code", **{f"x{number}": "" for number in range(48)}),
    ],
)
def test_the_code_is_read_from_the_redirected_address(redirected: str):
    assert subject.read_redirect(redirected, ASKED, VENDOR) == "the-code"
    assert subject.state_of(redirected) == "the-state"


def test_an_answer_without_a_state_has_an_empty_one():
    assert subject.state_of(f"{HERE}?code=c") == ""


@pytest.mark.parametrize(
    ("redirected", "is_it"),
    [
        (back(code="c"), True),
        (back(error="access_denied"), True),
        (back(code="c", state="other"), False),
        (back(code="c", state=""), False),
        (f"{HERE}?error=access_denied", False),
        (f"{HERE}?code=c", False),
        (HERE, False),
        (back(), False),
        (back(code="c") + "&state=the-state", False),
        (back(code="c") + "&state=other", False),
    ],
)
def test_only_an_answer_with_the_state_ends_the_wait(redirected: str, is_it: bool):
    assert subject.is_response_to(redirected, ASKED) is is_it


DENIED = "acme: the consent was denied in the browser (access_denied)."
FORGED = "acme: the answer has a different state than the request, so it belongs to another request or is forged. Start again."


@pytest.mark.parametrize(
    ("redirected", "message"),
    [
        (back(code="c", state="other"), FORGED),
        (back(code="c", state=""), FORGED),
        (f"{HERE}?code=c", FORGED),
        (f"{HERE}?error=access_denied", FORGED),
        (back(error="access_denied"), DENIED),
        (back(error="access_denied", error_description="No\r\n\x1b[31mway"), f"{DENIED} The vendor says: No [31mway"),
        (back(error="invalid_scope"), "acme: the vendor did not ask for consent: invalid_scope. Check client_id and redirect_uri at the vendor, and scope."),
        (back(code=""), "acme: the vendor sent the browser back without a code. Start again."),
        (back(error=""), "acme: the vendor sent the browser back without a code. Start again."),
        (
            f"{HERE}&code=c&state=the-state",
            f"acme: this is not where the vendor sent the browser: it has neither a code nor an error. The right address begins with {HERE}.",
        ),
        (back(code="a\nb"), "acme: the vendor sent the browser back without a code. Start again."),
        (back(code="c") + "&code=d", "acme: the answer contains a parameter twice, which no vendor may do. Start again."),
        (
            back(code="the-code", **{f"x{number}": "" for number in range(49)}),
            f"acme: this is not where the vendor sent the browser: it has neither a code nor an error. The right address begins with {HERE}.",
        ),
        (
            "https://login.example.com/consent",
            f"acme: this is not where the vendor sent the browser: it has neither a code nor an error. The right address begins with {HERE}.",
        ),
        ("", f"acme: this is not where the vendor sent the browser: it has neither a code nor an error. The right address begins with {HERE}."),
    ],
)
def test_an_answer_without_consent_is_an_error(redirected: str, message: str):
    with pytest.raises(VendorError) as caught:
        subject.read_redirect(redirected, dataclasses.replace(ASKED, redirect_uri=f"{HERE}?x=y?z"), VENDOR)
    code = "TRK-A01" if DENIED in message else "TRK-A02" if "did not ask" in message else "TRK-A03"
    kind, error = ("answer", None) if code == "TRK-A03" else ("refused", "access_denied" if code == "TRK-A01" else "invalid_scope")
    assert (caught.value.message, caught.value.error_code, caught.value.kind, caught.value.code) == (message, code, kind, error)


def test_words_of_the_vendor_are_shortened_and_state_and_verifier_are_redacted():
    asked = dataclasses.replace(ASKED, state="the-state-of-it", verifier="the-verifier")
    said = f"{HERE}?{urlencode({'state': 'the-state-of-it', 'error': 'x' * 61, 'error_description': 'the-verifier, the-state-of-it'})}"
    with pytest.raises(VendorError) as caught:
        subject.read_redirect(said, asked, VENDOR)
    assert caught.value.message == (
        f"acme: the vendor did not ask for consent: {'x' * 59}…. Check client_id and redirect_uri at the vendor, and scope. The vendor says: ***, ***"
    )


def test_credentials_are_read_only_to_redact_words_of_the_vendor():
    def never():
        raise AssertionError

    assert subject.read_redirect(back(code="the-code"), ASKED, VENDOR, never) == "the-code"
    with pytest.raises(VendorError) as caught:
        subject.read_redirect(back(error="access_denied", error_description="no s3cr%33t"), ASKED, VENDOR, lambda: Redactor().also("s3cr3t"))
    assert caught.value.message == f"{DENIED} The vendor says: no ***"


def test_an_answer_from_another_issuer_is_refused():
    vendor = dataclasses.replace(VENDOR, issuer="https://login.example.com/")
    assert subject.read_redirect(back(code="c", iss="https://login.example.com"), ASKED, vendor) == "c"
    assert subject.read_redirect(back(code="c"), ASKED, vendor) == "c"
    for other in ("https://evil.example.com", "https://login.example.com/X", ""):
        for issuer, said in (("https://login.example.com/", other), (other, "https://login.example.com/")):
            if issuer:
                with pytest.raises(VendorError) as caught:
                    subject.read_redirect(back(code="c", iss=said), ASKED, dataclasses.replace(VENDOR, issuer=issuer))
                assert caught.value.coded_message == (
                    "acme: the answer is from another issuer (RFC 9207). Start again, and check issuer and authorize_url. [TRK-A03]"
                )


@given(st.sampled_from(["", "?code=", f"{HERE}?state=the-state&code=", "?state=the-state&error=x&error_description="]), st.text())
def test_any_redirected_text_gives_a_code_or_a_one_line_error(start: str, text: str):
    message = ""
    try:
        assert subject.read_redirect(start + text, ASKED, VENDOR)
    except VendorError as exc:
        message = exc.message
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize(("scope", "added"), [("", []), ("read write", [("scope", "read write")])])
def test_a_scope_is_requested_only_if_one_is_set(scope, added):
    vendor = dataclasses.replace(VENDOR, scope=scope)
    assert subject.consent_parameters(vendor, "authorize_url", "a=1", [("b", "2")]) == [("a", "1"), ("b", "2"), *added]
