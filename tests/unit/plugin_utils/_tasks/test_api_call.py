# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of C(api_request), and answers without the token."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.api_call import OPTIONS_OF_URI, address_options, expected, split, token_remover

URL = "https://api.example/shipments"


def test_arguments_are_split_into_request_and_token():
    args = {"url": URL, "method": "POST", "headers": {"X": "1"}, "vendor": "tracx", "path": "fleet/x", "min_ttl": 5}
    request, wanted = split(args)
    assert request == {"url": URL, "method": "POST", "headers": {"X": "1"}}
    assert wanted == {"vendor": "tracx", "path": "fleet/x", "min_ttl": 5}


def test_options_that_uri_has_too_are_given_under_vault():
    request, wanted = split({"url": URL, "timeout": 5, "vendor": "tracx", "vault": {"timeout": 7, "validate_certs": False}})
    assert (request["timeout"], wanted) == (5, {"vendor": "tracx", "timeout": 7, "validate_certs": False})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "api_request needs 'url', the address of the API to call."),
        ({"url": ""}, "api_request needs 'url', the address of the API to call."),
        *(
            ({"url": URL, name: "x"}, f"api_request does not take '{name}': the token is the authorization.")
            for name in ("url_username", "user", "url_password", "password", "force_basic_auth", "use_gssapi", "use_netrc")
        ),
        ({"url": URL, "headers": "X: 1"}, "api_request: 'headers' must be a dictionary."),
        ({"url": URL, "headers": {"AUTHORIZATION": "x"}}, "api_request sets the Authorization header itself; leave it out of 'headers'."),
        ({"url": URL, "vault": "x"}, "api_request: 'vault' must be a dictionary of Vault options."),
    ],
)
def test_unsupported_arguments_are_refused(args, message):
    with pytest.raises(OptionError) as caught:
        split(args)
    code = "TRK-O03" if "needs 'url'" in message else "TRK-O02" if "must be" in message else "TRK-O04"
    assert (caught.value.message, caught.value.error_code) == (message, code)


@pytest.mark.parametrize("url", ["http://api.example/x?key=s3cret", "HTTP://joe:s3cret@api.example", " http://127.0.0.1.evil.example"])
def test_no_token_goes_over_plain_http_to_another_machine(url):
    with pytest.raises(OptionError) as caught:
        address_options(url, allow_http=False)
    name = "127.0.0.1.evil.example" if "127" in url else "api.example"
    assert caught.value.coded_message == f"api_request: {name} would get the token over plain http. Use https, or set allow_http. [TRK-O09]"
    assert address_options(url, allow_http=True) == {}


@pytest.mark.parametrize(("name", "shown"), [("a" * 100, "a" * 100), ("a" * 101, "a" * 99 + "…")])
def test_a_long_host_name_is_shortened(name, shown):
    with pytest.raises(OptionError, match=f"^api_request: {shown} would"):
        address_options(f"http://{name}/x", allow_http=False)


@pytest.mark.parametrize("url", ["http://[::1", "http://[evil.example/", "http://evil.example:99999/", "evil.example/x", "https:///x", "http:/evil.example"])
def test_an_unusable_url_is_refused_before_it_reaches_the_host(url):
    with pytest.raises(OptionError) as caught:
        address_options(url, allow_http=True)
    assert caught.value.coded_message == "api_request: url is not a usable URL. It must begin with https:// and a host name. [TRK-O08]"


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8080/x", "http://localhost", "http://[::1]/"])
def test_https_and_local_urls_are_accepted(url):
    """A request to this machine does not even go through a proxy."""
    assert address_options(url, allow_http=False) == ({"use_proxy": False} if url.startswith("http:") else {})


