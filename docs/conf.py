"""Settings of the documentation's site: `make docs` builds it into outputs/site with every warning an error.

The checkout is the source folder, so that pages link to each other as they do in a file browser.
"""

from importlib.metadata import version as version_of

project = "motionrep"
version = release = version_of("motionrep")
copyright = "the motionrep authors"
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/**",
    "benchmarks/*.md",
    "motionrep/weights/*/README.md",
]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

myst_heading_anchors = 4
myst_links_external_new_tab = True
nb_execution_mode = "force"  # the pages of docs/learn run whenever the site is built
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_show_tb = True
nb_merge_streams = True
suppress_warnings = ["myst.header", "toc.not_included"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 100
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False
default_role = "literal"

html_theme = "furo"
html_title = f"motionrep {version}"
html_copy_source = False


def _code_as_literal(_app, _what, _name, _obj, _options, lines: list[str]) -> None:
    """Indented lines after a paragraph are code, as in Markdown."""
    was_blank, within = True, False
    found: list[str] = []
    for line in lines:
        indented = line.startswith("    ")
        if indented and was_blank and not within and found and found[-1] == "" and _is_text(found):
            found += ["::", ""]
            within = True
        elif line.strip() and not indented:
            within = False
        found.append(line)
        was_blank = not line.strip()
    lines[:] = found


def _is_text(lines: list[str]) -> bool:
    """Whether the last line that is not empty is a paragraph's, not a field of a signature."""
    last = next((line for line in reversed(lines) if line.strip()), "")
    return bool(last) and not last.startswith((":", " ", ".. "))


def setup(app) -> None:
    app.connect("autodoc-process-docstring", _code_as_literal, priority=900)
