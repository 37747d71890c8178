"""How models, steps and runs show themselves in a notebook: as HTML, escaped and of bounded size and cost."""

from webbcal.notebook.model_page import model_html
from webbcal.notebook.run_page import run_html
from webbcal.notebook.step_page import step_html

__all__ = ["model_html", "run_html", "step_html"]