def test_no_option_of_uri_is_an_option_of_the_token():
    assert not OPTIONS_OF_URI & {"vendor", "path", "vault", "scope", "token_url", "client_auth"}


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({}, [200]),
        ({"status_code": 401}, [401]),
        ({"status_code": [200, "201"]}, [200, 201]),
        ({"status_code": "200, 401,x"}, [200, 401]),
        ({"status_code": ["\u00b2", "9" * 5000, " 404 ", "\u0664\u0660\u0661"]}, [404]),
    ],
)
def test_expected_status_codes_are_parsed(given, codes):
    assert expected(given) == codes


TOKEN = "ya29/Abc+def==~x'y\"z_0123456789"
SPELLINGS = {
    "as it is": TOKEN,
    "JSON": json.dumps(TOKEN)[1:-1],
    "JSON of PHP": json.dumps(TOKEN)[1:-1].replace("/", "\\/"),
    "JSON, all escaped": "".join(f"\\u{ord(char):04x}" for char in TOKEN),
    "percent": quote(TOKEN, safe=""),
    "percent, twice": quote(quote(TOKEN, safe=""), safe=""),
    "base64": base64.b64encode(TOKEN.encode()).decode(),
    "base64 in a pair": base64.b64encode(f"x:{TOKEN}".encode()).decode(),
    "hex": TOKEN.encode().hex(),
    "HTML": html.escape(TOKEN),
    "upper case": TOKEN.upper(),
    "folded": f"{TOKEN[:16]}\n{TOKEN[16:]}",
    "spelled out": "-".join(TOKEN),
}


def test_the_token_is_blanked_out_at_every_level():
    clean = token_remover(["t0k3n-value"])
    assert clean({"a": ["x t0k3n-value y", {"b": "t0k3n-value"}], "n": 1, "none": None, "yes": True}) == {
        "a": ["x ******** y", {"b": "********"}], "n": 1, "none": None, "yes": True
    }  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_token_is_blanked_out_in_every_spelling(spelling):
    shown, clean = SPELLINGS[spelling], token_remover([TOKEN])
    for value in (shown, f"you sent {shown}, did you not", [shown], {"a": {"b": [shown]}}, {shown: 1}, {"a": [{f"x {shown}": None}]}):
        cleaned = clean(value)
        assert "****" in repr(cleaned) and shown not in texts(cleaned)
        assert len(json.dumps(cleaned)) < len(json.dumps(value))


def texts(value):
    if isinstance(value, dict):
        return "\n".join([*map(texts, value), *map(texts, value.values())])
    return "\n".join(map(texts, value)) if isinstance(value, list) else str(value)


def test_members_named_like_the_token_are_numbered():
    given = {"t0k3n-value": 1, "T0K3N-VALUE": 2, "********": 3, "a t0k3n-value": 4}
    assert token_remover(["t0k3n-value"])(given) == {"******** (2)": 1, "******** (3)": 2, "********": 3, "a ********": 4}


def test_each_blanked_name_is_numbered_separately():
    given = {"t0k3n-value": 1, "T0K3N-VALUE": 2, "my t0k3n-value": 3, "my T0K3N-VALUE": 4}
    assert token_remover(["t0k3n-value"])(given) == {"********": 1, "******** (2)": 2, "my ********": 3, "my ******** (2)": 4}


def test_several_tokens_are_blanked_out():
    assert token_remover(["t0k3n-value", "another-one"])({"old": "t0k3n-value", "new": "another%2Done", "x": "third"}) == {
        "old": "********", "new": "********", "x": "third"
    }  # fmt: skip


BUFFER = list(TOKEN.encode())  # as Node writes a buffer


@pytest.mark.parametrize(
    ("content", "cleaned"),
    [
        (json.dumps({"you": TOKEN, "n": [1, 2.50], "s": "\u00fc"}), '{"you": "********", "n": [1, 2.5], "s": "\\u00fc"}'),
        (f'{{"you":"{TOKEN[:4]}\\/{json.dumps(TOKEN)[6:-1]}" , "n":2.50 }}', '{"you":"********" , "n":2.50 }'),
        (json.dumps({"type": "Buffer", "data": BUFFER}), '{"type": "Buffer", "data": ["********"]}'),
        (json.dumps({"a": [1, 2, 3], "data": list(TOKEN)}), '{"a": [1, 2, 3], "data": ["********"]}'),
        (json.dumps(f"Bearer {TOKEN}"), '"Bearer ********"'),
    ],
)
def test_a_blanked_json_text_stays_json(content, cleaned):
    assert token_remover([TOKEN])(content) == cleaned
    assert json.loads(cleaned) == token_remover([TOKEN])(json.loads(content))


