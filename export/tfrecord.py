"""TFRecord files of `tf.train.Example`, read without TensorFlow: framing, checksums, wire format.

A record is: length (u64), its masked CRC-32C, the bytes, their masked CRC-32C. An Example is
protobuf: features { feature: map<string, {bytes_list | float_list | int64_list}> }.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from export.crc32c import masked_crc32c

Value = list[bytes] | NDArray[np.float32] | NDArray[np.int64]
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3
HEADER = struct.Struct("<QI")


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a file, each checked; BadInputError names file and record."""
    number = 0
    with path.open("rb") as file:
        while header := file.read(HEADER.size):
            place = f"{path}: record {number}"
            if len(header) < HEADER.size:
                raise BadInputError(f"{place}: cut off in its header; download the file again")
            length, length_crc = HEADER.unpack(header)
            if masked_crc32c(header[:8]) != length_crc:
                raise BadInputError(f"{place}: its length is damaged; download the file again")
            data, footer = file.read(length), file.read(4)
            if len(data) < length or len(footer) < 4:
                raise BadInputError(f"{place}: cut off; download the file again")
            if masked_crc32c(data) != struct.unpack("<I", footer)[0]:
                raise BadInputError(f"{place}: checksum differs; download the file again")
            yield data
            number += 1


def parse_example(data: bytes) -> dict[str, Value]:
    """The features of one Example: texts and images as bytes, the rest as flat arrays."""
    found: dict[str, Value] = {}
    try:
        for _, _, features in _fields(memoryview(data)):
            for _, _, entry in _fields(_bytes(features)):
                parts = {number: value for number, _, value in _fields(_bytes(entry))}
                found[bytes(_bytes(parts[1])).decode()] = _feature(_bytes(parts[2]))
    except (IndexError, KeyError, ValueError, TypeError, struct.error) as error:
        raise BadInputError(f"not a tf.train.Example: {error!r}") from error
    return found


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number where a message is expected")
    return value


def _feature(data: memoryview) -> Value:
    for kind, _, content in _fields(data):
        items = list(_fields(_bytes(content)))
        if kind == BYTES_LIST:
            return [bytes(_bytes(value)) for _, _, value in items]
        if kind == FLOAT_LIST:  # packed, or one field per number
            return np.frombuffer(b"".join(_bytes(v) for _, _, v in items), dtype="<f4")
        if kind == INT64_LIST:
            numbers = [n for _, _, v in items for n in ([v] if isinstance(v, int) else _varints(v))]
            return np.array(numbers, dtype=np.uint64).astype(np.int64)
    return []


def _varints(data: memoryview) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = _varint(data, at)
        numbers.append(number)
    return numbers


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Field number, wire type and value (a number, or the bytes) of one message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == VARINT:
            number, at = _varint(data, at)
            yield tag >> 3, wire, number
            continue
        if wire == BYTES:
            length, at = _varint(data, at)
        else:
            length = {FIXED64: 8, FIXED32: 4}[wire]
        if at + length > len(data):
            raise ValueError("a field is longer than its message")
        yield tag >> 3, wire, data[at : at + length]
        at += length
