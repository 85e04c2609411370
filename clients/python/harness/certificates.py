"""Device certificates that the server has not made."""

import datetime
import hashlib
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .server import Thing


def self_made(folder, ca, begin, end):
    """A self-signed device certificate that is valid from begin to end (days from now), and its PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "self-made " + os.urandom(4).hex())])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now + datetime.timedelta(days=begin))
        .not_valid_after(now + datetime.timedelta(days=end))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    stem = os.path.join(str(folder), hashlib.sha256(pem).hexdigest()[:12])
    with open(stem + ".cert.pem", "wb") as f:
        f.write(pem)
    with open(stem + ".private.key", "wb") as f:
        unencrypted = serialization.NoEncryption()
        f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted))
    return Thing("self-made", stem + ".cert.pem", stem + ".private.key", ca), pem.decode()
