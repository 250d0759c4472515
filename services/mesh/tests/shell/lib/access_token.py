"""Verifies an access token with a JSON Web Key Set by nothing but the standard library, as a stranger would.

`access_token.py JWKS_FILE` with the token on standard input; prints its claims, or fails with the reason.
"""

import base64
import hashlib
import json
import sys
import time

# DigestInfo of SHA-256 (RFC 8017, section 9.2, note 1).
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")


def part(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        keys = {key["kid"]: key for key in json.load(file)["keys"]}
    head, body, signature = sys.stdin.read().strip().split(".")
    header, claims = json.loads(part(head)), json.loads(part(body))
    assert header["alg"] == "RS256" and header["typ"] == "at+jwt", header
    assert header["kid"] in keys, f"no key {header['kid']} among {list(keys)}"
    key = keys[header["kid"]]
    modulus = int.from_bytes(part(key["n"]), "big")
    exponent = int.from_bytes(part(key["e"]), "big")
    size = (modulus.bit_length() + 7) // 8
    assert modulus.bit_length() >= 2048, modulus.bit_length()
    found = pow(int.from_bytes(part(signature), "big"), exponent, modulus).to_bytes(size, "big")
    digest = SHA256_PREFIX + hashlib.sha256(f"{head}.{body}".encode()).digest()
    assert found == b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest, "the signature is wrong"
    assert claims["exp"] - claims["iat"] == 15 * 60, claims
    assert claims["iat"] - 60 < time.time() < claims["exp"], claims
    # `d`, `p` and `q` would be the private key.
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key), "the key set tells a private key"
    print(json.dumps(claims))


main()
