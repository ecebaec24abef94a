// What Swift's C importer cannot reach: hardware CRC, variadic system calls, macros of <sys/wait.h>.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `length` bytes, continuing from `seed`.
uint32_t holdfast_crc32c(uint32_t seed, const void *bytes, size_t length);

/// XXH64 of `length` bytes: a fast hash without a secret.
uint64_t holdfast_hash64(uint64_t seed, const void *bytes, size_t length);

/// Asks the kernel to send SIGKILL to this process when its parent dies. 0, or errno.
int holdfast_die_with_parent(void);

/// Takes the value of an environment variable off the pages that /proc/PID/environ shows; `getenv` and programs
/// that are started still see it. Before there are other threads.
void holdfast_hide_environment(const char *name);

/// No memory of this process gets into a core file, nor to other processes of the same user. 0, or errno.
int holdfast_forbid_dumps(void);

/// Raises the number of files and connections that this process may have open to what it is allowed to raise it to.
/// Returns what holds now.
uint64_t holdfast_raise_descriptors(void);

/// Names the calling thread, for tools that list threads. At most 15 bytes are kept.
void holdfast_name_thread(const char *name);

/// Lets the allocator keep what it has freed. Event loops allocate and free in bursts; by default the
/// top of the heap goes back to the kernel after each burst and is asked for again in the next, which
/// costs a system call and fresh pages every other batch.
void holdfast_tune_allocator(void);

/// Gives pages that hold nothing any more back to the kernel, also amid the heap.
void holdfast_return_memory(void);
