// A library that the chaos runs load into each node (LD_PRELOAD): it turns aside the node's connections to other
// nodes, and shows it a disk and a wall clock that the runner has in its hand. It needs no root and no change of the
// program, and whatever the runner does not ask for passes through.
//
// CHAOS_PORTS    "7501=7703,…": a connection to loopback port 7501 goes to port 7703, where the runner's proxy listens
// CHAOS_CONTROL  a file of `struct control`, mapped; the runner writes it while the node runs
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t wall_offset_ms;
    uint64_t sync_delay_us;
    uint64_t is_full;
};

static const struct control calm;
static const volatile struct control *control = &calm;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void map_control(void) {
    const char *path = getenv("CHAOS_CONTROL");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void *page = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) control = page;
    close(file);
}

// ---- connections ----

static in_port_t turned_aside(in_port_t port) {
    const char *rest = getenv("CHAOS_PORTS");
    while (rest != NULL && *rest != 0) {
        char *end;
        unsigned long from = strtoul(rest, &end, 10);
        unsigned long to = *end == '=' ? strtoul(end + 1, &end, 10) : 0;
        if (from == port && to != 0) return (in_port_t)to;
        rest = *end == ',' ? end + 1 : NULL;
    }
    return port;
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    if (address->sa_family != AF_INET || length < sizeof(struct sockaddr_in))
        return REAL(connect)(socket, address, length);
    struct sockaddr_in other;
    memcpy(&other, address, sizeof other);
    other.sin_port = htons(turned_aside(ntohs(other.sin_port)));
    return REAL(connect)(socket, (const struct sockaddr *)&other, sizeof other);
}

// ---- the disk ----

static void be_slow(void) {
    uint64_t delay = control->sync_delay_us;
    if (delay == 0) return;
    struct timespec pause = {(time_t)(delay / 1000000), (long)(delay % 1000000) * 1000};
    nanosleep(&pause, NULL);
}

int fdatasync(int file) {
    be_slow();
    return REAL(fdatasync)(file);
}

int fsync(int file) {
    be_slow();
    return REAL(fsync)(file);
}

// A full file system still takes what lands in blocks that a file has already.
static int has_no_room(int file, off_t end) {
    struct stat status;
    if (!control->is_full || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
    return end > status.st_blocks * 512;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    if (has_no_room(file, offset + (off_t)count)) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(pwrite)(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset) { return pwrite(file, bytes, count, offset); }

int statvfs(const char *path, struct statvfs *status) {
    int result = REAL(statvfs)(path, status);
    if (result == 0 && control->is_full) status->f_bavail = status->f_bfree = 0;
    return result;
}

// ---- the wall clock ----

int clock_gettime(clockid_t clock, struct timespec *time) {
    static __typeof__(&clock_gettime) actual;
    if (actual == NULL) actual = REAL(clock_gettime);
    int result = actual(clock, time);
    int64_t offset = control->wall_offset_ms;
    if (result != 0 || clock != CLOCK_REALTIME || offset == 0) return result;
    int64_t ns = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + offset * 1000000;
    time->tv_sec = (time_t)(ns / 1000000000);
    time->tv_nsec = (long)(ns % 1000000000);
    return 0;
}

int gettimeofday(struct timeval *time, void *zone) {
    (void)zone;
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    if (result == 0) *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return result;
}
