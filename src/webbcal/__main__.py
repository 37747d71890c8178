"""``python -m webbcal``."""

import sys

from webbcal.cli.main import main

sys.exit(main())
