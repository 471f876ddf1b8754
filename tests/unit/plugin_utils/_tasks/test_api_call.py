# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of C(api_request), and answers without the token."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.api_call import OPTIONS_OF_URI, check_address, expected, split, without

URL = "https://api.example/shipments"


def test_each_argument_has_its_place():
    args = {"url": URL, "method": "POST", "headers": {"X": "1"}, "vendor": "tracx", "path": "fleet/x", "min_ttl": 5}
    request, wanted = split(args)
    assert request == {"url": URL, "method": "POST", "headers": {"X": "1"}}
    assert wanted == {"vendor": "tracx", "path": "fleet/x", "min_ttl": 5}


def test_options_of_vault_whose_names_uri_has_too():
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
        ({"url": URL, "headers": "X: 1"}, "api_request: 'headers' has to be a dictionary."),
        ({"url": URL, "headers": {"AUTHORIZATION": "x"}}, "api_request sets the Authorization header itself; leave it out of 'headers'."),
        ({"url": URL, "vault": "x"}, "api_request: 'vault' has to be a dictionary of Vault options."),
    ],
)
def test_what_it_does_not_take(args, message):
    with pytest.raises(OptionError) as caught:
        split(args)
    assert caught.value.message == message


@pytest.mark.parametrize("url", ["http://api.example/x?key=s3cret", "HTTP://joe:s3cret@api.example", " http://127.0.0.1.evil.example"])
def test_no_token_goes_over_plain_http_to_another_machine(url):
    with pytest.raises(OptionError) as caught:
        check_address(url, allow_http=False)
    assert caught.value.message.endswith("would get the token over plain http. Use https, or set allow_http.")
    assert "s3cret" not in caught.value.message
    check_address(url, allow_http=True)


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8080/x", "http://localhost", "http://[::1]/"])
def test_what_is_not_readable_on_the_way(url):
    check_address(url, allow_http=False)


def test_no_option_says_both():
    assert not OPTIONS_OF_URI & {"vendor", "path", "vault", "scope", "token_url", "client_auth"}


@pytest.mark.parametrize(
    ("given", "codes"), [({}, [200]), ({"status_code": 401}, [401]), ({"status_code": [200, "201"]}, [200, 201]), ({"status_code": "200, 401,x"}, [200, 401])]
)
def test_which_answers_are_good(given, codes):
    assert expected(given) == codes


def test_the_token_is_blanked_out_wherever_it_is():
    assert without({"a": ["x t0k3n y", {"b": "t0k3n"}], "n": 1, "none": None}, "t0k3n") == {"a": ["x ******** y", {"b": "********"}], "n": 1, "none": None}
