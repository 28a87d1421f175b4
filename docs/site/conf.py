"""How Sphinx builds the site. ``make docs`` runs it over this checkout, from its root.

The site has the folders of the checkout, so that a link between pages works here and on a code host alike. What is
read: the pages in docs, README, CONTRIBUTING, CHANGELOG, the README of each plugin, and the reference, which is made
anew from the code each time (``reference.py``).
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from offline import check_site  # noqa: E402
from python_pages import short_signature  # noqa: E402
from reference import write_reference  # noqa: E402

project = "aie"
version = release = metadata.version("aie-core")
copyright = "the aie developers"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/*.md",
    "docs/*/*.md",
    "docs/*/*.rst",
    "plugins/*/README.md",
]
exclude_patterns = [
    ".*",
    "build",
    "dist",
    "core",
    "tests",
    "workflows",
    "plugins/*/src",
    "plugins/*/tests",
    "docs/site",
]

# A page is Markdown as a code host shows it, and no more: none of MyST's additions is turned on.
myst_heading_anchors = 4
myst_linkify_fuzzy_links = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# Docstrings and signatures name code, most of which has no page here. Links between pages are checked all the same.
nitpick_ignore_regex = [("py:.*", ".*")]
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"aie {release}"
html_show_sphinx = False
html_show_sourcelink = False
html_copy_source = False
html_extra_path = ["root"]  # index.html, which leads to docs/index.html
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "native"


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", lambda app: write_reference(Path(app.srcdir) / "docs" / "reference"))
    app.connect("autodoc-process-signature", short_signature)
    app.connect("build-finished", check_site)
