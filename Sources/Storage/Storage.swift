// # Storage
//
// Bytes on disk: the ring between the pure core, which decides, and the shell, which touches the world.
// What is here blocks, on threads of its own; nobody else in a node waits for a disk.
//
// ## The promise
//
// When `Journal.append` calls back with success, the records are on disk: one write, one fdatasync, which
// returned. After any crash every such record comes back, in order. Records that were not acknowledged come
// back too or do not, but those of one append always together. Whatever else is on disk than what was
// written there is named, with the file, the offset and what to do, and the node does not start (O12).
//
// ## The journal
//
// A node has one journal; all its logs share it, so a busy node pays one fdatasync for all of them. Appends
// queue up while the thread is in its fdatasync; it then takes all that waits as the next batch. Nobody
// tunes a delay: the slower the disk, the larger the batches. A thread that is busy needs no wake-up.
//
//     segment = header (4096 bytes), batches, zeros          numbered from 1
//     batch   = head, records                                numbered from 1, through all segments
//
// A segment is a file whose blocks have all been written before it gets its name. That halves the cost
// of an fdatasync (the file system has nothing of its own to record), lets the size say whether a file
// was cut, and makes the disk run full while a spare is prepared and not in the middle of a batch. The
// first segment is small and the sizes grow, so that a new node starts at once.
//
// ### Where the journal ends
//
// Batches are written one after the other, each after the fdatasync of the one before. So only the last
// one can be torn, and anything that stands behind a bad batch proves that the bad one was durable
// once. `JournalRecovery` has the rules. A torn batch is dropped whole.
//
// The place of a torn batch, and its number, are used again. Three numbers in the seed of every
// checksum keep old bytes from passing for new ones: the segment's sequence number and salt (what a
// recycled file held before; bytes that a client chose to look like a batch), the batch's number (a
// batch somewhere else), and the session, drawn at each opening (the torn batch of an earlier session
// at the very same place). Therefore nothing needs to be wiped before writing goes on.
//
// A full segment ends with a seal, which says that the next one exists; the next one is made before the
// seal is written. So a segment that is missing, in the middle or at the end, is noticed. An orderly
// close leaves a mark, after which damage to the last batch is noticed too. Without it a damaged last
// batch looks like a torn one: no journal can tell the two apart by itself. What protects that one
// batch is that it counts only when a majority has it.
//
// What recovery has read is written and synced once more before anybody acts on it: after a killed
// process or a failed fdatasync it may be in the page cache alone, and the kernel may hold it for
// clean.
//
// An error of a write or a sync is final. Every later append fails with the same error, and the process
// stops. The exception is a full disk, below.
//
// ### What is dropped
//
// The journal knows what its records are for (`JournalKind`). An entry is needed until its group says that it
// is covered, void or replaced; of all other records the newest of each group and kind is. So the first
// batch of a segment begins with its anchor: a floor record, which names the lowest segment that is needed,
// and all these newest records again. Reading can begin at any segment with an anchor, in the right order, and
// only entries hold a segment. `JournalLedger` counts them, of durable batches only. When the anchor is
// durable, the segments below its floor go, the oldest first; one of the right size becomes the spare.
//
// `JournalSpan` decides at the start what belongs to the journal: the segments without a gap up to the last
// one, of which the newest anchor says where they must begin. A gap above that is damage, as a lost segment at
// the end is by its predecessor's seal. What is below is left over from a dropping that was cut short; it is not
// read, and goes.
//
// Who appends sees more than once what it wrote once, and may see the later part of a log only. It has to check
// that what is missing is covered in the end (`RecoveredLogs.finish`). Holding back is reported: `pressure`
// names the groups that have to cover something for the journal to become smaller.
//
// ### When the disk is full
//
// With an archive, a thread of its own copies sealed segments before they are dropped (`SegmentArchiver`): the
// floor stays below what is not copied yet, up to a bound, beyond which the journal goes on and the archive gets
// a gap on record. `ArchivedJournal` reads it back, checked as recovery checks a journal.
//
// Room for the next segment is taken while the present one is written. If there is none, the journal says `low`
// at once and goes on; if it comes to the end of the segment like that, it is `stalled`: the batch and all
// behind it wait, and are tried again until there is room. No append fails, none is lost and none overtakes
// another, so those who wait need not know. Nothing of a waiting batch counts, as its sync has not been tried;
// a sync that fails is final on a full disk, too.
//
// ## The object store
//
// `ObjectStore` keeps the objects of all shards of a node in one LMDB environment, keyed so that a shard is a
// range of keys (`RecordKey`). LMDB was chosen because a reader never waits for the writer, a commit is atomic
// without a log of its own, and a view of one state costs nothing to hold.
//
// A shard's *head* says up to which log index its objects are; both change in one transaction, so the journal may
// drop what the head covers. Transactions that wait share a commit. Whatever fails has changed nothing: on a full
// disk the caller tries again later; after any other failed write nothing is tried any more (O12).
//
//     writer thread     queue → transactions → one commit → callbacks in order
//     event loops       `StoreReader`: one read transaction per call, of the newest commit
//     other threads     `StoreView`: one state, held; slices of it read at a time
//
// The *digest* of a shard is a sum of hashes, so it is kept in step by what changes, and a split or merge works it
// out without copying an object. Equal objects at an equal index have equal digests on every replica.
//
// ### What takes longer than a commit
//
// Erasing a shard, and installing a snapshot over it, go on in slices (`StoreJob`), each a commit. The first one
// removes the head and writes a *marker*; while that stands nobody is served from the range, and nothing else can
// be made there. Whoever opens the store finishes what its markers say. A snapshot's file is whole and durable
// before its marker is written, so there is always the old state or everything that makes the new one.
//
// ### Damage
//
// LMDB trusts its file: a flipped bit in a page could make it read anywhere. `StoreInspector` therefore reads the
// file itself before every opening and names what is damaged: single shards where only their values are hit,
// otherwise the whole store. Every value has a checksum over key and value, which each read compares.
//
// ### Snapshots
//
// A snapshot is a file (`SnapshotFormat`): the head, LZ4 frames of records with a checksum each, a hash of the
// whole. It is made from a view while writes go on, sent by offset, taken in by `SnapshotIntake`, and installed only
// as a `VerifiedSnapshot`. A backup consists of the same files.
//
// ## Encryption at rest
//
// With data keys (`DataKeys`) all that clients wrote is sealed under the newest one: the batches of a journal, the
// values of a store, the files of snapshots and backups in pieces (`SealedFile`), each bound to its place. The others
// open what is older. `Journal.retireFormerSegments` and `ResealPass` replace what stands under an older key, or
// in the clear, while the node serves; both say in the metrics when nothing is left of it.
//
// ## The twins
//
// `MemoryStore` is the object store on an ordered map in memory: `StoreLogic`, `StoreJob`, the formats of records
// and snapshots and the inspection of records are the same code; LMDB, threads and files are not in it.
//
// `MemoryJournal` is the same journal on a disk in memory that loses, tears and flips what was not synced.
// The bytes, the places (`JournalWriter`) and the rules of recovery are the same code; only carrying them
// out differs. It is what the simulator gives its nodes.
//
// ## The directory
//
// `DataDirectory` keeps a second process out and says whose disk this is. A node that was part of a
// cluster and has lost its journal never starts as if it were new: it would vote against what it once
// acknowledged (O9).
//
// ## What is left out
//
// - Repair. A damaged journal stops the node, which comes back as a new replica. The checksum of a
//   record covers its group, so knowing which groups are hit is possible where the heads are whole, and
//   is not needed yet.
// - Repair of a store: what is damaged is fetched anew from the other replicas.
// - Giving back disk space: pages that are free stay in the store's file and are used again.
