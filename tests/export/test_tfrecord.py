"""Checksums and wire format against known answers, and damage by name."""

import struct

import numpy as np
import pytest

from core.errors import BadInputError
from export import crc32c as module
from export.crc32c import crc32c, masked_crc32c
from export.tfrecord import parse_example, read_records


def varint(number):
    out = b""
    number &= (1 << 64) - 1
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def example(features):
    """Serialise {name: (kind, list body)} as tf.train.Example does."""
    entries = b""
    for name, (kind, body) in features.items():
        entry = message(1, name.encode()) + message(2, message(kind, body))
        entries += message(1, entry)
    return message(1, entries)


def record(data):
    length = struct.pack("<Q", len(data))
    return (
        length
        + struct.pack("<I", masked_crc32c(length))
        + data
        + struct.pack("<I", masked_crc32c(data))
    )


def test_checksum_of_known_texts():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"") == 0


@pytest.mark.parametrize("size", [4096, 5001, 65536, 70001])
def test_lanes_give_what_bytes_give(size, monkeypatch):
    data = np.random.default_rng(size).bytes(size)
    fast = crc32c(data)
    monkeypatch.setattr(module, "SMALL", 1 << 30)
    assert fast == crc32c(data)


def test_every_kind_of_feature():
    floats = np.array([1.5, -2.25], dtype="<f4")
    data = example({
        "packed floats": (2, message(1, floats.tobytes())),
        "single floats": (2, b"".join(varint(1 << 3 | 5) + x.tobytes() for x in floats)),
        "packed ints": (3, message(1, varint(300) + varint(-7))),
        "single ints": (3, varint(1 << 3) + varint(300) + varint(1 << 3) + varint(-7)),
        "texts": (1, message(1, b"put") + message(1, b"")),
    })
    found = parse_example(data)
    for name in ("packed floats", "single floats"):
        assert found[name].tolist() == [1.5, -2.25]
    for name in ("packed ints", "single ints"):
        assert found[name].tolist() == [300, -7]
    assert found["texts"] == [b"put", b""]


@pytest.mark.parametrize("data", [b"\x0a\x7f", b"\xff" * 8, b"\x0a\x02\x0a\x09"])
def test_what_is_no_example_is_refused(data):
    with pytest.raises(BadInputError, match=r"not a tf\.train\.Example"):
        parse_example(data)


def test_records_come_back(tmp_path):
    path = tmp_path / "a.tfrecord"
    parts = [b"", b"abc", bytes(range(256)) * 40]
    path.write_bytes(b"".join(record(part) for part in parts))
    assert list(read_records(path)) == parts


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[:-1], "record 1: cut off"),
        (lambda data: data[:-30], "record 1: cut off"),
        (lambda data: data[:30] + b"?" + data[31:], "record 0: checksum differs"),
        (lambda data: b"?" + data[1:], "record 0: its length is damaged"),
    ],
)
def test_damage_is_named(tmp_path, damage, what):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(damage(record(b"x" * 40) + record(b"y" * 40)))
    with pytest.raises(BadInputError, match=what):
        list(read_records(path))
