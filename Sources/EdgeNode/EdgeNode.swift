// # EdgeNode
//
// What a node does with sockets, disks and clocks. The pure cores of `Cluster` decide; this module
// feeds them and carries out what they ask for. It knows nothing of Raft.
//
// Folders:
// - `HTTP/` is the client API over HTTP/1.1. One `HTTPEdge` per event loop owns that loop's
//   connections. A connection turns bytes into requests, hands them on one at a time and writes the
//   answers in order; `Route` says what a path means; `ObjectRequest` makes an operation of it. What
//   lies behind is a `RequestGateway`, which the shell implements, and a small state in tests.
// - `WebSocket/` is what a connection becomes by an upgrade: one handler and one small object for each
//   socket, one `SocketEdge` per loop. Frames go to the loop that keeps the feed of the socket's object,
//   and come from there; nothing here knows what they mean.
// - `Identity/` says who is calling: API keys (Basic) and access tokens (Bearer).
// - `Admin/` is the operator's API: status and shards; moving, draining, members and settings; projects, keys
//   and classes. It asks and looks on: what changes is decided by owners and by the placement group.
// - `Doctor/` looks at the files of a node, which may be running, and changes nothing.
// - `Process/` puts a node together, starts and stops it; `Peers/` links nodes.
//
// Promises of the HTTP side:
// - No input traps. What cannot be understood is refused with a status, a code and `applied: "no"`.
// - Answers leave in the order of the requests. A 5xx leaves only for what was not applied and never
//   will be, because clients repeat those blindly; an unknown outcome is a 409 that says so.
// - Every queue is bounded: connections per loop, requests waiting per connection, the bytes of a
//   head and of a body, the time for a request and between two, what waits for a slow socket. The
//   figures are in `HTTPSettings`.
// - Secrets and query strings are never written anywhere.
//
// What an answer costs is kept low: no future per request, head and body in one buffer, one flush
// for all answers of a read burst or of a loop turn, one dictionary look-up for credentials that were
// verified before.
//
// Left out so far: TLS, HTTP/2.
