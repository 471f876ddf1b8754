# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Change the core in small ways, one at a time, and see whether its unit tests notice: ``make mutants``.

    make mutants                                       the whole core; hours of CPU
    make mutants MUTANTS_ARGS='_flow/slot _cache'      only files whose path in plugins/plugin_utils begins with one of these
    make mutants MUTANTS_ARGS='--write _flow/slot'     write the surviving changes into survivors.yml; then add the reasons

mutmut does the work, in a copy of the checkout. It can change only the bodies of functions without a decorator. The file's own tests run
first. The changes that they do not notice are tried again with all tests of the folder, in one run for all of its files; those that
still survive, with the file's own tests that open sockets or start processes. A change that no test notices is a survivor: a new test
kills it, or ``survivors.yml`` lists it with a reason. The command fails on a survivor without an entry there, and on an entry whose change
no longer survives.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.places import ROOT, cache_home, locked

from mutation.survivors import Survivor, judge, load, save

#: The path of the copy in its folder: mutmut derives the names of modules from it.
PLACE = "ansible_collections/trackops/api_tokens"
CORE = "plugins/plugin_utils"
SURVIVORS = pathlib.Path(__file__).with_name("survivors.yml")
#: ``_boundary`` joins the core and Ansible; ``_vendors`` is data, and tested on the wire.
NOT_MUTATED = ("_boundary/", "_vendors/")
_NOT_COPIED = (".git", ".ci", ".ansible", ".*_cache", ".hypothesis", "__pycache__", "build", "*.tar.gz")
#: Exit codes that mutmut records: all tests passed; no test runs the changed code; the tests took too long.
_SURVIVED, _NO_TESTS, _TOO_LONG = 0, 33, (36, -24, 24, 152, 255)
#: Our exit code if none of the tests runs any of the changed code, and what mutmut says then.
_UNCOVERED, _UNCOVERED_TEXT = 3, "could not find any test case for any mutant"
#: How tests that open sockets or start processes are marked, and a file of which each test does.
_SYSTEM, _ALL_SYSTEM = "pytest.mark.system", "\npytestmark = pytest.mark.system"

_SETTINGS = """
[tool.mutmut]
source_paths = ["{place}/{core}"]
only_mutate = [{files}]
also_copy = ["{place}"]
pytest_add_cli_args = [
    "-m", "{mark}", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:unraisableexception", "-o", "addopts=--import-mode=importlib", "--no-header",
]
pytest_add_cli_args_test_selection = [{tests}]
timeout_multiplier = 20.0
process_isolation = "{isolation}"
track_dependencies = false
use_git_change_detection = false
"""


def chosen(names: t.Sequence[str]) -> list[str]:
    """The files to change, as paths in the core."""
    files = sorted(str(path.relative_to(ROOT / CORE)) for path in (ROOT / CORE).rglob("*.py") if path.name != "__init__.py")
    return [file for file in files if not file.startswith(NOT_MUTATED) and file.startswith(tuple(names) or "")]


def own_tests(file: str, marked: str = "") -> list[str]:
    """The paths of the tests for *file* itself; only those with the text *marked* in them."""
    folder, _slash, name = file.rpartition("/")
    own = (f"tests/unit/plugin_utils/{folder}/test_{name.removesuffix('.py')}{end}.py" for end in ("", "_sockets"))
    return [path for path in own if (ROOT / path).is_file() and marked in (ROOT / path).read_text(encoding="utf-8")]


def prepare(work: pathlib.Path, files: t.Iterable[str], tests: t.Iterable[str], mark: str) -> None:
    """Make a fresh copy of the checkout, with mutmut's settings beside it."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(ROOT, work / PLACE, ignore=shutil.ignore_patterns(*_NOT_COPIED), symlinks=True)
    changed = ", ".join(f'"{PLACE}/{CORE}/{file}"' for file in files)
    # Tests that start processes leave some to mutmut, which would take them for its own.
    isolation = "fork" if "not system" in mark else "forkserver"
    selected = ", ".join(f'"{PLACE}/{path}"' for path in tests)
    settings = _SETTINGS.format(place=PLACE, core=CORE, files=changed, tests=selected, mark=mark, isolation=isolation)
    (work / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8") + settings, encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class Tried:
    """What became of the changes of a file.

    :arg left: those that no test noticed, by mutmut's names for them.
    :arg slow: those whose tests took too long: the change makes a loop endless, or the machine was busy.
    """

    made: int
    left: dict[str, Survivor]
    slow: frozenset[Survivor]


def tried(work: pathlib.Path, file: str, *, covered: bool = True) -> Tried:
    """Read what mutmut has recorded; if no change is *covered* by a test, nothing."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.utils.file_utils import change_cwd
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    left, slow = {}, set()
    with change_cwd(work):
        path = pathlib.Path(PLACE, CORE, file)
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            if code in (_SURVIVED, _NO_TESTS, *_TOO_LONG) or not covered:
                function, owner = orig_function_and_class_names_from_key(name)
                change = Survivor.of_diff(file, f"{owner}.{function}" if owner else function, get_diff_for_mutant(name, path=path))
                if code in _TOO_LONG:
                    slow.add(change)
                else:
                    left[name] = change
    return Tried(len(data.exit_code_by_key), left, frozenset(slow))


