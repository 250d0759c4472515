"""Reads the rich details of an error as a client shows them, and prints a line for each; it talks to no server.

On standard input: the JSON of `grpcurl -format-error` or of `buf curl`, or, with `--header`, the value of a
`grpc-status-details-bin` header. Lines are `ErrorInfo REASON DOMAIN KEY=VALUE…`, `BadRequest FIELD: DESCRIPTION` and
`OTHER_TYPE`. The exit code is 1 when there is no detail.
"""

import base64
import json
import sys


def unpad(text):
    """Base64 in either alphabet, with or without its padding."""
    text = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7


def fields(data):
    """The fields of a Protobuf message: number and value, for the two wire types that occur in a status."""
    at, found = 0, []
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            value = data[at : at + size]
            if len(value) != size:
                raise ValueError("a field is cut short")
            at += size
        else:
            raise ValueError(f"wire type {tag & 7} does not occur in a status")
        found.append((tag >> 3, value))
    return found


def texts(data):
    return {number: value.decode() for number, value in fields(data) if isinstance(value, bytes)}


def told(kind, data):
    if kind == "google.rpc.BadRequest":
        for _, violation in fields(data):
            parts = texts(violation)
            yield f"BadRequest {parts.get(1, '')}: {parts.get(2, '')}"
    elif kind == "google.rpc.ErrorInfo":
        parts, pairs = {}, []
        for number, value in fields(data):
            if number == 3:
                pair = texts(value)
                pairs.append(f" {pair.get(1, '')}={pair.get(2, '')}")
            else:
                parts[number] = value.decode()
        yield f"ErrorInfo {parts.get(1, '')} {parts.get(2, '')}{''.join(sorted(pairs))}"
    else:
        yield kind.removeprefix("google.rpc.")


def read(detail):
    """One detail in JSON: as bytes (buf, and grpcurl when it does not know the type), or as the message itself."""
    if "type" in detail:
        yield from told(detail["type"], unpad(detail["value"]))
        return
    kind = detail["@type"].rpartition("/")[2]
    if "@value" in detail:
        yield from told(kind, unpad(detail["@value"]))
    elif kind == "google.rpc.BadRequest":
        for violation in detail.get("fieldViolations", []):
            yield f"BadRequest {violation.get('field', '')}: {violation.get('description', '')}"
    elif kind == "google.rpc.ErrorInfo":
        pairs = sorted(f" {key}={value}" for key, value in detail.get("metadata", {}).items())
        yield f"ErrorInfo {detail.get('reason', '')} {detail.get('domain', '')}{''.join(pairs)}"
    else:
        yield kind.removeprefix("google.rpc.")


def main():
    text = sys.stdin.read()
    lines = []
    if "--header" in sys.argv[1:]:
        for number, value in fields(unpad(text)):
            if number == 3:
                parts = dict(fields(value))
                lines += told(parts[1].decode().rpartition("/")[2], parts.get(2, b""))
    else:
        # Whatever a client says before its JSON is not looked at.
        for detail in json.loads(text[text.index("{") :]).get("details", []):
            lines += read(detail)
    print("\n".join(lines))
    return 0 if lines else 1


sys.exit(main())
