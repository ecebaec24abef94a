# Which tests run beside each other. Sourced, not run.
#
# Tests that talk over real sockets get processes of their own: beside them, tests that only compute would hold every
# thread of Swift's pool for seconds, and a client that waits for its turn times out. So would the edge's, hundreds that
# wait for their sockets on such a thread, for those of the client, which give the thread back.
edge_tests='^EdgeNodeTests\.(?!DamagedDiskTests)'
client_tests='^HoldfastClientTests\.'
