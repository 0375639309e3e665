"""Settings of Sphinx for the site; `teaching/build_site.py` calls it, with the address of the repository in SITE_*."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
address, hub = os.environ.get("SITE_ADDRESS", ""), os.environ.get("SITE_HUB", "")

project = "Convolutional networks, computed"
html_title = project
copyright = "text and figures CC BY 4.0, code MIT"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header", "ref.python"]

# Lessons are shown as they are stored, never run. Links were turned into addresses of the site before (pages.py).
nb_execution_mode = "off"
nb_render_text_lexer = "none"
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "text/html", 0)]
nb_number_source_lines = False
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_all_links_external = True
mathjax_path = "mathjax/tex-chtml.js"

# Docstrings name things in single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_mock_imports = [
    "jax",
    "torch",
    "distributed",
    "cloudpickle",
    "openvino",
    "onnxruntime",
    "nncf",
    "ai_edge_litert",
]
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "sphinx_book_theme"
html_context = {"default_mode": "auto"}
html_static_path = [str(Path(__file__).parent / "static"), os.environ["SITE_STATIC"]]
html_favicon = str(Path(__file__).parent / "static" / "favicon.svg")
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_sourcelink_suffix = ""
html_last_updated_fmt = None
html_theme_options = {
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the search stands in the sidebar
    "use_download_button": True,
    "use_fullscreen_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
if address:
    html_theme_options |= {
        "repository_url": address,
        "repository_branch": os.environ.get("SITE_BRANCH", "main"),
        "path_to_docs": "",
        "use_repository_button": True,
        "launch_buttons": {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
            **({"jupyterhub_url": hub} if hub else {}),
        },
    }
