"""`python -m hybridnb.cli`, as launchers start it."""

import sys

from hybridnb.cli import main

sys.exit(main())
