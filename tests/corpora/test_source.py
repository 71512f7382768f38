"""Where data is found, and downloads from a server on this machine."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hybridnb.corpora import source as home
from hybridnb.corpora.source import DamagedData, Home, MissingData, Remote

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
    one = Home("set", "nowhere", (Remote("set/a.txt", None),))
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path / "named"))

    assert home.locate(one, tmp_path / "given") == [given]
    given.unlink()
    assert home.locate(one, tmp_path / "given") == [named]
    named.unlink()
    assert home.locate(one, tmp_path / "given") == [cached]
    assert home.find("set/b.txt", tmp_path / "given") is None


def test_files_of_one_set_may_lie_in_different_places(tmp_path: Path, cache: Path) -> None:
    a, b = put(tmp_path / "given" / "a", "1"), put(cache / "b", "2")
    files = Home("set", "nowhere", (Remote("b", None), Remote("a", None)))
    assert home.locate(files, tmp_path / "given") == [b, a]


def test_directory_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"given directory: .*nope is no directory"):
        home.find("a", tmp_path / "nope")
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match=r"HYBRIDNB_DATA: .*gone is no directory"):
        home.find("a")


def test_missing_set_says_what_was_tried_and_how_to_get_it(tmp_path: Path, cache: Path) -> None:
    files = tuple(Remote(f"set/{n}", "http://127.0.0.1:9/x") for n in "ab")
    with pytest.raises(MissingData) as error:
        home.locate(Home("set", "github somewhere", files), tmp_path)
    message = str(error.value)
    assert "set: no set/a and 1 more" in message
    tried = (
        f"given directory {tmp_path}; HYBRIDNB_DATA (not set); cache {cache}; public home github somewhere"
    )
    assert tried in message
    assert "`python -m hybridnb.corpora set --to DIR`" in message


def test_missing_set_without_public_home() -> None:
    with pytest.raises(MissingData, match="set HYBRIDNB_DATA to the directory that holds set/a"):
        home.locate(Home("set", "none", (Remote("set/a", None),)))


def test_offline_switch_keeps_from_downloading(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingData, match="HF_HUB_OFFLINE is set"):
        home.locate(Home("set", "here", (Remote("a", server.address),)))
    assert server.requests == []


def test_download_is_told_checked_and_kept(
    server: Server, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Home("set", "here", (Remote("set/deep/a.bin", f"{server.address}/a", len(CONTENT), SHA256),))
    assert home.locate(one) == [cache / "set/deep/a.bin"]
    assert (cache / "set/deep/a.bin").read_bytes() == CONTENT
    assert f"set: downloading 1 files, 5.1 MB, to {cache}" in capsys.readouterr().err
    home.locate(one)
    assert len(server.requests) == 1
    assert sorted(p.name for p in cache.rglob("*") if p.is_file()) == [".lock", "a.bin"]


def test_file_address(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    source = put(tmp_path / "source", "text")
    put(cache / "a.part", "left over")
    (found,) = home.locate(Home("set", "here", (Remote("a", source.as_uri()),)))
    assert found.read_text() == "text"


@pytest.mark.parametrize("ranges", [True, False])
def test_interrupted_download_goes_on(server: Server, tmp_path: Path, ranges: bool) -> None:
    file = Remote("a.bin", server.address, len(CONTENT), SHA256)
    server.cut = 1_000_000
    with pytest.raises(OSError, match=r"ended at 1,000,000 of 5,120,000 bytes; run it again"):
        home.fetch([file], tmp_path)
    assert not (tmp_path / "a.bin").exists()
    server.cut, server.ranges = None, ranges
    home.fetch([file], tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests[-1] == ("GET", "bytes=1000000-")
    assert not (tmp_path / "a.bin.part").exists()


def test_whole_part_is_only_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    home.fetch([Remote("a.bin", server.address, len(CONTENT), SHA256)], tmp_path)
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
        home.locate(Home("set", "here", (Remote("a.bin", server.address, size, digest),)))
    assert not list(cache.rglob("a.bin*"))


def test_address_that_is_gone(server: Server) -> None:
    gone = Home("set", "here", (Remote("a", "http://127.0.0.1:9/gone"),))
    with pytest.raises(MissingData, match=r"ConnectionError: http://127\.0\.0\.1:9/gone: "):
        home.locate(gone)


def test_too_little_room(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"MB free, 1,000,000,000,000\.0 MB are needed"):
        home.fetch([Remote("a.bin", server.address, 10**18)], tmp_path)
    assert server.requests == []


def test_hub_file(server: Server, tmp_path: Path) -> None:
    """Through huggingface_hub itself, which takes its address from the environment when imported."""
    code = (
        "from pathlib import Path; from hybridnb.corpora.source import Remote, fetch\n"
        f"fetch([Remote('set/data/x/a.bin', 'hf://datasets/owner/name@{COMMIT}/data/x/a.bin', "
        f"{len(CONTENT)}, '{SHA256}')], Path({str(tmp_path / 'data')!r}))"
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
