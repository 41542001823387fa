"""`python -m bustle` is the `bustle` command."""

import sys

from bustle.cli.main import main

sys.exit(main())
