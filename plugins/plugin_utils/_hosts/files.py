# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The files that a task of C(token_file) wants on a host, as data. Pure: arguments in, files out."""

from __future__ import annotations

import base64
import contextlib
import posixpath
import re
import typing as t
from dataclasses import dataclass

from .._base.errors import OptionError
from .._text.one_line import one_line
from .._vendor.options import NEVER_SHARED_OPTIONS

__all__ = (
    "DIRECTORY",
    "FILE_OPTIONS",
    "HostFile",
    "Item",
    "check_common",
    "checked_path",
    "checked_text",
    "contents_argument",
    "default_dest",
    "error_prefix",
    "files_argument",
    "item_places",
    "parse_mode",
    "plan",
    "split_items",
)

Arguments = t.Mapping[str, t.Any]

# The default directory. It is created if missing, so that the shortest task works on a new host; other directories need create_directory.
DIRECTORY = "/etc/api-tokens"

# The options of a file; all others of a task or an item describe its token.
FILE_OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "dest": {"type": "str"},
    "directory": {"type": "str", "default": DIRECTORY},
    "format": {"type": "str", "choices": ["raw", "header", "env", "json", "template"], "default": "raw"},
    "template": {"type": "str"},
    "env_name": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0600"},
    "allow_readable": {"type": "bool", "default": False},
    "create_directory": {"type": "bool"},
    "directory_mode": {"type": "raw", "default": "0755"},
    "backup": {"type": "bool", "default": False},
    "seuser": {"type": "str"},
    "serole": {"type": "str"},
    "setype": {"type": "str"},
    "selevel": {"type": "str"},
}
# These belong to one token: next to a list, several tokens would share a file or the credentials at a path.
_OF_ONE = ("dest", "path")
_SENT = ("dest", "state", "owner", "group", "mode", "create_directory", "directory_mode", "backup")
_CONTEXT = ("seuser", "serole", "setype", "selevel")

_OTHERS = 0o007
_CLAUSE = re.compile(r"(?P<who>[ugo]+|a)=(?P<what>[rwx]*)\Z")
_SHIFT = {"u": 6, "g": 3, "o": 0}
_BIT = {"r": 4, "w": 2, "x": 1}


@dataclass(frozen=True)
class HostFile:
    """A file on the host. ``mode`` and ``directory_mode`` are octal numbers as text."""

    dest: str
    state: str
    format: str
    template: str | None
    env_name: str | None
    owner: str | None
    group: str | None
    mode: str
    create_directory: bool
    directory_mode: str
    backup: bool
    vendor: str | None
    path: str | None
    context: t.Mapping[str, str | None]  # of SELinux

    @property
    def wants_token(self) -> bool:
        return self.state == "present"


class Item(t.NamedTuple):
    """The options of one file and of its token. Messages begin with the *place*, if the file is in a list."""

    file_options: Arguments
    token_options: dict[str, t.Any]
    place: str = ""


def split_items(args: Arguments, *, called: str = "tokens") -> list[Item]:
    """The items of a task with *args*, one per file.

    Options next to C(tokens) are the defaults of the items.

    :arg called: the user's name for C(tokens).
    """
    common = {key: value for key, value in args.items() if key != "tokens"}
    items = args.get("tokens")
    if items is None:
        return [_split(common)]
    if items == "" and called != "tokens":
        raise OptionError(f"{called}, the list of tokens, is not set. Set it in group_vars, or give a file with it: -e @tokens.yml", fault="option:missing")
    if not isinstance(items, t.Sequence) or isinstance(items, str) or not all(isinstance(item, t.Mapping) for item in items):
        raise OptionError(f"{called}: must be a list of dictionaries")
    check_common(common, items)
    return [_split({**common, **item}, place) for item, place in zip(items, item_places(items, called=called), strict=True)]


def item_places(items: t.Sequence[Arguments], *, called: str) -> list[str]:
    """The name of each of the *items* in messages: its number, vendor, path and dest."""
    described = [" ".join(one_line(str(item[name]), limit=80) for name in ("vendor", "path", "dest") if item.get(name)) for item in items]
    return [f"{called}, item {number}{f' ({what})' if what else ''}: " for number, what in enumerate(described, 1)]


