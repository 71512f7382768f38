"""Where data is found, and downloads from a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hybridnb.corpora import source
from hybridnb.corpora.source import (
    DamagedData,
    ForeignDataWarning,
    MissingData,
    RemoteFile,
    Source,
    digest,
    fetch,
    locate,
)

CONTENT = bytes(range(256)) * 20_000
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Server(ThreadingHTTPServer):
    """Serves CONTENT at every path; `cut` bytes and then nothing, or without ranges, where told so."""

    ranges = True
    cut: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append((self.command, asked))
        start = int(re.findall(r"\d+", asked)[0]) if asked and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        # what the hub's client wants to know
        self.send_header("ETag", '"v1"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            with suppress(ConnectionError):  # the client may have seen enough
                self.wfile.write(CONTENT[start : self.server.cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    return tmp_path / "cache" / "hybridnb"


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_given_directory_then_variable_then_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = put(tmp_path / "given" / "set" / "a.txt", "given")
    named = put(tmp_path / "named" / "set" / "a.txt", "named")
    cached = put(cache / "set" / "a.txt", "cached")
    one = Source("set", "nowhere", (RemoteFile("set/a.txt", None),))
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path / "named"))

    assert locate(one, tmp_path / "given") == [given]
    given.unlink()
    assert locate(one, tmp_path / "given") == [named]
    named.unlink()
    assert locate(one, tmp_path / "given") == [cached]
    assert source.find("set/b.txt", tmp_path / "given") is None


def test_files_of_one_set_may_lie_in_different_places(tmp_path: Path, cache: Path) -> None:
    a, b = put(tmp_path / "given" / "a", "1"), put(cache / "b", "2")
    files = Source("set", "nowhere", (RemoteFile("b", None), RemoteFile("a", None)))
    assert locate(files, tmp_path / "given") == [b, a]


def test_directory_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"given directory: .*nope is no directory"):
        source.find("a", tmp_path / "nope")
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match=r"HYBRIDNB_DATA: .*gone is no directory"):
        source.find("a")


def test_missing_set_says_what_was_tried_and_how_to_get_it(tmp_path: Path, cache: Path) -> None:
    files = tuple(RemoteFile(f"set/{n}", "http://127.0.0.1:9/x") for n in "ab")
    with pytest.raises(MissingData) as error:
        locate(Source("set", "github somewhere", files), tmp_path)
    message = str(error.value)
    assert "set: no set/a and 1 more" in message
    tried = (
        f"given directory {tmp_path}; HYBRIDNB_DATA (not set); cache {cache}; public home github somewhere"
    )
    assert tried in message
    assert "`hybridnb fetch set --to DIR`" in message


def test_missing_set_without_public_home() -> None:
    with pytest.raises(MissingData, match="set HYBRIDNB_DATA to the directory that holds set/a"):
        locate(Source("set", "none", (RemoteFile("set/a", None),)))


def test_offline_switch_keeps_from_downloading(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingData, match="HF_HUB_OFFLINE is set"):
        locate(Source("set", "here", (RemoteFile("a", server.address),)))
    assert server.requests == []


def test_download_is_told_checked_and_kept(
    server: Server, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Source("set", "here", (RemoteFile("set/deep/a.bin", f"{server.address}/a", len(CONTENT), SHA256),))
    assert locate(one) == [cache / "set/deep/a.bin"]
    assert (cache / "set/deep/a.bin").read_bytes() == CONTENT
    assert f"set: downloading 1 files, 5.1 MB, to {cache}" in capsys.readouterr().err
    locate(one)
    assert len(server.requests) == 1
    assert sorted(p.name for p in cache.rglob("*") if p.is_file()) == [".lock", "a.bin"]


def test_interrupted_download_leaves_nothing(server: Server, tmp_path: Path) -> None:
    one = Source("set", "here", (RemoteFile("a.bin", server.address, len(CONTENT), SHA256),))
    server.cut = 1_000_000
    with pytest.raises(OSError):
        fetch(one, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == [".lock"]
    server.cut = None
    fetch(one, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("size", "digest", "message"),
    [
        (None, "sha256:" + "0" * 64, "has sha256 .*, not 0000"),
        (None, "md5:" + "0" * 32, f"has md5 {hashlib.md5(CONTENT).hexdigest()}, not 0000"),
        (7, SHA256, "has 5,120,000 bytes, not 7"),
    ],
)
def test_other_file_than_the_pinned_one(
    server: Server, cache: Path, size: int | None, digest: str, message: str
) -> None:
    with pytest.raises(DamagedData, match=message):
        locate(Source("set", "here", (RemoteFile("a.bin", server.address, size, digest),)))
    assert not list(cache.rglob("a.bin*"))


def test_address_that_is_gone(server: Server) -> None:
    gone = Source("set", "here", (RemoteFile("a", "http://127.0.0.1:9/gone"),))
    with pytest.raises(MissingData, match=r"ConnectionError: "):
        locate(gone)


def test_too_little_room(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"MB free, 1,000,000,000,000\.0 MB are needed"):
        fetch(Source("set", "here", (RemoteFile("a.bin", server.address, 10**18),)), tmp_path)
    assert server.requests == []


def test_hub_file(server: Server, tmp_path: Path) -> None:
    """Through huggingface_hub itself, which takes its address from the environment when imported."""
    code = (
        "from pathlib import Path; from hybridnb.corpora.source import RemoteFile, Source, fetch\n"
        f"file = RemoteFile('set/data/x/a.bin', 'hf://datasets/owner/name@{COMMIT}/data/x/a.bin', "
        f"{len(CONTENT)}, '{SHA256}')\n"
        f"fetch(Source('set', 'there', (file,)), Path({str(tmp_path / 'data')!r}))"
    )
    environment = {**os.environ, "HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data/set/data/x/a.bin").read_bytes() == CONTENT


def pinned(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_cached_file_that_is_not_the_pinned_one_is_refused(cache: Path) -> None:
    put(cache / "a", "damaged")
    one = Source("set", "here", (RemoteFile("a", None, digest=pinned("whole")),))
    with pytest.raises(DamagedData, match=f"{cache / 'a'} has sha256 .*; delete it and run again"):
        locate(one)


def test_other_file_in_one_s_own_directory_is_said(tmp_path: Path) -> None:
    mine = put(tmp_path / "mine" / "a", "another")
    one = Source("set", "here", (RemoteFile("a", None, digest=pinned("pinned")),))
    with pytest.warns(ForeignDataWarning, match=f"set is not the published one, .*{mine} has sha256"):
        assert locate(one, tmp_path / "mine") == [mine]
    assert source.content_digests(one, tmp_path / "mine") == [["a", pinned("another")]]
    assert source.content_digests(one) == [["a", pinned("pinned")]]


def test_one_file_may_stand_for_all(tmp_path: Path, cache: Path) -> None:
    stored = put(tmp_path / "mine" / "all.jsonl", "stored")
    files = (RemoteFile("a", digest=pinned("a")), RemoteFile("b", digest=pinned("b")))
    one = Source("set", "here", files, instead=RemoteFile("all.jsonl", digest=pinned("stored")))
    assert locate(one, tmp_path / "mine") == [stored]
    assert source.content_digests(one, tmp_path / "mine") == source.content_digests(one)
    put(stored, "changed")
    assert source.content_digests(one, tmp_path / "mine") == [["all.jsonl", pinned("changed")]]
    stored.unlink()
    put(cache / "a", "a"), put(cache / "b", "b")
    assert locate(one, tmp_path / "mine") == [cache / "a", cache / "b"]


def test_other_place_and_packed(tmp_path: Path) -> None:
    one = Source(
        "set", "here", (RemoteFile("deep/a.tsv", digest=pinned("text"), also=("a.tsv.gz", "a.tsv")),)
    )
    flat = tmp_path / "mine" / "a.tsv.gz"
    flat.parent.mkdir()
    flat.write_bytes(gzip.compress(b"text"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert locate(one, tmp_path / "mine") == [flat]
        assert source.located(one, tmp_path / "mine") == [("a.tsv.gz", flat)]
    flat.write_bytes(gzip.compress(b"text")[:-9])
    with pytest.warns(ForeignDataWarning, match="is no whole gzip"):
        locate(one, tmp_path / "mine")


def test_hash_is_remembered_until_the_file_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path / "a", "one")
    assert digest(file) == pinned("one")
    assert not (cache / "digests").exists()  # it may change again within the same tick of the clock
    monkeypatch.setattr(source, "JUST_NOW", -1)
    assert digest(file) == pinned("one")
    with monkeypatch.context() as patch:
        patch.setattr(source.hashlib, "new", None)  # hashing again would fail
        assert digest(file) == pinned("one")
    times = file.stat()
    file.write_text("two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest(file) == pinned("two")
    assert digest(file, "md5") == f"md5:{hashlib.md5(b'two').hexdigest()}"


def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = put(tmp_path / "blocked", "a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.warns(UserWarning, match=f"the cache {blocked}/hybridnb cannot be written"):
        assert digest(put(tmp_path / "a", "one")) == pinned("one")
