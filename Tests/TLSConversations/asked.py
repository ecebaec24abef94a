"""Runs one of tlsfuzzer's scripts: SEED [+gcm|+ecdhe] SCRIPT ARGUMENT…

Both servers have to be asked the same: which conversations are sampled, and what is fuzzed in them, is drawn from a
seed. Many scripts name suites that both servers refuse before it comes to what the script is about, and let no other
be chosen. With `+gcm` such a script offers AES-GCM where it names CBC; with `+ecdhe` one that knows only the key
exchange by RSA offers ECDHE with AES-GCM in its place, with the extensions that this needs.
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
        extensions = {} if extensions is None else extensions
        groups = [GroupName.secp256r1, GroupName.x25519]
        extensions.setdefault(ExtensionType.supported_groups, SupportedGroupsExtension().create(groups))
        extensions.setdefault(
            ExtensionType.signature_algorithms, SignatureAlgorithmsExtension().create(SIG_ALL))
        extensions.setdefault(
            ExtensionType.signature_algorithms_cert, SignatureAlgorithmsCertExtension().create(SIG_ALL))
        make(self, ciphers, extensions, *rest, **named)

    messages.ClientHelloGenerator.__init__ = make_with


def main():
    seed, *words = sys.argv[1:]
    random.seed(int(seed))
    # tlsfuzzer draws some of what it sends, and of its conversations' names, from this.
    random.SystemRandom = lambda: random.Random(int(seed))
    if words[0] in ("+gcm", "+ecdhe"):
        rename(GCM if words[0] == "+gcm" else ECDHE)
        if words[0] == "+ecdhe":
            expect_key_exchange()
            send_extensions()
        del words[0]
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")


main()