def run_mutmut(work: pathlib.Path, names: t.Iterable[str], *, processes: int) -> int:
    """Run mutmut on the named changes, or on all changes of the file."""
    command = [str(pathlib.Path(sys.executable).parent / "mutmut"), "run", "--max-children", str(processes), *names]
    # The same hypothesis examples each time.
    env = {**os.environ, "HYPOTHESIS_PROFILE": "mutants", "PYTHONPYCACHEPREFIX": str(work / "compiled")}
    with (work / "mutmut.log").open("w+", encoding="utf-8") as log:
        status = subprocess.run(command, cwd=work, env=env, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        log.seek(0)
        said = log.read()[-3000:]
    if status != 0 and _UNCOVERED_TEXT in said:
        return _UNCOVERED
    if status != 0:
        print(f"{said}\nmutmut failed; its folder is {work}.", file=sys.stderr)
    return status


class Run:
    """The changes that no test has noticed, file by file."""

    def __init__(self, work: pathlib.Path, processes: int) -> None:
        self._work = work
        self._processes = processes
        self.left: dict[str, dict[str, Survivor]] = {}
        self.made: dict[str, int] = {}
        self.slow: set[Survivor] = set()

    def alone(self, file: str, tests: t.Iterable[str], mark: str) -> int:
        """Try all changes of one file."""
        prepare(self._work, [file], tests, mark)
        status = run_mutmut(self._work, (), processes=self._processes)
        if status in (0, _UNCOVERED):
            self._read(file, covered=status == 0)
        return 0 if status == _UNCOVERED else status

    def again(self, folder: str) -> int:
        """Try the remaining changes of a folder's files again, with all tests of the folder."""
        files = [file for file, left in self.left.items() if left and file.startswith(f"{folder}/")]
        if not files:
            return 0
        prepare(self._work, files, [f"tests/unit/plugin_utils/{folder}"], "not system")
        status = run_mutmut(self._work, [name for file in files for name in self.left[file]], processes=self._processes)
        if status == 0:
            for file in files:
                self._read(file)
        return 0 if status == _UNCOVERED else status

    def with_system(self, file: str) -> int:
        """Try the remaining changes of one file again, with those of its own tests that open sockets or start processes."""
        own, left = own_tests(file, _SYSTEM), self.left[file]
        if not left or not own:
            return 0
        prepare(self._work, [file], own, "system")
        status = run_mutmut(self._work, left, processes=self._processes)
        if status == 0:
            self._read(file)
        return 0 if status == _UNCOVERED else status

    def _read(self, file: str, *, covered: bool = True) -> None:
        found = tried(self._work, file, covered=covered)
        self.left[file], self.made[file] = found.left, found.made
        self.slow |= found.slow

    def all(self, files: t.Sequence[str]) -> int:
        for folder, several in itertools.groupby(files, lambda file: file.rpartition("/")[0]):
            theirs = list(several)
            for file in theirs:
                own = own_tests(file)
                if not own:
                    status = self.alone(file, [f"tests/unit/plugin_utils/{folder}"], "not system and not thorough")
                elif own == own_tests(file, _ALL_SYSTEM):
                    status = self.alone(file, own, "not thorough")
                else:
                    status = self.alone(file, own, "not system and not thorough")
                if status != 0:
                    return status
            status = self.again(folder)
            if status != 0:
                return status
            for file in theirs:
                status = self.with_system(file)
                if status != 0:
                    return status
                print(f"{file}: {self.made[file]} changes, {len(self.left[file])} survive", flush=True)
        return 0


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description="Change the core in small ways, and see whether its unit tests notice.")
    parser.add_argument("--write", action="store_true", help="write the survivors into survivors.yml; their reasons are then to be added")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("files", nargs="*", help="how the paths of the files in plugins/plugin_utils begin; none: all")
    options = parser.parse_args(arguments)
    files = chosen(options.files)
    if not files:
        print(f"No file of the core begins with {' or '.join(options.files)}.", file=sys.stderr)
        return 2
    work = cache_home() / "mutants" / hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    run = Run(work, options.processes)
    with locked(f"mutants-{work.name}"):
        status = run.all(files)
    if status != 0:
        return status
    found = [one for left in run.left.values() for one in left.values()]
    recorded = load(SURVIVORS)
    if options.write:
        reasons = {one: one for one in recorded}
        save(SURVIVORS, [*(one for one in recorded if one.file not in files), *(reasons.get(one, one) for one in found)])
        recorded = load(SURVIVORS)
    wrong = judge(found, recorded, files, slow=run.slow)
    print("\n\n".join(wrong))
    print(f"{sum(run.made.values())} changes in {len(files)} file{'s' * (len(files) > 1)}; {len(found)} survive, {len(wrong)} to look at.")
    if wrong:
        print(f"Kill each by a test of its file, or list it with a reason: make mutants MUTANTS_ARGS='--write {' '.join(options.files)}'")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
