"""What tests share: real data where it is at hand, one thread count everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

# the same examples in every run: a failure here is a failure anywhere
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")
# a mutant is killed by any example: looking for the smallest one takes minutes
settings.register_profile("mutants", settings.get_profile("fixed"), phases=[Phase.explicit, Phase.generate])
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# ranx, which is asked for a few numbers, would be compiled for minutes
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The directory of real benchmarks: HYBRIDNB_DATA, or shared/data beside the checkout."""
    directory = Path(os.environ.get("HYBRIDNB_DATA", BESIDE))
    if not (directory / "lareqa").is_dir():
        pytest.skip(f"no benchmark data in {directory}: set HYBRIDNB_DATA to run this test")
    return directory


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny models are up to ten times faster on one thread of a busy machine than on two."""
    import torch  # not above: how its threads wait is read from the environment when it is loaded

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
