"""Runs one of tlsfuzzer's scripts: SEED [+gcm] SCRIPT ARGUMENT…

Both servers have to be asked the same: which conversations are sampled, and what is fuzzed in them, is drawn from a
seed. With `+gcm` a script that names suites of CBC, and lets no other be chosen, offers AES-GCM in their place: what
it is about has nothing to do with the cipher, and both servers would refuse what it offers before it comes to that.
"""

import random
import runpy
import sys

from tlslite.constants import CipherSuite

GCM_FOR = {
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
}


def offer_gcm():
    """From here on the names of suites of CBC stand for others."""
    for name, other in GCM_FOR.items():
        setattr(CipherSuite, name, getattr(CipherSuite, other))


seed = int(sys.argv[1])
random.seed(seed)
# tlsfuzzer draws some of what it sends, and of its conversations' names, from this.
random.SystemRandom = lambda: random.Random(seed)
sys.argv = sys.argv[2:]
if sys.argv[0] == "+gcm":
    offer_gcm()
    del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
