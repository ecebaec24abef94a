#include "CHoldfast.h"
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int holdfast_die_with_parent(void) {
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? 0 : errno;
}

void holdfast_hide_environment(const char *name) {
    char *value = getenv(name);
    if (value == NULL || *value == 0) return;
    char *copy = strdup(value);
    // Out of memory: the environment stays as it is.
    if (copy == NULL) return;
    // `setenv` makes an entry of its own; the former one is where the program was started with it.
    if (setenv(name, copy, 1) == 0 && getenv(name) != value) explicit_bzero(value, strlen(value));
    explicit_bzero(copy, strlen(copy));
    free(copy);
}

int holdfast_forbid_dumps(void) {
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) return errno;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno;
}

uint64_t holdfast_raise_descriptors(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024;
    rlim_t before = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : before;
}

void holdfast_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

void holdfast_tune_allocator(void) {
    // A value of a megabyte is copied some ten times on its way. Pieces that are mapped for each copy cost a page
    // fault for every 4 KiB, which was more than half of the work.
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
    mallopt(M_ARENA_MAX, 4);
}

void holdfast_return_memory(void) {
    malloc_trim(1 << 20);
}
