# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Setup for all tests: import the checkout as a collection without Ansible, limit hypothesis's examples, and turn skips in CI into failures."""

from __future__ import annotations

import os
import re
import sys
import typing as t

TESTS = os.path.dirname(os.path.abspath(__file__))
if TESTS not in sys.path:
    sys.path.insert(0, TESTS)

from support.places import cache_home, in_ci  # noqa: E402

# Each worker reads all test files; recompiling them would take half of that time. Set here only, not in the processes that tests start.
sys.pycache_prefix = sys.pycache_prefix or str(cache_home() / "compiled")
sys.dont_write_bytecode = False

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from support.collection import source_path  # noqa: E402

sys.path.insert(0, str(source_path()))

# No deadline: a time limit for each example would measure the machine. HYPOTHESIS_PROFILE selects another profile.
hypothesis.settings.register_profile("dev", max_examples=10, deadline=None)
# Always the same examples: random ones help a developer who can investigate them, but must not decide about other people's changes.
hypothesis.settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("mutants", max_examples=20, deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if in_ci() else "dev"))

# These skips are accepted: their reasons name root. No package can change which user runs the tests, or what the kernel allows.
_MAY_BE_SKIPPED_IN_CI = re.compile(r"\broot\b")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    """A developer's machine may lack a program: the test that needs it is skipped, with the reason. In CI the skip is a failure."""
    return _unless_in_ci((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> t.Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for whole files."""
    return _unless_in_ci((yield))


_Report = t.TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


def _unless_in_ci(report: _Report) -> _Report:
    if report.skipped and in_ci() and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not _MAY_BE_SKIPPED_IN_CI.search(reason):
            report.outcome = "failed"
            report.longrepr = f"in CI everything must run: {reason}"
    return report
