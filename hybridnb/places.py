"""Where things are: the checkout with notebooks/, runs/, figures/ and data/."""

from __future__ import annotations

import os
from pathlib import Path

HOME = Path(os.environ.get("HYBRIDNB_HOME") or Path(__file__).parents[1]).expanduser().resolve()
"""The checkout; HYBRIDNB_HOME where the package was installed without `-e` or results go elsewhere."""

NOTEBOOKS = HOME / "notebooks"
RUNS = HOME / "runs"
FIGURES = HOME / "figures"
RESULTS = HOME / "data" / "results"
