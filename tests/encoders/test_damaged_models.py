"""A model directory with one change in one of its files is an encoder, known as another one, or is refused."""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy import TEXTS, tiny_labse

from hybridnb.encoders.encoder import DualEncoder, encoder_sha256

pytestmark = pytest.mark.usefixtures("one_thread")

Whole = tuple[Path, dict[str, np.ndarray], str]
"""A model directory, its vectors of each kind, its encoder's hash."""


def vectors_of(encoder: DualEncoder) -> dict[str, np.ndarray]:
    return {kind: encoder.encode(TEXTS, kind, progress=False) for kind in ("query", "passage")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    directory = tmp_path_factory.mktemp("models") / "whole"
    DualEncoder.load(tiny_labse(directory.parent / "labse"), query_prefix="q: ", pooling="mean").save(
        directory
    )
    encoder = DualEncoder.load(directory)
    return directory, vectors_of(encoder), encoder_sha256(encoder)


FILES = [
    "config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", "1_Pooling/config.json",
    "sentence_bert_config.json", "config_sentence_transformers.json", "model.safetensors",
]  # fmt: skip
NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 31, 48, 1000]) | st.sampled_from(
    [-0.5, 0.5, 1e30, float("nan"), float("inf")]
)
VALUES = (
    st.none()
    | st.booleans()
    | NUMBERS
    | st.sampled_from(["", "a", "mean", "relu", "[UNK]", [], {}, [1], {"a": 1}])
)


def change_json(data: st.DataObject, text: bytes) -> bytes:
    """One value is another, gone, or under another name."""
    content = json.loads(text)
    container, key = content, None
    while key is None or (
        isinstance(container[key], dict | list) and container[key] and data.draw(st.booleans())
    ):
        container = container if key is None else container[key]
        key = data.draw(
            st.sampled_from(list(container) if isinstance(container, dict) else range(len(container)))
        )
    how = data.draw(st.sampled_from(["value", "value", "value", "gone", "renamed", "kind"]), label="how")
    value = container[key]
    if how == "value":
        container[key] = data.draw(VALUES, label="value")
    elif how == "kind":
        container[key] = [value] if data.draw(st.booleans(), label="list") else str(value)
    else:
        del container[key]
        if how == "renamed" and isinstance(container, dict):
            container[f"{key}_"] = value
    return json.dumps(content).encode()


def change_bytes(data: st.DataObject, content: bytes) -> bytes:
    """One byte is another, some are missing, or there are more."""
    at = data.draw(st.integers(0, len(content) - 1), label="at")
    how = data.draw(st.sampled_from(["flip", "cut", "without", "more"]), label="how")
    if how == "flip":
        return (
            content[:at]
            + bytes([content[at] ^ 1 << data.draw(st.integers(0, 7), label="bit")])
            + content[at + 1 :]
        )
    rest = {"cut": b"", "without": content[at + 4 :], "more": bytes(4) + content[at:]}
    return content[:at] + rest[how]


def change_safetensors(data: st.DataObject, content: bytes) -> bytes:
    """The header is changed as JSON, or some of the numbers are."""
    (length,) = struct.unpack("<Q", content[:8])
    header, numbers = content[8 : 8 + length], content[8 + length :]
    if data.draw(st.booleans(), label="header"):
        header = change_json(data, header)
    else:
        at = data.draw(st.integers(0, len(numbers) // 4 - 1), label="number")
        value = data.draw(st.floats(width=32), label="value")
        numbers = numbers[: 4 * at] + struct.pack("<f", value) + numbers[4 * at + 4 :]
    return struct.pack("<Q", len(header)) + header + numbers


def changed(data: st.DataObject, file: Path) -> bytes:
    content = file.read_bytes()
    if data.draw(st.integers(0, 3), label="bytes") == 0:
        return change_bytes(data, content)
    return (change_safetensors if file.suffix == ".safetensors" else change_json)(data, content)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data(), name=st.sampled_from(FILES))
def test_one_change_makes_another_encoder_or_none(whole: Whole, data: st.DataObject, name: str) -> None:
    directory, vectors, sha256 = whole
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        shutil.copytree(directory, model)
        (model / name).write_bytes(changed(data, directory / name))
        try:
            encoder = DualEncoder.load(model)
        except (ValueError, OSError) as error:
            message = str(error)  # what only disagrees with another file is a fault of the model
            assert str(model) in message and "\n" not in message and len(message) < 700
            return
        found = vectors_of(encoder)
        assert all(np.isfinite(found[kind]).all() for kind in found)
        same = all(np.array_equal(found[kind], vectors[kind]) for kind in found)
        assert same or encoder_sha256(encoder) != sha256, "other vectors under the same hash"
