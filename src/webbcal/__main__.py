"""``python -m webbcal``."""

from webbcal.cli.main import program

program()
