"""Looks into files that a generation made. `media.py png FILE` and `media.py wave FILE` fail unless it is a whole one."""

import struct
import sys
import wave
import zlib


def png(path):
    """Every chunk with its checksum, and as many pixels as the head tells, not all of one colour."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at, packed, kind = 8, b"", b""
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", data, at + 8 + size)[0], kind
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack_from(">IIBB", body)
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    assert kind == b"IEND", kind
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    pixels = zlib.decompress(packed)
    assert len(pixels) == height * (1 + width * channels * depth // 8), (len(pixels), width, height)
    assert len(set(pixels)) > 16, "it is all of one colour"


def sound(path):
    """Between one second and two minutes, and not silent."""
    with wave.open(path) as file:
        seconds = file.getnframes() / file.getframerate()
        frames = file.readframes(file.getnframes())
    assert 1 < seconds < 120, seconds
    loudest = max(abs(value) for (value,) in struct.iter_unpack("<h", frames))
    assert loudest > 1000, loudest


{"png": png, "wave": sound}[sys.argv[1]](sys.argv[2])
