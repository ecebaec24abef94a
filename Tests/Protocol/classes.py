"""Classes of objects with signed ids and proven users, as the admin API takes them."""


def signature_class(cluster, *keys):
    """Objects of it open only with a signature over their id. `keys`: (version, algorithm, key)."""
    names = ("version", "algorithm", "key")
    changes = [{"addSignatureKey": dict(zip(names, key))} for key in keys]
    return cluster.new_class(*changes, {"requireIdSignature": True})


def identity_class(cluster, **proof):
    """Messages and joins prove their user: `mode` is `signature` with `key`, or `token` with `algorithm`
    and `key`."""
    return cluster.new_class({"userIdentity": proof})
