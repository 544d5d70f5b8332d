"""CRC-32C (Castagnoli) with NumPy: many lanes at once, joined by the linearity of the code.

About 30 MB/s on one core, against 3 for a loop over bytes.
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
POLYNOMIAL = 0x82F63B78  # reflected
LEVELS = 8  # 2**8 lanes
SMALL = 1 << 12  # bytes below which lanes do not pay


def _byte_table() -> Words:
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(POLYNOMIAL), values >> 1)
    return values.astype(np.uint32)


TABLE = _byte_table()
BITS = np.arange(32, dtype=np.uint32)


def crc32c(data: bytes | memoryview) -> int:
    """The checksum of ``data``."""
    if len(data) < SMALL:
        crc = 0xFFFFFFFF
        for byte in bytes(data):
            crc = int(TABLE[(crc ^ byte) & 0xFF]) ^ (crc >> 8)
        return crc ^ 0xFFFFFFFF
    lanes = 1 << LEVELS
    padding = -len(data) % lanes
    padded = np.zeros(padding + len(data), dtype=np.uint8)  # leading zeros do not change a raw CRC
    padded[padding:] = np.frombuffer(data, dtype=np.uint8)
    padded[padding : padding + 4] ^= 0xFF  # the same as starting from all ones
    columns = np.ascontiguousarray(padded.reshape(lanes, -1).T)
    crcs = np.zeros(lanes, dtype=np.uint32)
    for column in columns:
        crcs = TABLE[(crcs ^ column) & 0xFF] ^ (crcs >> 8)
    shift = _zeros_operator(columns.shape[0])
    for _ in range(LEVELS):
        crcs = _apply(shift, crcs[0::2]) ^ crcs[1::2]
        shift = _apply(shift, shift)
    return int(crcs[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes | memoryview) -> int:
    """The rotated and offset form that TFRecord files store."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _zeros_operator(count: int) -> Words:
    """What ``count`` zero bytes do to a CRC, as the images ``(32,)`` of its single bits."""
    one = np.uint32(1) << BITS
    step = TABLE[one & 0xFF] ^ (one >> 8)
    result = one
    while count:
        if count & 1:
            result = _apply(step, result)
        step = _apply(step, step)
        count >>= 1
    return result.astype(np.uint32)


def _apply(operator: Words, values: Words) -> Words:
    """A linear map over bits, given by the images of single bits, applied to ``(N,)`` words."""
    bits = ((values[:, None] >> BITS) & 1).astype(bool)
    images = np.where(bits, operator, np.uint32(0))
    result: Words = np.bitwise_xor.reduce(images, axis=1)
    return result
