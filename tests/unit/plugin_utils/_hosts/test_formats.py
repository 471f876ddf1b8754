# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._hosts.formats import FORMATS, env_prefix, lasting, placeholder, render

DETAILS = {
    "vendor": "trackunit",
    "access_token": "eyJ.abc-_.def",
    "token_type": "Bearer",
    "authorization": "Bearer eyJ.abc-_.def",
    "expires_at": 1799999999.75,
    "expires_in": 3599,
    "issued_at": 1799996399,
    "scope": "api",
    "source": "vendor",
    "extra": {"user_id": 7},
    "refresh_token": "r-1",
}
AWKWARD = "a'b\"c$HOME`id`\\n#; =\\"


def token(value: str) -> dict[str, object]:
    return {**DETAILS, "access_token": value, "authorization": f"Bearer {value}"}


def test_raw_is_the_token_without_a_line_end():
    assert render("raw", DETAILS) == "eyJ.abc-_.def"


def test_header_is_one_line_for_curl():
    assert render("header", DETAILS) == "Authorization: Bearer eyJ.abc-_.def\n"


def test_env_has_token_authorization_and_expiry_in_whole_seconds():
    assert render("env", DETAILS) == ("TRACKUNIT_TOKEN='eyJ.abc-_.def'\nTRACKUNIT_AUTHORIZATION='Bearer eyJ.abc-_.def'\nTRACKUNIT_EXPIRES_AT=1799999999\n")


def test_env_name_replaces_the_vendor_in_variable_names():
    assert render("env", DETAILS, env_name="FLEET").startswith("FLEET_TOKEN=")


@pytest.mark.parametrize("name", ["1A", "A-B", "A B", "A\n", "Ä", "A=B"])
def test_an_invalid_env_name_is_refused(name):
    with pytest.raises(OptionError) as caught:
        render("env", DETAILS, env_name=name)
    assert str(caught.value) == f"env_name: {name!r} cannot begin the name of a variable; use letters, digits and underscores"


@pytest.mark.parametrize(("vendor", "prefix"), [("tracx", "TRACX"), ("my-vendor.eu", "MY_VENDOR_EU"), ("3way", "_3WAY")])
def test_the_env_prefix_is_made_from_the_vendor_name(vendor, prefix):
    assert env_prefix(vendor) == prefix


@pytest.mark.system
@pytest.mark.parametrize("value", ["plain", AWKWARD, "it's", "back\\slash", '"quoted"', "$(id)", "a#b;c d", "ünï", "~", "*?[x]"])
def test_a_shell_reads_env_values_unchanged(value, tmp_path):
    file = tmp_path / "token.env"
    file.write_text(render("env", token(value)), encoding="utf-8")
    script = f'. {file}; printf "%s|%s|%s" "$TRACKUNIT_TOKEN" "$TRACKUNIT_AUTHORIZATION" "$TRACKUNIT_EXPIRES_AT"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env={"PATH": os.environ["PATH"], "HOME": "/nowhere"})
    assert done.stdout.decode() == f"{value}|Bearer {value}|1799999999"
    assert done.stderr == b""


@pytest.mark.parametrize("value", ["plain", AWKWARD, "it's", "back\\slash", '"quoted"', "$(id)", "a#b;c d"])
@pytest.mark.parametrize("escapes_in_single_quotes", [False, True], ids=["systemd", "systemd before 240"])
def test_systemd_reads_env_values_unchanged(value, escapes_in_single_quotes):
    first = render("env", token(value)).split("\n")[0]
    assert environment_file_value(first, escapes_in_single_quotes=escapes_in_single_quotes) == value


def environment_file_value(line: str, *, escapes_in_single_quotes: bool) -> str:
    """The value of an assignment that is quoted as a whole, by the rules of systemd's src/basic/env-file.c."""
    quoted = line.partition("=")[2]
    quote, rest, value = quoted[0], iter(quoted[1:]), ""
    for character in rest:
        if character == quote:
            assert not "".join(rest)
            return value
        if character == "\\" and (quote == '"' or escapes_in_single_quotes):
            follower = next(rest)
            kept = quote == '"' and not escapes_in_single_quotes and follower not in '"\\`$'
            value += ("\\" if kept else "") + follower
        else:
            value += character
    raise AssertionError("the quote is not closed")


@pytest.mark.parametrize("format", ["header", "env"])
@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\t", "\x7f", "\x85", "\u2028"])
def test_control_characters_in_a_token_are_refused(format, character):
    with pytest.raises(VendorError) as caught:
        render(format, token(f"secret{character}Evil: 1"))
    assert str(caught.value) == ("trackunit: the token contains control characters, which a header or a variable cannot contain; use format raw or json")


def test_json_has_no_refresh_token_and_nothing_that_changes_by_itself():
    assert json.loads(render("json", DETAILS)) == lasting(DETAILS)
    assert set(lasting(DETAILS)) == set(DETAILS) - {"expires_in", "refresh_token", "source"}


def test_json_is_sorted_indented_and_ascii():
    """The exact text matters: a file is written again whenever its text changes."""
    assert render("json", {"vendor": "tracx", "scope": "ü", "extra": {"b": [1], "a": None}, "source": "cache"}) == (
        '{\n  "extra": {\n    "a": null,\n    "b": [\n      1\n    ]\n  },\n  "scope": "\\u00fc",\n  "vendor": "tracx"\n}\n'
    )


def test_a_placeholder_keeps_the_structure_but_no_text():
    value = {"access_token": "s3cret", "expires_at": 5, "extra": {"user": {"id": "u", 7: "x"}, "all": ("a", ["b", 1.5, None])}}
    assert placeholder(value) == {
        "access_token": "the-access_token",
        "expires_at": 5,
        "extra": {"user": {"id": "the-id", 7: "the-7"}, "all": ["the-all", ["the-all", 1.5, None]]},
    }
    assert (placeholder("s3cret"), placeholder(["s3cret"]), placeholder("s3cret", "key")) == ("the-token", ["the-token"], "the-key")


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_the_same_token_gives_the_same_text_a_minute_later(format):
    later = {**dict(reversed(DETAILS.items())), "expires_in": 3539, "source": "cache"}
    assert render(format, later) == render(format, DETAILS)
