// Closed-loop load for etcd, the counterpart of `holdfast bench`: every connection has one call in flight.
//
// Speaks just enough HTTP/2 and gRPC for the unary calls KV/Put and KV/Range: headers as literals without
// indexing, the server told to keep no dynamic table, protobuf by hand. A call counts as good when its
// stream brought a message before it ended; a call that failed ends with trailers only.
//
// usage: etcd_load put|get CONNECTIONS SECONDS WARM_UP_SECONDS KEYS HOST:PORT[,HOST:PORT…] [PID,PID…]
// prints one line: ops/s p50 p90 p99 max (ms) server-µs/op client-µs/op errors

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_DATA = 0, FRAME_HEADERS = 1, FRAME_RST_STREAM = 3, FRAME_SETTINGS = 4, FRAME_PING = 6,
       FRAME_GOAWAY = 7, FRAME_WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { NOTHING_HAPPENED, CALL_ENDED };

typedef struct {
    int socket;
    uint32_t stream;
    int got_message;
    uint64_t sent_at;
    uint32_t unacknowledged;  // bytes of DATA that the connection's window does not know of yet
    size_t held;
    uint8_t input[65536];
} Connection;

static int is_put;
static int key_count;
static uint32_t next_key;
static const char *authority = "localhost";

// Latencies: 32 buckets for each power of two of nanoseconds, so within about 3 %.
static uint64_t buckets[64 * 32];
static uint64_t operations, errors, longest;

