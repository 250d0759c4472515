"""Writes the body of a grpc-web request, and reads the body of an answer; it talks to no server.

`frames.py write [TEXT]` writes a message whose field 1 is TEXT (an empty message without it) in one frame.
`frames.py read FILE` prints a line for each frame: `message BYTES HEX` or `trailers NAME:VALUE…`; it fails when the body
is not whole frames with the trailers last. With `--base64` both bodies are grpc-web-text.
"""

import base64
import re
import struct
import sys

# Field 1, wire type 2.
FIELD_ONE = b"\x0a"


def write(words):
    text = words[0].encode() if words else b""
    if len(text) > 127:
        raise SystemExit("only short texts are written here")
    message = FIELD_ONE + bytes([len(text)]) + text if text else b""
    return struct.pack(">BI", 0, len(message)) + message


def unbase64(body):
    """Each part of a streamed grpc-web-text answer may have padding of its own."""
    return b"".join(base64.b64decode(part, validate=True) for part in re.findall(rb"[^=]+={0,2}", body))


def read(body):
    at, kinds = 0, []
    while at < len(body):
        flag, size = struct.unpack_from(">BI", body, at)
        payload = body[at + 5 : at + 5 + size]
        assert len(payload) == size, "a frame is cut short"
        at += 5 + size
        if flag == 0x80:
            kinds.append("trailers")
            print("trailers", *payload.decode().split("\r\n"))
        else:
            assert flag == 0, f"a frame with the flag {flag}"
            kinds.append("message")
            print("message", size, payload.hex())
    assert kinds and kinds[-1] == "trailers" and kinds.count("trailers") == 1, kinds


def main():
    is_text = "--base64" in sys.argv
    words = [word for word in sys.argv[1:] if word != "--base64"]
    if words[0] == "write":
        body = write(words[1:])
        sys.stdout.buffer.write(base64.b64encode(body) if is_text else body)
    else:
        with open(words[1], "rb") as file:
            body = file.read()
        read(unbase64(body) if is_text else body)


main()
