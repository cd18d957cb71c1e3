"""cryptography, bcrypt, pynacl."""

from __future__ import annotations

import datetime

from checks.registry import check, equal, in_threads, native, raises, true


@check("cryptography")
def use_cryptography() -> str:
    from cryptography import exceptions, fernet, x509
    from cryptography.hazmat.backends.openssl import backend
    from cryptography.hazmat.bindings import _rust
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    from cryptography.hazmat.primitives.serialization import pkcs12

    native(_rust)
    box = fernet.Fernet(fernet.Fernet.generate_key())
    equal(box.decrypt(box.encrypt(b"secret")), b"secret")
    with raises(fernet.InvalidToken):
        box.decrypt(b"wrong")
    key = rsa.generate_private_key(65537, 2048)
    signature = key.sign(b"text", padding.PKCS1v15(), hashes.SHA256())
    key.public_key().verify(signature, b"text", padding.PKCS1v15(), hashes.SHA256())
    with raises(exceptions.InvalidSignature):
        key.public_key().verify(signature, b"other", padding.PKCS1v15(), hashes.SHA256())
    for cipher in (AESGCM, ChaCha20Poly1305):
        one = cipher(bytes(32))
        sealed = one.encrypt(bytes(12), b"text", b"header")
        equal(one.decrypt(bytes(12), sealed, b"header"), b"text")
        with raises(exceptions.InvalidTag):
            one.decrypt(bytes(12), sealed, b"other")
    mine, yours = x25519.X25519PrivateKey.generate(), x25519.X25519PrivateKey.generate()
    equal(mine.exchange(yours.public_key()), yours.exchange(mine.public_key()))
    curve = ec.generate_private_key(ec.SECP256R1())
    pem = curve.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    equal(
        serialization.load_pem_private_key(pem, b"password").private_numbers(),  # type: ignore[union-attr]
        curve.private_numbers(),
    )
    with raises(ValueError, "password"):
        serialization.load_pem_private_key(pem, b"wrong")
    name = x509.Name.from_rfc4514_string("CN=own,O=Test")
    start = datetime.datetime(2025, 1, 1)
    certificate = (
        x509.CertificateBuilder(name, name, curve.public_key(), 7, start)
        .not_valid_after(start + datetime.timedelta(days=9000))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(curve, hashes.SHA256())
    )
    certificate.verify_directly_issued_by(certificate)
    again = x509.load_pem_x509_certificate(certificate.public_bytes(serialization.Encoding.PEM))
    equal(again.fingerprint(hashes.SHA256()), certificate.fingerprint(hashes.SHA256()))
    bundle = pkcs12.serialize_key_and_certificates(
        b"own", curve, certificate, None, serialization.BestAvailableEncryption(b"password")
    )
    equal(pkcs12.load_key_and_certificates(bundle, b"password")[1], certificate)
    equal(len(Scrypt(b"salt", 32, 2**10, 8, 1).derive(b"password")), 32)

    def sign(_: int) -> None:
        other = ed25519.Ed25519PrivateKey.generate()
        other.public_key().verify(other.sign(b"text"), b"text")

    in_threads(sign)
    return backend.openssl_version_text().rsplit(" ", 3)[0]


@check("bcrypt")
def use_bcrypt() -> None:
    import bcrypt
    from bcrypt import _bcrypt

    native(_bcrypt)
    hashed = bcrypt.hashpw(b"password", bcrypt.gensalt(rounds=5))
    equal((bcrypt.checkpw(b"password", hashed), bcrypt.checkpw(b"wrong", hashed)), (True, False))
    known = b"$2b$04$cVWp4XaNU8a4v1uMRum2SO026BWLIoQMD/TXg5uZV.0P.uO8m3YEm"
    equal(bcrypt.checkpw(b"\x7d\x3e\xb5\xfe\xf1\x8b\x53\xed\x74", known), False)
    with raises(ValueError, "Invalid salt"):
        bcrypt.hashpw(b"password", b"no salt")
    equal(len(bcrypt.kdf(b"password", b"salt", 32, rounds=50)), 32)
    equal(in_threads(lambda _: bcrypt.checkpw(b"password", hashed)), [True] * 4)


@check("pynacl")
def use_pynacl() -> None:
    import nacl.exceptions
    import nacl.public
    import nacl.pwhash
    import nacl.secret
    import nacl.signing
    from nacl import _sodium
    from nacl.bindings import crypto_hash_sha256

    native(_sodium)
    box = nacl.secret.SecretBox(bytes(32))
    sealed = box.encrypt(b"text")
    equal(box.decrypt(sealed), b"text")
    with raises(nacl.exceptions.CryptoError, "Decryption failed"):
        box.decrypt(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    mine, yours = nacl.public.PrivateKey.generate(), nacl.public.PrivateKey.generate()
    message = nacl.public.Box(mine, yours.public_key).encrypt(b"text")
    equal(nacl.public.Box(yours, mine.public_key).decrypt(message), b"text")
    key = nacl.signing.SigningKey(bytes(range(32)))
    signed = key.sign(b"text")
    equal(key.verify_key.verify(signed), b"text")
    with raises(nacl.exceptions.BadSignatureError):
        key.verify_key.verify(b"other", signed.signature)
    hashed = nacl.pwhash.argon2id.str(b"password", opslimit=1, memlimit=8192 * 1024)
    equal(nacl.pwhash.verify(hashed, b"password"), True)
    with raises(nacl.exceptions.InvalidkeyError):
        nacl.pwhash.verify(hashed, b"wrong")
    equal(crypto_hash_sha256(b"")[:4].hex(), "e3b0c442")
    true(len(set(in_threads(lambda _: bytes(nacl.public.PrivateKey.generate())))) == 4, "random")
