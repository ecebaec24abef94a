/// # Binary
///
/// Bytes in, values out. Every format of the cluster (peer messages, log entries, journal records,
/// placement commands) is written with `ByteWriter` and read with `ByteReader`: little-endian fixed
/// integers, LEB128 variable integers, length-prefixed byte strings.
///
/// Promise: reading never traps, whatever the bytes are. Each read checks its bounds and throws
/// `DecodingFailure`. What is left out: reflection, schemas, alignment. Formats are a few lines each
/// and carry a version byte of their own where they are stored or sent.
public enum Binary {}
