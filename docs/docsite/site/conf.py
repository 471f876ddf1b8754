# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx: the guides in Markdown and the plugins' documentation, as one site. Built by tests/support/docs.py."""

from __future__ import annotations

import typing as t

from docutils import nodes

if t.TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "trackops.api_tokens"
copyright = "TrackOps founders"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
html_theme_options = {"vcs_pageview_mode": "edit", "documentation_home_url": "index.html", "topbar_links": {}}
html_static_path = ["_static"]
html_css_files = ["trackops.css"]
html_title = "trackops.api_tokens"
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
nitpicky = True
pygments_style = "ansible"
# Policies and configurations of Vault are close to HCL, and not all of it.
suppress_warnings = ["misc.highlighting_failure"]
_OURS = "ansible_collections.trackops.api_tokens."
# Pages of Ansible's own documentation that antsibull-docs leads to.
_ANSIBLES = ("action_plugins", "ansible_configuration_settings", "callback_plugins", "common_return_values", "list_of_collections")


def _of_others(_app: Sphinx, _environment: object, node: t.Any, shown: nodes.Node) -> nodes.Node | None:
    """Object inventories of other documentation are not loaded: a reference into it is plain text, a wrong one to ours is an error."""
    target = str(node.get("reftarget", ""))
    of_others = target.startswith("ansible_collections.") and not target.startswith(_OURS)
    return shown if of_others or target in _ANSIBLES else None


def _to_pages_here(app: Sphinx, document: nodes.document, name: str) -> None:
    """The plugins lead to guides at the project's address, which is where they are for readers of ansible-doc. Here they are on this site."""
    for reference in document.findall(nodes.reference):
        page, hash_, anchor = str(reference.get("refuri", "")).partition("#")
        target = page.removeprefix(app.config.trackops_pages).removesuffix(".md")
        if target != page and target in app.env.found_docs:
            reference["refuri"] = app.builder.get_relative_uri(name, target) + hash_ + anchor


def setup(app: Sphinx) -> None:
    app.add_config_value("trackops_pages", "", "html", str)  # where the project's files are, by galaxy.yml
    app.connect("missing-reference", _of_others)
    app.connect("doctree-resolved", _to_pages_here)
