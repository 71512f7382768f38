"""captions-flickr and captions-human: captions of images retrieve each other, in the layout of XM3600 (see `captions`).

`captions-flickr`: 1,000 images of Flickr30k in the 36 locales of XM3600, from NLLB-CLIP (Visheratin 2023,
arXiv 2309.01859): English by people, the other 35 machine-translated from it; parallel, not independent.

`captions-human`: 2,000 images of Flickr30k and COCO, one caption a language by people who saw the image, in 8
languages (xFlickr&CO of IGLUE, Bugliarello et al. 2022, arXiv 2201.11732). Line 901 has an empty caption, as
published: a bad row, to be left out with skip_bad.

An image has one caption a language: there is no monolingual task.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.captions import read_benchmark
from hybridnb.corpora.catalogue import BENCHMARKS, DataSet
from hybridnb.corpora.source import RemoteFile, Source, locate

SOURCES = {
    "captions-flickr": Source(
        "captions-flickr",
        "none in this form (made from github visheratin/nllb-clip, commit 5cad452a)",
        (
            RemoteFile(
                "captions/flickr30k200.captions.jsonl.gz",
                size=2_155_705,
                digest="sha256:8e26eb7886e783197504c141f28211c6843c48ae878dfdc3f24c2682626e7f29",
            ),
        ),
    ),
    "captions-human": Source(
        "captions-human",
        "none in this form (made from github e-bug/iglue, commit 43cbac91)",
        (
            RemoteFile(
                "captions/xflickrco.captions.jsonl.gz",
                size=613_162,
                digest="sha256:eb8f91e679ba980b09a421650628720db4ac2b795d151f789a6dce921ceb7ee2",
            ),
        ),
    ),
}
ABOUT = {
    "captions-flickr": "1,000 images, captions in 36 languages, machine-translated from English; in XM3600's layout",
    "captions-human": "2,000 images, independent captions in 8 languages; line 901 is bad: --skip-bad",
}


def load_benchmark(name: str, directory: str | Path | None = None, *, skip_bad: bool = False) -> Benchmark:
    """The benchmark "captions-flickr" or "captions-human".

    Args:
        name: Which of the two.
        directory: Where to look before HYBRIDNB_DATA and the cache.
        skip_bad: Leave bad rows out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError).
    """
    (path,) = locate(SOURCES[name], directory)
    return read_benchmark(path, name, skip_bad=skip_bad)


for _name, _about in ABOUT.items():
    BENCHMARKS.register(
        _name,
        DataSet(
            _about, partial(load_benchmark, _name), SOURCES[_name], licence="for research (Flickr30k, COCO)"
        ),
    )
