"""Sphinx: the Markdown files of the repository as a web site, and a check of their links.

pip install -e '.[docs]' && sphinx-build -W --keep-going -c docs . build/site
"""

project = "MusicVAE-JAX"
author = "The MusicVAE-JAX authors"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "launch/README.md", "benchmarks/*.md"]
exclude_patterns = ["build", ".venv", "venv", "**/_build"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"description": "Transitions between melodies", "page_width": "1100px"}
html_copy_source = False