@pytest.mark.parametrize(
    ("secret", "value", "cleaned"),
    [
        ("abcdefghijkl", ["abcd", "efgh", "ijkl"], ["********"]),
        ("abcdefghijklmno", ["abcde", "fghij", "klmno"], ["abcde", "fghij", "klmno"]),  # these count as words
        ("abcdefgh", ["abcd", "efgh"], ["abcd", "efgh"]),
        ("1-True-2-3-4", [1, True, 2, 3, 4], [1, True, 2, 3, 4]),
        ("4815162342", [4815162342, 1, 2], ["********", 1, 2]),
        ("48-15-16-23-42", [48, 15, 16, 23, 42], ["********"]),
    ],
)
def test_a_list_of_pieces_of_the_token_is_blanked_out(secret, value, cleaned):
    assert token_remover([secret])(value) == cleaned


def test_json_that_blanking_would_break_is_serialized_again():
    # A number has no quotes, and the n of an escape looks like the first letter of the token.
    assert token_remover(["4815162342"])('{"token":4815162342,"x":  1}') == '{"token": "********", "x": 1}'
    assert token_remover(["nice-token-1"])('{"x":"\\nice-token-1","y":  "nice-token-1"}') == '{"x": "\\nice-token-1", "y": "********"}'
    assert token_remover(["4815162342"])(' [4815162342, "ü"]') == '["********", "ü"]'
    assert token_remover(["4815162342"])('[4815162342, "\\u00fc"]') == '["********", "\\u00fc"]'
    assert token_remover(["4815162342"])("4815162342") == "********"
    # Text that was not JSON need not become JSON.
    assert token_remover(["4815162342"])('{"token":4815162342,') == '{"token":********,'


def test_numbers_are_kept_unless_the_token_is_a_number():
    assert token_remover(["abcdefgh"])({"a": 6162636465666768}) == {"a": 6162636465666768}
    assert token_remover([TOKEN])({"a": 4815162342, "b": [65, 98, 99]}) == {"a": 4815162342, "b": [65, 98, 99]}
    assert token_remover(["4815162342"])({"a": 4815162342.0, "b": 4.5}) == {"a": "********", "b": 4.5}
    assert token_remover(["4815162342"])({"a": 4815162342, "b": True, "c": 48}) == {"a": "********", "b": True, "c": 48}


@pytest.mark.thorough
def test_the_token_is_blanked_out_in_a_large_answer():
    rows = [{"id": number, "name": f"Wörth {number}", "href": f"https://api.example/units/{number}?x=1"} for number in range(40_000)]
    given = {"json": {"rows": rows, "last": TOKEN, TOKEN: "name"}, "content": json.dumps({"rows": rows, "last": quote(TOKEN, safe="")})}
    cleaned = token_remover([TOKEN])(given)
    assert cleaned["json"] == {"rows": rows, "last": "********", "********": "name"}
    assert json.loads(cleaned["content"]) == {"rows": rows, "last": "********"}


def test_thousands_of_members_named_like_the_token_are_numbered():
    """If each search for a free number began at the start, the cost would be the square of their count."""
    spelled = {"".join(c.upper() if bits >> place & 1 else c for place, c in enumerate("t0k3n-of-mine")): bits for bits in range(8192)}
    found = token_remover(["t0k3n-of-mine"])({**spelled, "******** (3)": "mine"})
    assert found["******** (3)"] == "mine"
    assert sorted(value for value in found.values() if value != "mine") == sorted(spelled.values())
