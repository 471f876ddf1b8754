# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._hosts.files import (
    FILE_OPTIONS,
    Item,
    checked_path,
    contents_argument,
    default_dest,
    files_argument,
    item_places,
    parse_mode,
    plan,
    split_items,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.options import NEVER_SHARED_OPTIONS


def checked(**options):
    """File options as Ansible's validator returns them."""
    return {**{name: spec.get("default") for name, spec in FILE_OPTIONS.items()}, **options}


def one(token_options=None, **options):
    return plan([Item(checked(**options), {"vendor": "tracx"} if token_options is None else token_options)])[0]


MISSING, CLASH, EXPOSED = "TRK-O03", "TRK-O04", "TRK-O12"


def refusal(call, code="TRK-O02"):
    with pytest.raises(OptionError) as caught:
        call()
    assert caught.value.error_code == code
    return str(caught.value)


def test_the_options_of_a_task_are_split_into_file_and_token():
    assert split_items({"vendor": "tracx", "path": "fleet/tracx", "dest": "/a", "mode": "0640", "min_ttl": 9}) == [
        ({"dest": "/a", "mode": "0640"}, {"vendor": "tracx", "path": "fleet/tracx", "min_ttl": 9}, "")
    ]


def test_items_inherit_from_the_task_and_override_it():
    args = {"owner": "app", "min_ttl": 60, "url": "v", "tokens": [{"vendor": "tracx", "dest": "/a"}, {"vendor": "x", "owner": "b", "min_ttl": 5}]}
    assert split_items(args) == [
        ({"owner": "app", "dest": "/a"}, {"min_ttl": 60, "url": "v", "vendor": "tracx"}, "tokens, item 1 (tracx /a): "),
        ({"owner": "b"}, {"min_ttl": 5, "url": "v", "vendor": "x"}, "tokens, item 2 (x): "),
    ]


@pytest.mark.parametrize("key", ["dest", "path"])
def test_dest_and_path_are_refused_beside_tokens(key):
    message = refusal(lambda: split_items({key: "/a", "tokens": []}), CLASH)
    assert message == f"{key}: is given next to tokens; set it in the items of tokens"


@pytest.mark.parametrize("key", [option for option in NEVER_SHARED_OPTIONS if option != "path"])
def test_options_that_direct_credentials_are_refused_beside_tokens_of_several_vendors(key):
    items = [{"vendor": "tracx", "dest": "/a"}, {"vendor": "trackunit", "dest": "/b"}]
    message = refusal(lambda: split_items({key: "https://portal.example", "tokens": items}), CLASH)
    assert message == f"{key}: is given next to tokens of several vendors, and would apply to all of them; set it in the items of tokens"
    assert len(split_items({key: "https://portal.example", "vendor": "tracx", "tokens": [{"dest": "/a"}, {"dest": "/b"}]})) == 2


@pytest.mark.parametrize("tokens", ["tracx", {"vendor": "tracx"}, ["tracx"], 3, ""])
def test_tokens_that_is_not_a_list_of_dictionaries_is_refused(tokens):
    assert refusal(lambda: split_items({"tokens": tokens})) == "tokens: must be a list of dictionaries"
    if tokens:
        assert refusal(lambda: split_items({"tokens": tokens}, called="provision_tokens")) == "provision_tokens: must be a list of dictionaries"


def test_an_unset_list_of_tokens_is_reported():
    message = refusal(lambda: split_items({"tokens": ""}, called="provision_tokens"), MISSING)
    assert message == "provision_tokens, the list of tokens, is not set. Set it in group_vars, or give a file with it: -e @tokens.yml"


def test_messages_name_the_item():
    items = [{"vendor": "tracx", "dest": "/a"}, {"vendor": "acme", "path": "fleet/acme"}, {"path": "fleet/x"}, {}]
    places = item_places(items, called="provision_tokens")
    assert places == [
        "provision_tokens, item 1 (tracx /a): ",
        "provision_tokens, item 2 (acme fleet/acme): ",
        "provision_tokens, item 3 (fleet/x): ",
        "provision_tokens, item 4: ",
    ]
    assert item_places([{"dest": "/" + "x" * 80}, {"dest": "/" + "x" * 79}], called="tokens") == [
        f"tokens, item 1 (/{'x' * 78}…): ",
        f"tokens, item 2 (/{'x' * 79}): ",
    ]
    split = split_items({"tokens": items}, called="provision_tokens")
    assert [item.place for item in split] == places
    assert (
        refusal(lambda: plan(Item(checked(**item.file_options), item.token_options, item.place) for item in split), MISSING)
        == "provision_tokens, item 3 (fleet/x): vendor is missing"
    )
    twice = [Item(checked(dest="/a"), {"vendor": "tracx"}, place) for place in places[:2]]
    assert refusal(lambda: plan(twice), CLASH) == "provision_tokens, item 2 (acme fleet/acme): /a: is the dest of two tokens; each needs a separate file"


