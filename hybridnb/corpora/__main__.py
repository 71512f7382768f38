"""`python -m hybridnb.corpora NAME [--to DIR]`: fetch a data set from its public home."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hybridnb.corpora import home_of
from hybridnb.corpora.source import cache_directory, fetch


def main(arguments: list[str] | None = None) -> int:
    """Fetch the data set that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hybridnb.corpora", description=__doc__)
    parser.add_argument("name", help="xquad-r, mlqa-r, ntrex, squadshifts, mmarco, miracl-sw, xm3600, ...")
    parser.add_argument("--to", type=Path, default=cache_directory(), help="directory; the cache by default")
    options = parser.parse_args(arguments)
    try:
        home = home_of(options.name)
        fetch(home.files, options.to, name=home.name)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{home.name} is in {options.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
