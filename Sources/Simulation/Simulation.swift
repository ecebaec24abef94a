// # Simulation
//
// A whole cluster in one thread: the very cores that production runs (`NodeCore`, `LoopCore`), in a world
// whose time, network, disks, clients and misfortunes are drawn from one seed. What a cluster does in an hour
// of bad luck is seen in a second, and seen again whenever somebody asks.
//
// **Promises.** The same seed takes the same way, event by event, on every machine: nothing here reads a clock,
// a hasher's order or a random number but its own, and the trace hash tells if that should ever break. A failure
// is of one of two kinds, and said so: something that must never happen has happened (correctness), or something
// that must happen has not, although all faults had been over for long enough (liveness). The judges share no code
// with the judged: they see records on their way to disks, answers on their way to clients, and what an
// inspection of a core shows.
//
// **How.** `World` holds machines, network and clients, and one queue of events keyed (time, order of scheduling).
//   `World+Turns`      inputs wait in an inbox; a turn steps some of them, flushes once, and all effects are carried
//                      out, exactly as the shell is told to; between steps and flush time may pass
//   `World+Messages`   links between processes, by machine and generation; what travels over them, and when
//   `World+Processes`  start, crash, exit, standstill; parents that bury and restart their children (O7)
//   `World+Faults`     what each kind of fault does, and what puts it right
//   `World+Phases`     a run from forming the cluster to the last question
//   `MachineClock`     two monotonic clocks per machine, each with its own way of being wrong (O5), and a wall clock
//   `MachineDisk`      the journal's twin from Storage: same bytes, same recovery, and crashes in between
//   `Swarm`            one run's circumstances, drawn from the seed; `FaultInjector` chooses what goes wrong next
//   `World+Members`    nodes that come and go for good; `World+Core` the part of a cluster that is healed first
//   `Runs`             a `Recipe` is a seed and what is left out of it; `Campaign` goes through many, `Minimizer` makes
//                      a failing one small
//   `VirtualClient`    clients that retry as real ones do; `Workload` what they ask for
//   `Talker`           clients with sockets, what they do and hear (`Sockets`)
//   `EventLedger`      what was committed, by the entries on their way to disks; `HearingCheck` holds what a socket
//                      hears against it (I4), `PresenceJudge` asks each join and leave for its cause (O15)
//   `SafetyMonitor`    I1, I5, I6 while it runs; `AnswerOrder` that answers of an object never go back
//   `CrashWalk`        a small script in which one machine dies at each step of its disk in turn
//   `Checking`         histories and the linearizability checker, also used by the chaos runs
//
// **Left out**, on purpose: WebSocket framing and HTTP, the real file system, threads, fork and signals. They have
// tests of their own, and chaos runs with real processes. A clock drifts beyond ρ only where reads go by quorum, and no
// majority of one log is ever lost for good: what the design assumes, the world grants.