@pytest.mark.parametrize(
    ("vendor", "path", "dest"),
    [
        ("tracx", None, "/d/tracx"),
        ("tracx", "tracx", "/d/tracx"),
        ("tracx", "fleet/tracx", "/d/tracx-fleet-tracx"),
        ("tracx", "../../etc/x y", "/d/tracx-etc-x-y"),
        ("tracx", "EU/X", "/d/tracx-EU-X"),
    ],
)
def test_the_default_dest_is_named_after_vendor_and_path(vendor, path, dest):
    assert default_dest("/d", vendor, path) == dest


@pytest.mark.parametrize(
    ("directory", "vendor", "named"), [("/d", 5, "vendor"), ("/d", ["tracx"], "vendor"), (5, "tracx", "directory"), ({}, "tracx", "directory")]
)
def test_vendor_and_directory_must_be_strings(directory, vendor, named):
    assert refusal(lambda: default_dest(directory, vendor, None)) == f"{named}: must be a string"


def test_dest_is_placed_in_the_given_directory():
    assert one({"vendor": "tracx", "path": "eu"}, directory="/srv/tokens").dest == "/srv/tokens/tracx-eu"


def test_without_dest_and_directory_the_default_directory_is_used():
    assert one({"vendor": "tracx", "path": "eu"}).dest == "/etc/api-tokens/tracx-eu"
    assert refusal(lambda: one({}, state="absent"), MISSING) == "vendor and dest are missing; one of them is needed"


@pytest.mark.parametrize(
    ("dest", "asked", "made"),
    [
        ("/etc/api-tokens/tracx", None, True),
        ("/etc/api-tokens/../api-tokens/tracx", None, True),
        ("/etc/api-tokens/tracx", False, False),
        ("/etc/api-tokens/eu/tracx", None, False),
        ("/etc/tracx", None, False),
        ("/etc/tracx", True, True),
    ],
)
def test_only_the_default_directory_is_created_without_being_asked(dest, asked, made):
    assert one(dest=dest, create_directory=asked).create_directory is made


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dest": "a/b"}, "a/b: dest must be an absolute path"),
        ({"dest": "~/b"}, "~/b: dest must be an absolute path"),
        ({"dest": "/a/"}, "/a/: dest must be the path of a file, not of a directory"),
        ({"dest": "/a", "format": "template"}, "/a: format template and the option template belong together; give both or neither"),
        ({"dest": "/a", "template": "x.j2"}, "/a: format template and the option template belong together; give both or neither"),
        ({"dest": "/a", "mode": "0644"}, "/a: mode 0644 gives every user of the host access to the token; use a group, or set allow_readable"),
        ({"dest": "/a", "mode": "0601"}, "/a: mode 0601 gives every user of the host access to the token; use a group, or set allow_readable"),
        ({"dest": "/a", "mode": 440}, "/a: mode: 440 is not a mode; give it as '0600' (in quotes) or as u=rw,g=r"),
        ({"dest": "/a", "mode": 400}, "/a: mode: 400 is not a mode; give it as '0600' (in quotes) or as u=rw,g=r"),
        ({"dest": "/a", "mode": 600}, "/a: mode: 600 is not a mode; give it as '0600' (in quotes) or as u=rw,g=r"),
        ({"dest": "/a", "directory_mode": "0777"}, "/a: directory_mode 0777 lets every user replace files in the directory"),
        ({"dest": "/.."}, "/..: dest must be the path of a file, not of a directory"),
        ({"dest": "/a\nb"}, "/a b: dest contains control characters"),
        ({"dest": "/a", "directory_mode": "x"}, "/a: directory_mode: 'x' is not a mode; give it as '0600' (in quotes) or as u=rw,g=r"),
    ],
)
def test_invalid_file_options_are_refused(options, message):
    code = CLASH if "give both or neither" in message else EXPOSED if "every user" in message else "TRK-O02"
    assert refusal(lambda: one(**options), code) == message


