"""Runs one of tlsfuzzer's scripts: SEED [+WORD…] SCRIPT ARGUMENT…

Both servers have to be asked the same: which conversations are sampled, and what is fuzzed in them, is drawn from a
seed. Many scripts offer what both servers refuse before it comes to what the script is about, and let nothing else be
chosen. These words change that:

+gcm    AES-GCM is offered where the script names CBC
+sig    groups and signature algorithms are sent where the script leaves them out
+ecdhe  ECDHE with AES-GCM is offered, and expected, where the script knows only the key exchange by RSA; with +sig
"""

import random
import runpy
import sys

from tlsfuzzer import messages, tree
from tlsfuzzer.expect import ExpectCertificate, ExpectServerHelloDone, ExpectServerKeyExchange
from tlsfuzzer.helpers import SIG_ALL
from tlslite.constants import CipherSuite, ExtensionType, GroupName
from tlslite.extensions import (
    SignatureAlgorithmsCertExtension, SignatureAlgorithmsExtension, SupportedGroupsExtension)

GCM = {
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
}
ECDHE = {"TLS_RSA_WITH_AES_128_CBC_SHA": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}


def rename(suites):
    """From here on the names of suites stand for others."""
    for name, other in suites.items():
        setattr(CipherSuite, name, getattr(CipherSuite, other))


def expect_key_exchange():
    """With ECDHE a server's certificate is followed by its part of the key exchange."""
    add_child = tree.TreeNode.add_child

    def add(self, child):
        if isinstance(self, ExpectCertificate) and isinstance(child, ExpectServerHelloDone):
            self = add_child(self, ExpectServerKeyExchange())
        return add_child(self, child)

    tree.TreeNode.add_child = add


def send_extensions():
    """Without a list of signature algorithms a server may use SHA-1 only, and does not."""
    make = messages.ClientHelloGenerator.__init__

    def make_with(self, ciphers=None, extensions=None, *rest, **named):
        # In front: what is fuzzed is counted from the end.
        added = {
            ExtensionType.supported_groups: SupportedGroupsExtension().create(
                [GroupName.secp256r1, GroupName.x25519]),
            ExtensionType.signature_algorithms: SignatureAlgorithmsExtension().create(SIG_ALL),
            ExtensionType.signature_algorithms_cert: SignatureAlgorithmsCertExtension().create(SIG_ALL),
        }
        make(self, ciphers, added | (extensions or {}), *rest, **named)

    messages.ClientHelloGenerator.__init__ = make_with


def adapt(words):
    if "+gcm" in words:
        rename(GCM)
    if "+ecdhe" in words:
        rename(ECDHE)
        expect_key_exchange()
    if "+ecdhe" in words or "+sig" in words:
        send_extensions()


def main():
    seed, *words = sys.argv[1:]
    random.seed(int(seed))
    # tlsfuzzer draws some of what it sends, and of its conversations' names, from this.
    random.SystemRandom = lambda: random.Random(int(seed))
    adapt([word for word in words if word.startswith("+")])
    sys.argv = [word for word in words if not word.startswith("+")]
    runpy.run_path(sys.argv[0], run_name="__main__")


main()
