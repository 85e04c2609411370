"""Certificates that the server has not made: devices' and authorities'."""

import collections
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


Files = collections.namedtuple("Files", "cert key ca certificate_id")


class Authority:
    """A factory's own CA, and the certificates that it signs."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = self._sign(name, self.key, None, ca=True)
        self.pem = self.cert.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(self, name, key, issuer, ca=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(
            issuer_name=issuer or subject,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(hours=1),
            not_valid_after=now + datetime.timedelta(hours=1),
        ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, name, folder, root, chain=True):
        """A device's files; the certificate file goes on with the CA's certificate, as AWS wants it for registration."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._sign(name, key, self.cert.subject)
        pem = cert.public_bytes(serialization.Encoding.PEM).decode()
        (folder / (name + ".pem")).write_text(pem + (self.pem if chain else ""))
        (folder / (name + ".key")).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        return pem, Files(str(folder / (name + ".pem")), str(folder / (name + ".key")), root, cert.fingerprint(hashes.SHA256()).hex())