@contextlib.contextmanager
def error_prefix(place: str) -> t.Iterator[None]:
    """Prefix the message of an :class:`OptionError` with *place*."""
    try:
        yield
    except OptionError as exc:
        raise exc.reworded(f"{place}{exc.message}") from None


def check_common(common: Arguments, items: t.Sequence[Arguments]) -> None:
    """:raises OptionError: an option next to the *items* would redirect the credentials of several vendors."""
    alone = [key for key in _OF_ONE if common.get(key)]
    if alone:
        raise OptionError(f"{alone[0]}: is given next to tokens; set it in the items of tokens", fault="option:clash")
    moved = [key for key in NEVER_SHARED_OPTIONS if common.get(key)]
    if moved and len({str(item.get("vendor", common.get("vendor"))) for item in items}) > 1:
        raise OptionError(
            f"{moved[0]}: is given next to tokens of several vendors, and would apply to all of them; set it in the items of tokens", fault="option:clash"
        )


def _split(options: Arguments, place: str = "") -> Item:
    of_file = {key: value for key, value in options.items() if key in FILE_OPTIONS}
    return Item(of_file, {key: value for key, value in options.items() if key not in FILE_OPTIONS}, place)


def plan(items: t.Iterable[Item]) -> list[HostFile]:
    """The files that *items* describe.

    :arg items: with checked file options, completed with defaults.
    :raises OptionError: options contradict each other, or two items have the same file.
    """
    files: dict[str, HostFile] = {}
    for item in items:
        with error_prefix(item.place):
            file = _host_file(item.file_options, item.token_options)
            if file.dest in files:
                raise OptionError(f"{file.dest}: is the dest of two tokens; each needs a separate file", fault="option:clash")
            files[file.dest] = file
    return list(files.values())


def _host_file(options: Arguments, token_options: Arguments) -> HostFile:
    if options["state"] == "present" and not token_options.get("vendor"):
        raise OptionError(f"{options['dest']}: vendor is missing" if options["dest"] else "vendor is missing", fault="option:missing")
    dest = _dest(options, token_options)
    if options["state"] == "present" and (options["format"] == "template") != bool(options["template"]):
        raise OptionError(f"{dest}: format template and the option template belong together; give both or neither", fault="option:clash")
    return HostFile(
        dest=dest,
        state=options["state"],
        format=options["format"],
        template=options["template"],
        env_name=options["env_name"],
        owner=options["owner"],
        group=options["group"],
        mode=_mode(options, dest),
        create_directory=_create_directory(options["create_directory"], dest),
        directory_mode=_directory_mode(options["directory_mode"], dest),
        backup=options["backup"],
        vendor=token_options.get("vendor"),
        path=token_options.get("path"),
        context={key: options[key] for key in _CONTEXT},
    )


def _dest(options: Arguments, token_options: Arguments) -> str:
    return checked_path(options["dest"] or default_dest(options["directory"], token_options.get("vendor"), token_options.get("path")), option="dest")


def checked_path(given: str, *, option: str) -> str:
    """The normalised path of a file on a host.

    :raises OptionError: it is not the path of a file, or it depends on where the module runs.
    """
    if not posixpath.isabs(given):
        raise OptionError(f"{one_line(given)}: {option} must be an absolute path")
    if given.endswith("/"):
        raise OptionError(f"{one_line(given)}: {option} must be the path of a file, not of a directory")
    if any(ord(character) < 32 for character in given):
        raise OptionError(f"{one_line(given)}: {option} contains control characters")
    path = posixpath.normpath("/" + given.lstrip("/"))  # POSIX does not define two leading slashes
    if path == "/":
        raise OptionError(f"{given}: {option} must be the path of a file, not of a directory")
    return path


def _create_directory(asked: bool | None, dest: str) -> bool:
    return posixpath.dirname(dest) == DIRECTORY if asked is None else asked


