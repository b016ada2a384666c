"""Sphinx's configuration; tools/build_book.py prepares what it reads."""

import json
from pathlib import Path

pages = json.loads(Path("pages.json").read_text())

project = html_title = "Focal loss"
author = "the authors of focal_edu"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["made"]
templates_path = ["templates"]

nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show the imports"
nb_code_prompt_hide = "Hide the imports"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type", "misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_rtype = False

# KaTeX, shipped with the book, in MathJax's place
mathjax_path = "equations.js"

html_theme = "pydata_sphinx_theme"
html_static_path = ["static"]
html_css_files = ["style.css"]
html_js_files = [("pictures.js", {"defer": "defer"})]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"**": ["lessons.html"]}
html_context = {"default_mode": "auto"}
html_favicon = "static/favicon.svg"
html_theme_options = {
    "logo": {"text": "Focal loss"},
    "navbar_align": "left",
    "navbar_center": [],
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher", "navbar-icon-links"],
    "article_header_start": [],
    "article_header_end": ["run.html"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "icon_links": [
        {
            "name": "Source code",
            "url": pages["source"],
            "icon": "fa-solid fa-code",
            "type": "fontawesome",
        }
    ],
    "show_toc_level": 2,
    "show_prev_next": True,
    "back_to_top_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
project_copyright = "text and figures CC BY 4.0, code MIT"


def setup(app):
    def run_this_page(app, name, template, context, doctree):
        context["run"] = pages["run"].get(name, pages["run"]["index"])
        for near in (context.get("prev"), context.get("next")):
            title = near and pages["titles"].get(near["link"].split("/")[-1])
            if title:
                near["title"] = title

    def keep_bars(app, what, name, value, options, lines):
        lines[:] = [line.replace("|", r"\|") for line in lines]

    app.connect("html-page-context", run_this_page)
    app.connect("autodoc-process-docstring", keep_bars)