def test_a_vendor_is_needed_only_for_present_files():
    assert refusal(lambda: one({}, dest="/a"), MISSING) == "/a: vendor is missing"
    assert refusal(lambda: one({"path": "fleet/x"}), MISSING) == "vendor is missing"
    assert not one({}, dest="/a", state="absent").wants_token


def test_an_absent_file_needs_no_template():
    assert one({"vendor": "tracx"}, dest="/a", state="absent", format="template").state == "absent"


def test_two_tokens_cannot_share_a_file():
    pair = Item(checked(dest="/a/b"), {"vendor": "tracx"})
    other = Item(checked(dest="/a/./c/../b"), {"vendor": "trackunit"})
    assert refusal(lambda: plan([pair, other]), CLASH) == "/a/b: is the dest of two tokens; each needs a separate file"


def test_a_mode_readable_by_all_needs_allow_readable():
    assert one(dest="/a", mode="0644", allow_readable=True).mode == "0644"
    assert (one(dest="/a", mode="0640").mode, one(dest="/a", mode="0660").mode) == ("0640", "0660")


def test_the_file_options_of_an_item_are_kept():
    file = one({"vendor": "tracx", "path": "eu"}, dest="/a", format="env", env_name="FLEET", group="g", backup=True, directory_mode="0750", setype="t")
    assert (file.format, file.env_name, file.group, file.backup, file.directory_mode) == ("env", "FLEET", "g", True, "0750")
    assert file.context == {"seuser": None, "serole": None, "setype": "t", "selevel": None}
    other = one(dest="/a", format="template", template="x.j2")
    assert (other.format, other.template, other.backup, other.wants_token) == ("template", "x.j2", False, True)


@pytest.mark.parametrize(
    ("mode", "octal"),
    [
        ("0600", "0600"),
        ("600", "0600"),
        ("0o640", "0640"),
        (0o640, "0640"),
        ("u=rw,g=r,o=", "0640"),
        ("u=rw", "0600"),
        ("a=r,u=rw", "0644"),
        ("ug=rw", "0660"),
        ("a=rwx,g=r,o=", "0740"),
        (0o601, "0601"),
    ],
)
def test_octal_and_symbolic_modes_are_accepted(mode, octal):
    assert parse_mode(mode, of="mode") == octal


@pytest.mark.parametrize("mode", [600, 640, "4600", "0200", "", "rw", "u+rw", "u=rwt", "z=r", True, None, "0x1ff", -1, "u=rw,", "0007"])
def test_invalid_modes_are_refused(mode):
    assert refusal(lambda: parse_mode(mode, of="mode")).startswith("mode: ")


def test_the_arguments_of_the_host_module():
    sent = files_argument(one({"vendor": "tracx", "path": "eu"}, dest="/a", owner="app"), fingerprint="sha256:0", expires_at=9.9)
    assert sent["expires_at"] == 9
    assert {key: value for key, value in sent.items() if value not in (None, False)} == {
        "dest": "/a", "state": "present", "owner": "app", "mode": "0600", "directory_mode": "0755", "vendor": "tracx", "path": "eu",
        "fingerprint": "sha256:0", "expires_at": 9,
    }  # fmt: skip


def test_an_unknown_token_has_no_fingerprint_and_expiry():
    sent = files_argument(one({"vendor": "tracx"}, dest="/a", seuser="system_u"), path="found")
    assert (sent["path"], sent["fingerprint"], sent["expires_at"], sent["seuser"]) == ("found", None, None, "system_u")


def test_content_with_a_lone_surrogate_is_refused():
    assert refusal(lambda: contents_argument("half \ud800")) == "the content has characters that cannot be encoded as text"


def test_contents_are_sent_as_base64():
    assert contents_argument("Authorization: ü\n") == "base64:QXV0aG9yaXphdGlvbjogw7wK"


@pytest.mark.parametrize("given", ["tok/x", "~/x", "", "/a/", "/", "/a\nb"])
def test_an_invalid_path_is_refused_naming_its_option(given):
    with pytest.raises(OptionError) as caught:
        checked_path(given, option="file")
    assert caught.value.coded_message.startswith(f"{given.replace(chr(10), ' ')}: file ")
    assert caught.value.error_code == "TRK-O02"


def test_a_path_is_normalized():
    assert checked_path("//a/./b//c", option="file") == "/a/b/c"
    assert checked_path("//X /y z", option="file") == "/X /y z"
