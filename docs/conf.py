"""The documentation site (Sphinx): `make docs` builds it, and executes its tutorials and examples."""

import os
import sys
from pathlib import Path

import webbcal

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# Examples call the `webbcal` of the environment that builds the site.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
for name in [name for name in os.environ if name.startswith(("CRDS_", "WEBBCAL_", "STPIPE_"))]:
    del os.environ[name]  # what is set for another run must not change what is shown

project = "webbcal"
author = "The webbcal developers"
copyright = author
release = version = webbcal.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "api_pages",
    "offline_mathjax",
    "step_reference",
]
exclude_patterns = ["_build", "_ext", "images"]
root_doc = "index"

# ---- text
myst_enable_extensions = ["amsmath", "dollarmath", "deflist", "colon_fence", "smartquotes"]
myst_heading_anchors = 3
# Pages that are read on their own begin as they like; the words of a shape, as in "(rows, columns) ndarray", are
# taken for names of attributes, of which there may be several.
suppress_warnings = ["myst.header", "ref.python"]

# ---- examples: executed at each build, in a folder of their own; an error ends the build
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 1800  # on a busy machine, with kernels that are compiled the first time
nb_merge_streams = True

# ---- reference of the code
autodoc_member_order = "bysource"
autodoc_typehints = "none"
add_module_names = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# ---- looks
html_theme = "pydata_sphinx_theme"
html_title = f"webbcal {release}"
html_static_path = ["_static"]
html_css_files = ["webbcal.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navigation_depth": 2,
    "show_nav_level": 1,
    "header_links_before_dropdown": 6,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_align": "left",
}
copybutton_prompt_text = r">>> |\$ "
copybutton_prompt_is_regexp = True
