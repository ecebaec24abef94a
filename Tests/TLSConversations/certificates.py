"""Keys and certificates of servers and clients, made for one run by one authority."""

import subprocess
from pathlib import Path

KEYS = {
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "pss": ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["-algorithm", "ED25519"],
}


class Certificates:
    """For each kind of key an authority with that kind of key, and by it one certificate of a server and one of a
    client (`client-rsa`, …): what can be chosen by algorithm does not depend on who has signed."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        for kind in KEYS:
            self._make_authority(kind)
            self._issue(kind, kind, "serverAuth", "DNS:localhost,IP:127.0.0.1")
            self._issue(f"client-{kind}", kind, "clientAuth", "DNS:client")
        authorities = (Path(self.chain(f"authority-{kind}")).read_text() for kind in KEYS)
        Path(self.authorities).write_text("".join(authorities))

    @property
    def authorities(self):
        return str(self.directory / "authorities.pem")

    def key(self, name):
        return str(self.directory / f"{name}.key")

    def chain(self, name):
        return str(self.directory / f"{name}.pem")

    def _make_authority(self, kind):
        name = f"authority-{kind}"
        self._certificate(name, kind, "keyUsage=critical,keyCertSign,cRLSign")

    def _issue(self, name, kind, usage, names):
        signed_by = ("-CA", self.chain(f"authority-{kind}"), "-CAkey", self.key(f"authority-{kind}"))
        self._certificate(name, kind, "keyUsage=critical,digitalSignature", "basicConstraints=critical,CA:FALSE",
                          f"extendedKeyUsage={usage}", f"subjectAltName={names}", signed_by=signed_by)

    def _certificate(self, name, kind, *extensions, signed_by=()):
        self._openssl("genpkey", *KEYS[kind], "-out", self.key(name))
        self._openssl("req", "-x509", "-key", self.key(name), "-out", self.chain(name), "-subj", f"/CN={name}",
                      "-days", "2", "-sha384" if kind == "p384" else "-sha256", *signed_by,
                      *(word for extension in extensions for word in ("-addext", extension)))

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"openssl {' '.join(arguments)}: {done.stderr}")
