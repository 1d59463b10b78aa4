"""Web Push (handlers.ways.Pusher): messages that only the device can read (RFC 8291), to its push
service (RFC 8030), which knows us by our key (VAPID, RFC 8292).
"""

from __future__ import annotations

import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.outbound import Push
from game.errors import DependencyUnavailable
from handlers.ways import Poster
from state.contacts import Device

CURVE = ec.SECP256R1()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
RECORD_BYTES = 4_096  # RFC 8291, 4: a push service takes no more
TOKEN_SECONDS = 43_200  # RFC 8292, 2: at most a day
GONE = frozenset({400, 403, 404, 410})  # RFC 8030, 7.3: and what no other try would change


class WebPush:
    """Sends with one key, made of a secret."""

    def __init__(self, settings: Push, secret: str, poster: Poster) -> None:
        self._settings = settings
        self._poster = poster
        seed = _hkdf(secret.encode(), b"", b"showdown vapid", 48)
        self._key = ec.derive_private_key(int.from_bytes(seed) % (ORDER - 1) + 1, CURVE)
        self.public_key = _text(_point(self._key.public_key()))

    def good(self, device: Device) -> bool:
        """Whether a device's keys are keys."""
        try:
            encrypted(b"", device)
        except (Error, ValueError, UnsupportedAlgorithm):
            return False
        return True

    async def send(self, device: Device, body: bytes, topic: str) -> bool:
        """Send a message; False if the device is no more to be reached.

        Raises:
            DependencyUnavailable: its push service does not take it now.
        """
        reply = await self._poster.post(
            device.endpoint, encrypted(body, device), self._headers(device.endpoint, topic)
        )
        if reply.status is not None and 200 <= reply.status < 300:
            return True
        if reply.status in GONE:
            return False
        raise DependencyUnavailable(retry_after=5.0)

    def _headers(self, endpoint: str, topic: str) -> dict[str, str]:
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(time.time()) + TOKEN_SECONDS,
            "sub": self._settings.subject,
        }
        token = jwt.encode(claims, self._key, "ES256")
        return {
            "Authorization": f"vapid t={token}, k={self.public_key}",
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(self._settings.ttl_seconds),
            "Topic": topic,  # sent twice, it takes the first one's place
        }


def encrypted(body: bytes, device: Device) -> bytes:
    """A message for a device: `aes128gcm` (RFC 8188) with a key of this one message.

    Raises:
        ValueError: the device's keys are none.
    """
    theirs = _bytes(device.p256dh)
    their_key = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, theirs)
    own = ec.generate_private_key(CURVE)
    ours, salt = _point(own.public_key()), os.urandom(16)
    secret = _hkdf(
        own.exchange(ec.ECDH(), their_key),
        _bytes(device.auth),
        b"WebPush: info\0" + theirs + ours,
        32,
    )
    key = _hkdf(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _hkdf(secret, salt, b"Content-Encoding: nonce\0", 12)
    head = salt + RECORD_BYTES.to_bytes(4) + len(ours).to_bytes(1) + ours
    return head + AESGCM(key).encrypt(nonce, body + b"\2", None)


def _hkdf(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