def checked_text(name: str, value: t.Any) -> str:
    """The value of an option that is a string; empty if it is not set.

    :raises OptionError: it is something else, such as a number from YAML.
    """
    if value is not None and not isinstance(value, str):
        raise OptionError(f"{name}: must be a string")
    return value or ""


def default_dest(directory: t.Any, vendor: t.Any, path: t.Any) -> str:
    """C(<directory>/<vendor>) or, if the Vault path is not just the vendor's name, C(<directory>/<vendor>-<path>)."""
    directory, vendor = checked_text("directory", directory), checked_text("vendor", vendor)
    if not vendor:
        raise OptionError("vendor and dest are missing; one of them is needed", fault="option:missing")
    slug = re.sub(r"[^A-Za-z0-9_.]+", "-", str(path or "")).strip("-.")
    name = vendor if not slug or slug == vendor else f"{vendor}-{slug}"
    return posixpath.join(directory or DIRECTORY, name)


def _mode(options: Arguments, dest: str) -> str:
    mode = parse_mode(options["mode"], of=f"{dest}: mode")
    if int(mode, 8) & _OTHERS and not options["allow_readable"]:
        raise OptionError(f"{dest}: mode {mode} gives every user of the host access to the token; use a group, or set allow_readable", fault="option:exposed")
    return mode


def _directory_mode(mode: t.Any, dest: str) -> str:
    parsed = parse_mode(mode, of=f"{dest}: directory_mode")
    if int(parsed, 8) & 0o002:
        raise OptionError(f"{dest}: directory_mode {parsed} lets every user replace files in the directory", fault="option:exposed")
    return parsed


def parse_mode(mode: t.Any, *, of: str) -> str:
    """*mode* as four octal digits. Accepts ``'0640'``, the number as which YAML reads an unquoted ``0640``, and ``u=rw,g=r``."""
    number = _mode_number(mode)
    # YAML reads an unquoted 600 as a decimal number, which is 01130: not a plausible mode.
    if number is None or number & ~0o777 or not number & 0o400:
        raise OptionError(f"{of}: {mode!r} is not a mode; give it as '0600' (in quotes) or as u=rw,g=r")
    return f"{number:04o}"


def _mode_number(mode: t.Any) -> int | None:
    if isinstance(mode, bool):
        return None
    if isinstance(mode, int):
        return mode if not _looks_mistaken(mode) else None
    text = str(mode).strip()
    if re.fullmatch(r"(0o)?[0-7]{3,5}", text):
        return int(text, 8)
    return _symbolic(text)


def _looks_mistaken(mode: int) -> bool:
    """Whether a number is implausible as a mode: YAML reads an unquoted 440 as 0670, and 400 as 0620."""
    group = mode >> _SHIFT["g"]
    return bool(mode & 0o010 or group & 0o6 == _BIT["w"])


def _symbolic(text: str) -> int | None:
    number = 0
    for clause in text.split(","):
        match = _CLAUSE.match(clause)
        if match is None:
            return None
        bits = sum(_BIT[what] for what in set(match["what"]))
        for who in match["who"].replace("a", "ugo"):
            number = number & ~(0o7 << _SHIFT[who]) | bits << _SHIFT[who]
    return number


def files_argument(file: HostFile, *, path: str | None = None, fingerprint: str | None = None, expires_at: float | None = None) -> dict[str, t.Any]:
    """*file* as an item of O(files) of the writing module, with the facts about its token."""
    about = {"vendor": file.vendor, "path": path or file.path, "fingerprint": fingerprint}
    options = {key: getattr(file, key) for key in _SENT}
    return {**options, **file.context, **about, "expires_at": None if expires_at is None else int(expires_at)}


def contents_argument(text: str) -> str:
    """*text* as a value of O(contents) of the writing module.

    In base64, because Ansible hides values by searching its output, where a line end is escaped and the value would be
    missed; with a prefix, so that a short content does not match inside other text.

    :raises OptionError: it cannot be encoded.
    """
    try:
        return "base64:" + base64.b64encode(text.encode("utf-8")).decode("ascii")
    except UnicodeError:
        raise OptionError("the content has characters that cannot be encoded as text") from None