static void die(const char *what) {
    fprintf(stderr, "etcd_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int bucket_of(uint64_t ns) {
    if (ns < 32) return (int)ns;
    int power = 63 - __builtin_clzll(ns);
    return (power - 4) * 32 + (int)((ns >> (power - 5)) & 31);
}

static uint64_t bucket_end(int bucket) {
    if (bucket < 32) return (uint64_t)bucket;
    int power = bucket / 32 + 4;
    return ((uint64_t)(32 + bucket % 32 + 1) << (power - 5)) - 1;
}

static double percentile_ms(double part) {
    uint64_t wanted = (uint64_t)(part * (double)operations), seen = 0;
    for (int bucket = 0; bucket < 64 * 32; bucket++) {
        seen += buckets[bucket];
        if (seen > wanted) return (double)bucket_end(bucket) / 1e6;
    }
    return (double)longest / 1e6;
}

// ---- bytes out ----

static uint8_t *put_frame(uint8_t *out, uint32_t length, uint8_t type, uint8_t flags, uint32_t stream) {
    *out++ = (uint8_t)(length >> 16); *out++ = (uint8_t)(length >> 8); *out++ = (uint8_t)length;
    *out++ = type;
    *out++ = flags;
    for (int shift = 24; shift >= 0; shift -= 8) *out++ = (uint8_t)(stream >> shift);
    return out;
}

static uint8_t *put_text(uint8_t *out, const char *text) {
    size_t length = strlen(text);
    *out++ = (uint8_t)length;  // all our texts are shorter than 127 bytes
    memcpy(out, text, length);
    return out + length;
}

static uint8_t *put_headers(uint8_t *out) {
    *out++ = 0x83;  // :method POST
    *out++ = 0x86;  // :scheme http
    *out++ = 0x04; out = put_text(out, is_put ? "/etcdserverpb.KV/Put" : "/etcdserverpb.KV/Range");
    *out++ = 0x01; out = put_text(out, authority);
    *out++ = 0x0f; *out++ = 0x10; out = put_text(out, "application/grpc");  // content-type
    *out++ = 0x00; out = put_text(out, "te"); out = put_text(out, "trailers");
    return out;
}

static uint8_t *put_message(uint8_t *out) {
    char key[32];
    int key_length = snprintf(key, sizeof key, "bench-%u", next_key++ % (uint32_t)key_count);
    uint8_t *prefix = out;
    out += 5;
    *out++ = 0x0a; *out++ = (uint8_t)key_length;  // key
    memcpy(out, key, (size_t)key_length); out += key_length;
    if (is_put) {
        *out++ = 0x12; *out++ = 64;  // value
        memset(out, 'h', 64); out += 64;
    }
    uint32_t length = (uint32_t)(out - prefix - 5);
    prefix[0] = 0;  // not compressed
    for (int i = 0; i < 4; i++) prefix[1 + i] = (uint8_t)(length >> (24 - 8 * i));
    return out;
}

static void send_all(Connection *c, const uint8_t *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(c->socket, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (sent <= 0) die("send");
        bytes += sent;
        count -= (size_t)sent;
    }
}

static void send_call(Connection *c) {
    uint8_t headers[256], message[256], out[640], *end;
    size_t header_length = (size_t)(put_headers(headers) - headers);
    size_t message_length = (size_t)(put_message(message) - message);
    c->stream = c->stream ? c->stream + 2 : 1;
    c->got_message = 0;
    end = put_frame(out, (uint32_t)header_length, FRAME_HEADERS, END_HEADERS, c->stream);
    memcpy(end, headers, header_length); end += header_length;
    end = put_frame(end, (uint32_t)message_length, FRAME_DATA, END_STREAM, c->stream);
    memcpy(end, message, message_length); end += message_length;
    if (c->unacknowledged >= 16384) {
        end = put_frame(end, 4, FRAME_WINDOW_UPDATE, 0, 0);
        for (int shift = 24; shift >= 0; shift -= 8) *end++ = (uint8_t)(c->unacknowledged >> shift);
        c->unacknowledged = 0;
    }
    c->sent_at = now_ns();
    send_all(c, out, (size_t)(end - out));
}

static void open_connection(Connection *c, const char *host, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die(host);
    c->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (c->socket < 0 || connect(c->socket, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
    int on = 1;
    setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->socket, F_SETFL, O_NONBLOCK);
    uint8_t out[64], *end = out;
    memcpy(end, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24); end += 24;
    end = put_frame(end, 6, FRAME_SETTINGS, 0, 0);
    memcpy(end, "\0\1\0\0\0\0", 6); end += 6;  // header table of 0 bytes
    send_all(c, out, (size_t)(end - out));
}

// ---- bytes in ----

static int take_frame(Connection *c, uint8_t type, uint8_t flags, uint32_t stream, const uint8_t *body, uint32_t length) {
    uint8_t out[32];
    switch (type) {
    case FRAME_SETTINGS:
        if (!(flags & ACK)) { put_frame(out, 0, FRAME_SETTINGS, ACK, 0); send_all(c, out, 9); }
        return NOTHING_HAPPENED;
    case FRAME_PING:
        if (!(flags & ACK) && length == 8) {
            memcpy(put_frame(out, 8, FRAME_PING, ACK, 0), body, 8);
            send_all(c, out, 17);
        }
        return NOTHING_HAPPENED;
    case FRAME_DATA:
        c->unacknowledged += length;
        if (stream == c->stream && length > 5) c->got_message = 1;
        break;
    case FRAME_GOAWAY:
        fprintf(stderr, "etcd_load: the server sends us away\n");
        exit(1);
    case FRAME_RST_STREAM:
        if (stream != c->stream) return NOTHING_HAPPENED;
        c->got_message = 0;
        return CALL_ENDED;
    case FRAME_HEADERS:
        break;
    default:
        return NOTHING_HAPPENED;
    }
    return stream == c->stream && (flags & END_STREAM) ? CALL_ENDED : NOTHING_HAPPENED;
}

/// Reads what is there; the answer says whether the call in flight has ended.
static int receive(Connection *c) {
    ssize_t count = recv(c->socket, c->input + c->held, sizeof c->input - c->held, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return NOTHING_HAPPENED;
    if (count <= 0) die("connection lost");
    c->held += (size_t)count;
    size_t position = 0;
    int result = NOTHING_HAPPENED;
    while (c->held - position >= 9) {
        const uint8_t *frame = c->input + position;
        uint32_t length = (uint32_t)frame[0] << 16 | (uint32_t)frame[1] << 8 | frame[2];
        if (length > sizeof c->input - 9) { fprintf(stderr, "etcd_load: frame too long\n"); exit(1); }
        if (c->held - position < 9 + length) break;
        uint32_t stream = ((uint32_t)frame[5] & 0x7f) << 24 | (uint32_t)frame[6] << 16 | (uint32_t)frame[7] << 8 | frame[8];
        if (take_frame(c, frame[3], frame[4], stream, frame + 9, length) == CALL_ENDED) result = CALL_ENDED;
        position += 9 + length;
    }
    memmove(c->input, c->input + position, c->held - position);
    c->held -= position;
    return result;
}

// ---- CPU ----

static double server_seconds(const char *pids) {
    double sum = 0;
    while (pids && *pids) {
        char path[64], text[1024];
        unsigned long user, system;
        snprintf(path, sizeof path, "/proc/%d/stat", atoi(pids));
        FILE *file = fopen(path, "r");
        if (!file) die(path);
        text[fread(text, 1, sizeof text - 1, file)] = 0;
        fclose(file);
        const char *rest = strrchr(text, ')');
        if (!rest || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) die("stat");
        sum += (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
        pids = strchr(pids, ',');
        if (pids) pids++;
    }
    return sum;
}

static double own_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec
        + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// ---- the loop ----

static void run_until(int poll, uint64_t end, int is_measuring) {
    struct epoll_event events[256];
    while (now_ns() < end) {
        int count = epoll_wait(poll, events, 256, 100);
        for (int i = 0; i < count; i++) {
            Connection *c = events[i].data.ptr;
            if (receive(c) != CALL_ENDED) continue;
            if (is_measuring) {
                uint64_t ns = now_ns() - c->sent_at;
                if (c->got_message) { operations++; buckets[bucket_of(ns)]++; } else errors++;
                if (ns > longest) longest = ns;
            }
            send_call(c);
        }
    }
}

static void open_all(int poll, int count, char *endpoints) {
    char *hosts[16];
    int ports[16], host_count = 0;
    for (char *part = strtok(endpoints, ","); part && host_count < 16; part = strtok(NULL, ",")) {
        char *colon = strrchr(part, ':');
        if (!colon) { fprintf(stderr, "etcd_load: an endpoint is HOST:PORT\n"); exit(2); }
        *colon = 0;
        hosts[host_count] = part;
        ports[host_count++] = atoi(colon + 1);
    }
    for (int i = 0; i < count; i++) {
        Connection *c = calloc(1, sizeof *c);
        if (!c) die("memory");
        open_connection(c, hosts[i % host_count], ports[i % host_count]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, c->socket, &event) != 0) die("epoll");
        send_call(c);
    }
}

int main(int count, char **arguments) {
    if (count < 7) { fprintf(stderr, "usage: etcd_load put|get CONNECTIONS SECONDS WARM_UP KEYS HOST:PORT,… [PID,…]\n"); return 2; }
    is_put = strcmp(arguments[1], "put") == 0;
    double seconds = atof(arguments[3]), warm_up = atof(arguments[4]);
    key_count = atoi(arguments[5]) > 0 ? atoi(arguments[5]) : 1;
    const char *pids = count > 7 ? arguments[7] : "";
    int poll = epoll_create1(0);
    open_all(poll, atoi(arguments[2]), arguments[6]);
    run_until(poll, now_ns() + (uint64_t)(warm_up * 1e9), 0);
    double server = server_seconds(pids), own = own_seconds();
    uint64_t start = now_ns();
    run_until(poll, start + (uint64_t)(seconds * 1e9), 1);
    double elapsed = (double)(now_ns() - start) / 1e9, done = operations ? (double)operations : 1;
    printf("%.0f %.2f %.2f %.2f %.1f %.1f %.1f %lu\n", (double)operations / elapsed, percentile_ms(0.5), percentile_ms(0.9),
           percentile_ms(0.99), (double)longest / 1e6, (server_seconds(pids) - server) * 1e6 / done,
           (own_seconds() - own) * 1e6 / done, (unsigned long)errors);
    return 0;
}
