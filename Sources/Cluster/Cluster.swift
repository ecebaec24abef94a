// Cluster: what a node decides.
