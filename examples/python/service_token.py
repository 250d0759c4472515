"""Service tokens: how a process that holds the mesh secret says which service it is (docs/service-tokens.md)."""

import os
import pathlib
import time

import jwt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LIFETIME_SECONDS = 60
# A token is used again until it has this long to live, so that none expires on its way.
MARGIN_SECONDS = 30
MIN_SECRET_BYTES = 32


def mesh_secret() -> bytes:
    """The secret that the mesh was started with: ATELIER_SECRET, else the file in its data folder."""
    text = os.environ.get("ATELIER_SECRET", "").strip()
    if not text:
        data_home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        folder = pathlib.Path(os.environ.get("ATELIER_DATA") or f"{data_home}/atelier").expanduser()
        text = (folder / "secret").read_text(encoding="utf-8").strip()
    secret = text.encode()
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(f"the mesh secret must have at least {MIN_SECRET_BYTES} bytes")
    return secret


class ServiceTokens:
    """Tokens that say they are `role`; ask for one before each call."""

    def __init__(self, secret: bytes, role: str):
        self._key = HKDF(SHA256(), 32, salt=b"atelier/v1", info=b"service-tokens").derive(secret)
        self._role = role
        self._made: dict[str, tuple[float, str]] = {}

    def token(self, audience: str) -> str:
        """A token for calling the role `audience`, as in `analytics`."""
        now = int(time.time())
        until, token = self._made.get(audience, (0, ""))
        if now >= until:
            claims = {
                "iss": "atelier-mesh",
                "aud": audience,
                "sub": self._role,
                "iat": now,
                "exp": now + LIFETIME_SECONDS,
            }
            token = jwt.encode(claims, self._key, algorithm="HS256", headers={"typ": "service+jwt"})
            self._made[audience] = (now + LIFETIME_SECONDS - MARGIN_SECONDS, token)
        return token
