#include "CHoldfast.h"
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>

int holdfast_die_with_parent(void) {
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? 0 : errno;
}

void holdfast_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

void holdfast_tune_allocator(void) {
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
    mallopt(M_ARENA_MAX, 4);
}

void holdfast_return_memory(void) {
    malloc_trim(1 << 20);
}
