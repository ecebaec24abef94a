// # Simulation
//
// A whole cluster in one thread: the very cores that production runs, in a world whose time, network,
// disks and misfortunes are drawn from one seed.
