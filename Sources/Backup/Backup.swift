// # Backup
//
// Copies of a running cluster, and ways back from them (decision 14).
//
// A backup is a directory: one file for each shard (`SnapshotFormat`), the placement state, and a manifest that is
// written last. `BackupTaker` makes it, through the admin API of the nodes; `OpenedBackup` reads it and believes
// nothing that it has not checked; `Restorer` sends its objects to a cluster, as operations that its owners execute.
//
// What is decided here is small: which shards are missing in the cover of the key space (`BackupCover`), and how
// objects become calls (`RestoreBatches`). Both are pure.
