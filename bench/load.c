/* A load client for Socket.IO servers: one thread, epoll, raw frames of Engine.IO 4 and Socket.IO 5.

   It speaks the wire contract of docs/protocol.md; the servers in bench/rivals speak the same part of it. It prints one
   JSON object: what it counted, latencies in milliseconds, and its own share of its core. It exits with 1, and says why
   on stderr, when a command is refused, a connection ends, or a message does not reach everyone once: such a run counts
   for nothing. What is refused for the moment is repeated after a pause, as clients do it: messages with their keys, a
   connection that was closed with 1013, `sync`. It is counted as `refused`.

   cc -O2 -o load load.c; usage: load MODE NAME=VALUE ...  (bench/compare.py starts it)

   modes: room     `members` in one room, of whom `senders` send
          pairs    `pairs` of users, of whom the first sends; `readers` of the second read pages of history meanwhile
          seed     `users` with `rooms` private rooms each, `messages` in each room
          connect  `users` connect, up to `connecting` at a time, after `warm` others that stay
          storm    `users` connect all at once; then each sends `sync` with the cursors of its rooms
   Without `rate`, each sender keeps `window` messages in flight; with it, all senders together send `rate` a second, in
   turn, whether the server answers or not. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ULL
#define BODY 200
#define STAMP 17       /* 'T' and the time of sending in 16 hexadecimal digits begin a body */
#define IN_FLIGHT 4096 /* send times that a connection remembers; a power of two */
#define READ_SIZE (256 * 1024)
#define STUCK (30 * SECOND)
#define TRY_AGAIN_LATER 1013

struct option {
    const char *name;
    double value;
};

static struct option options[] = {
    {"port", 0},        /* of the server, on 127.0.0.1 */
    {"server", 0},      /* the server's process id, whose processor time and memory are read */
    {"store", 0},       /* the same of its database */
    {"seconds", 5},     /* that are measured */
    {"warmup", 1},      /* seconds before */
    {"members", 500},   /* of the room */
    {"senders", 5},     /* in the room */
    {"pairs", 250},     /* of users */
    {"window", 1},      /* messages that a sender keeps in flight */
    {"rate", 0},        /* messages a second of all senders together, instead of a window */
    {"readers", 0},     /* of pages */
    {"preload", 0},     /* messages of each pair before the measurement */
    {"users", 1000},    /* that connect, or are seeded */
    {"rooms", 50},      /* of each seeded user */
    {"messages", 1},    /* in each seeded room */
    {"warm", 200},      /* users that are connected before the others */
    {"connecting", 32}, /* users that connect, or are seeded, at a time */
    {"idle", 2},        /* seconds before the memory of connected users is read */
    {"missed", 0},      /* entries of each room that `sync` asks for */
};
static const char *tokens_path;

static double option(const char *name) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!strcmp(options[i].name, name)) return options[i].value;
    abort();
}

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *must(void *memory) {
    if (!memory) fail("out of memory");
    return memory;
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* Latencies: 32 buckets for each power of two, so a percentile is exact to 1.6 %. */
struct histogram {
    uint64_t counts[60 * 32], total;
};

static void record(struct histogram *histogram, uint64_t value) {
    int shift = value < 64 ? 0 : 63 - __builtin_clzll(value) - 5;
    histogram->counts[shift * 32 + (value >> shift)]++;
    histogram->total++;
}

static double percentile(const struct histogram *histogram, double part) {
    uint64_t rank = (uint64_t)(part * (double)histogram->total), seen = 0;
    for (size_t i = 0; i < 60 * 32; i++) {
        seen += histogram->counts[i];
        if (seen > rank) {
            int shift = i < 64 ? 0 : (int)i / 32 - 1;
            return ((double)((i - (size_t)shift * 32) << shift) + (shift ? (double)(1ULL << shift) / 2 : 0)) / 1e6;
        }
    }
    return 0;
}

enum state { CLOSED, UPGRADING, OPENING, CONNECTING, READY };
enum role { MEMBER, SENDER, READER };

struct buffer {
    char *bytes;
    size_t length, capacity;
};

struct connection {
    int fd, user;
    enum state state;
    enum role role;
    bool writable_awaited;
    struct buffer in, out;
    char room[160];
    uint32_t next_id;
    int step;      /* without a room it writes to the user who stands so many places behind its own */
    uint64_t left; /* messages that it sends one after the other, each when one before it is answered */
    uint64_t began;
    bool checked;                                 /* whether its first page had as many entries as it should */
    uint64_t sent_at[IN_FLIGHT], keys[IN_FLIGHT]; /* of commands that are not answered, by their number */
};

struct user {
    char *name, *token;
};

/* What is repeated at a time: a message, or without `message` the connection. */
struct repetition {
    struct connection *connection;
    uint64_t due, key, time;
    bool message;
};

static struct user *users;
static int users_count;
static struct connection *connections;
static int connections_count;

static struct repetition *repetitions;
static size_t repetitions_count, repetitions_capacity;

static const char *mode;
static int poll_fd, timer_fd;
static uint16_t port;
static char padding[BODY + 1];
static uint64_t run_number; /* makes keys unique among runs against one database */
static uint64_t keys;

static bool sending, measuring, storming, seeding, in_room;
static uint64_t sent, acknowledged, delivered, pages, received_bytes, refused;
static int under_way, ready_count, answers_missing;
static struct histogram to_answer, to_delivery, to_page, to_ready;
static uint64_t max_lag;

static void repeat_later(struct connection *connection, bool message, uint64_t key, uint64_t time) {
    if (repetitions_count == repetitions_capacity) {
        repetitions_capacity = 2 * repetitions_capacity + 64;
        repetitions = must(realloc(repetitions, repetitions_capacity * sizeof *repetitions));
    }
    uint64_t pause = SECOND / 2 + (uint64_t)rand() % SECOND; /* as long as that of Socket.IO's own clients */
    repetitions[repetitions_count++] = (struct repetition){connection, now() + pause, key, time, message};
    refused++;
}

static void append(struct buffer *buffer, const void *bytes, size_t length) {
    if (buffer->length + length > buffer->capacity) {
        buffer->capacity = 2 * (buffer->length + length);
        buffer->bytes = must(realloc(buffer->bytes, buffer->capacity));
    }
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

static void watch(struct connection *connection, bool writable) {
    if (connection->writable_awaited == writable) return;
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = connection};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, connection->fd, &event);
    connection->writable_awaited = writable;
}

static const char *name_of(struct connection *connection) { return users[connection->user].name; }

static void flush(struct connection *connection) {
    size_t written = 0;
    while (written < connection->out.length) {
        ssize_t count =
            send(connection->fd, connection->out.bytes + written, connection->out.length - written, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) break;
        if (count < 0) fail("%s: send: %s", name_of(connection), strerror(errno));
        written += (size_t)count;
    }
    memmove(connection->out.bytes, connection->out.bytes + written, connection->out.length - written);
    connection->out.length -= written;
    watch(connection, connection->out.length > 0);
}

/* A masked frame. The mask is never 0: some servers skip the unmasking then, which real clients do not spare them. */
static void send_frame(struct connection *connection, int opcode, const char *text, size_t length) {
    static uint32_t seed = 0x9E3779B9;
    seed = seed * 1664525 + 1013904223;
    uint32_t mask = seed | 0x01010101;
    unsigned char header[14] = {(unsigned char)(0x80 | opcode)};
    size_t size = 2;
    if (length < 126) {
        header[1] = (unsigned char)(0x80 | length);
    } else if (length < 65536) {
        header[1] = 0x80 | 126;
        header[2] = (unsigned char)(length >> 8);
        header[3] = (unsigned char)length;
        size = 4;
    } else {
        fail("a frame of %zu bytes is more than servers take", length);
    }
    memcpy(header + size, &mask, 4);
    append(&connection->out, header, size + 4);
    size_t start = connection->out.length;
    append(&connection->out, text, length);
    unsigned char *bytes = (unsigned char *)connection->out.bytes + start, key[4];
    memcpy(key, &mask, 4);
    for (size_t i = 0; i < length; i++) bytes[i] ^= key[i & 3];
    flush(connection);
}

static void send_text(struct connection *connection, const char *format, ...) {
    static char text[65536];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof text) fail("a command is too long");
    send_frame(connection, 1, text, (size_t)length);
}

/* The number of the next command, whose time of sending is kept until it is answered. */
static uint32_t number_command(struct connection *connection) {
    uint32_t id = connection->next_id++;
    connection->sent_at[id % IN_FLIGHT] = now();
    return id;
}

/* Send a message, or repeat it: with the key and the time of its first sending. */
static void post_message(struct connection *connection, uint64_t key, uint64_t time) {
    uint32_t id = connection->next_id++;
    connection->sent_at[id % IN_FLIGHT] = time;
    connection->keys[id % IN_FLIGHT] = key;
    const char *field = "room", *where = connection->room;
    if (!*where) {
        field = "to";
        where = users[(connection->user + connection->step) % users_count].name;
    }
    send_text(connection,
              "42%" PRIu32 "[\"message.send\",{\"%s\":\"%s\",\"body\":\"T%016" PRIx64 "%s\",\"key\":\"%" PRIx64
              "-%" PRIx64 "\"}]",
              id, field, where, time, padding, run_number, key);
}

static void send_message(struct connection *connection) {
    sent++;
    post_message(connection, keys++, now());
}

static void send_page(struct connection *connection) {
    uint32_t id = number_command(connection);
    send_text(connection, "42%" PRIu32 "[\"history\",{\"room\":\"%s\",\"before\":50}]", id, connection->room);
}

static int occurrences(const char *text, size_t length, const char *part) {
    int count = 0;
    const char *end = text + length;
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), part, strlen(part))); at++) count++;
    return count;
}

/* Copy the string after `"name":"` into `value`. */
static void string_field(const char *text, size_t length, const char *name, char *value, size_t size) {
    const char *at = memmem(text, length, name, strlen(name)), *end = text + length;
    if (!at) fail("no %s in %.*s", name, (int)(length < 300 ? length : 300), text);
    at += strlen(name);
    size_t i = 0;
    while (at < end && *at != '"' && i + 1 < size) value[i++] = *at++;
    value[i] = 0;
}

/* `sync` with the rooms of `ready`, each `missed` entries below its head. */
static void send_sync(struct connection *connection, const char *ready, size_t length) {
    static char command[65536];
    char epoch[160];
    uint64_t missed = (uint64_t)option("missed");
    int used = snprintf(command, sizeof command, "42%" PRIu32 "[\"sync\",{\"cursors\":{", number_command(connection));
    const char *end = ready + length, *room = NULL, *at = ready;
    bool first = true;
    string_field(ready, length, "\"epoch\":\"", epoch, sizeof epoch);
    while ((at = memchr(at, '"', (size_t)(end - at)))) {
        if (end - at > 8 && !memcmp(at, "\"room\":\"", 8)) room = at + 8;
        if (room && end - at > 7 && !memcmp(at, "\"head\":", 7)) {
            uint64_t head = strtoull(at + 7, NULL, 10), seq = head > missed ? head - missed : 0;
            int name = (int)((const char *)memchr(room, '"', (size_t)(end - room)) - room);
            used += snprintf(command + used, sizeof command - (size_t)used, "%s\"%.*s\":{\"seq\":%" PRIu64,
                             first ? "" : ",", name, room, seq);
            used += snprintf(command + used, sizeof command - (size_t)used, seq ? ",\"epoch\":\"%s\"}" : "}", epoch);
            if ((size_t)used + sizeof "}}]" > sizeof command)
                fail("the rooms of %s do not fit into one sync", name_of(connection));
            first = false;
            room = NULL;
        }
        at++;
    }
    if (first) fail("%s has no rooms: seed them first", name_of(connection));
    strcpy(command + used, "}}]");
    send_frame(connection, 1, command, (size_t)used + 3);
}

static void on_ready(struct connection *connection, const char *text, size_t length) {
    connection->state = READY;
    ready_count++;
    if (!storming) under_way--;
    record(&to_ready, now() - connection->began);
    if (storming) send_sync(connection, text, length);
}

/* End a connection that was refused for the moment, and connect again later. */
static void disconnect(struct connection *connection) {
    close(connection->fd);
    if (connection->state == READY)
        ready_count--;
    else if (!storming)
        under_way--;
    connection->state = CLOSED;
    connection->in.length = connection->out.length = 0;
    repeat_later(connection, false, 0, 0);
}

static void on_answer(struct connection *connection, const char *text, size_t length) {
    char *rest;
    uint32_t id = (uint32_t)strtoul(text, &rest, 10);
    size_t head = length < 400 ? length : 400;
    if (!memmem(text, head, "\"ok\":true", 9)) {
        if (connection->role == SENDER && memmem(text, head, "\"temporary\":true", 16)) {
            repeat_later(connection, true, connection->keys[id % IN_FLIGHT], connection->sent_at[id % IN_FLIGHT]);
            return;
        }
        if (storming && memmem(text, head, "\"temporary\":true", 16)) {
            disconnect(connection);
            return;
        }
        fail("%s was refused: %.*s", name_of(connection), (int)head, text);
    }
    uint64_t took = now() - connection->sent_at[id % IN_FLIGHT];
    if (storming) {
        record(&to_answer, now() - connection->began);
        answers_missing--;
    } else if (connection->role == READER) {
        if (measuring) record(&to_page, took);
        pages++;
        if (!connection->checked && occurrences(text, length, "\"seq\":") < 50)
            fail("a page has fewer than 50 entries");
        connection->checked = true;
        if (sending) send_page(connection);
    } else if (connection->role == SENDER) {
        if (measuring) record(&to_answer, took);
        acknowledged++;
        if (seeding)
            connection->step = connection->step % (int)(option("rooms") / 2) + 1;
        else if (!*connection->room)
            string_field(text, length, "\"room\":\"", connection->room, sizeof connection->room);
        if (sending && connection->left) {
            connection->left--;
            send_message(connection);
        }
    } else {
        if (!*connection->room && memmem(text, length, "\"room\":\"", 8))
            string_field(text, length, "\"room\":\"", connection->room, sizeof connection->room);
        answers_missing--;
    }
}

static void on_push(struct connection *connection, const char *text, size_t length) {
    if (length > 7 && !memcmp(text, "[\"entry", 7)) {
        const char *body = memmem(text, length, "\"body\":\"T", 9);
        if (!body) return; /* a join */
        delivered++;
        if (measuring && (in_room || connection->role != SENDER)) {
            char digits[STAMP] = {0};
            memcpy(digits, body + 9, 16);
            record(&to_delivery, now() - strtoull(digits, NULL, 16));
        }
    } else if (length > 7 && !memcmp(text, "[\"ready", 7)) {
        on_ready(connection, text, length);
    } else if (length > 5 && !memcmp(text, "[\"bye", 5)) {
        fail("%s: %.*s", name_of(connection), (int)length, text);
    }
}

static void on_text(struct connection *connection, const char *text, size_t length) {
    if (length == 0) return;
    if (text[0] == '2') {
        send_text(connection, "3");
    } else if (text[0] == '0') {
        connection->state = CONNECTING;
        send_text(connection, "40{\"token\":\"%s\"}", users[connection->user].token);
    } else if (text[0] == '4' && length > 1) {
        if (text[1] == '2')
            on_push(connection, text + 2, length - 2);
        else if (text[1] == '3')
            on_answer(connection, text + 2, length - 2);
        else if (text[1] != '0')
            fail("%s: %.*s", name_of(connection), (int)(length < 300 ? length : 300), text);
    }
}

static void on_close(struct connection *connection, int code) {
    if (code != TRY_AGAIN_LATER || (connection->state == READY && !storming))
        fail("%s: the server closed the websocket with %d", name_of(connection), code);
    disconnect(connection);
}

/* Take whole frames from the bytes. Returns how many bytes they had. */
static size_t take_frames(struct connection *connection, const char *bytes, size_t length) {
    size_t taken = 0;
    if (connection->state == UPGRADING) {
        const char *end = memmem(bytes, length, "\r\n\r\n", 4);
        if (!end) return 0;
        if (length < 12 || memcmp(bytes + 9, "101", 3))
            fail("no upgrade: %.*s", (int)(length < 300 ? length : 300), bytes);
        connection->state = OPENING;
        if (storming) under_way--;
        taken = (size_t)(end - bytes) + 4;
    }
    while (length - taken >= 2) {
        const unsigned char *at = (const unsigned char *)bytes + taken;
        size_t header = 2, size = at[1] & 127, available = length - taken;
        if (size == 126) {
            if (available < 4) break;
            size = (size_t)at[2] << 8 | at[3];
            header = 4;
        } else if (size == 127) {
            if (available < 10) break;
            size = 0;
            for (int i = 2; i < 10; i++) size = size << 8 | at[i];
            header = 10;
        }
        if (available < header + size) break;
        const char *payload = bytes + taken + header;
        if (at[0] == 0x81)
            on_text(connection, payload, size);
        else if (at[0] == 0x89)
            send_frame(connection, 10, payload, size);
        else if (at[0] == 0x88)
            on_close(connection, size < 2 ? 0 : (unsigned char)payload[0] << 8 | (unsigned char)payload[1]);
        else if (at[0] != 0x8A)
            fail("%s: a frame 0x%02x was not expected", name_of(connection), at[0]);
        if (connection->state == CLOSED) return length;
        taken += header + size;
    }
    return taken;
}

static void on_readable(struct connection *connection) {
    static char bytes[READ_SIZE];
    ssize_t count = recv(connection->fd, bytes, sizeof bytes, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) fail("%s: recv: %s", name_of(connection), strerror(errno));
    if (count == 0) fail("%s: the server closed the connection", name_of(connection));
    received_bytes += (uint64_t)count;
    if (connection->in.length == 0) { /* the usual case: whole frames, which need no copy */
        size_t taken = take_frames(connection, bytes, (size_t)count);
        append(&connection->in, bytes + taken, (size_t)count - taken);
        return;
    }
    append(&connection->in, bytes, (size_t)count);
    size_t taken = take_frames(connection, connection->in.bytes, connection->in.length);
    if (connection->state == CLOSED) return;
    memmove(connection->in.bytes, connection->in.bytes + taken, connection->in.length - taken);
    connection->in.length -= taken;
}

static void connect_user(struct connection *connection) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[256];
    int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connection->fd < 0) fail("socket: %s", strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct linger reset = {.l_onoff = 1}; /* thousands of connections a run must not wait in TIME_WAIT */
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    int length = snprintf(
        request, sizeof request,
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        port);
    append(&connection->out, request, (size_t)length);
    connection->state = UPGRADING;
    if (!connection->began) connection->began = now(); /* what was refused counts from its first try */
    connection->writable_awaited = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
}

static void repeat_due(void) {
    uint64_t time = now();
    for (size_t i = 0; i < repetitions_count;) {
        struct repetition repetition = repetitions[i];
        if (repetition.due > time) {
            i++;
            continue;
        }
        repetitions[i] = repetitions[--repetitions_count];
        if (repetition.message) {
            post_message(repetition.connection, repetition.key, repetition.time);
        } else {
            under_way++;
            connect_user(repetition.connection);
        }
    }
}

static void turn(int timeout_ms) {
    struct epoll_event events[256];
    int count = epoll_wait(poll_fd, events, 256, repetitions_count && timeout_ms > 10 ? 10 : timeout_ms);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (!connection) continue; /* the timer only ends the wait */
        if (events[i].events & EPOLLOUT) flush(connection);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(connection);
    }
    if (repetitions_count) repeat_due();
}

/* Connect users first to last - 1, so many at a time, and wait until they are ready. */
static void connect_users(int first, int last) {
    int limit = (int)option("connecting"), next = first, target = ready_count + last - first;
    uint64_t began = now();
    while (ready_count < target) {
        while (next < last && under_way < limit) {
            under_way++;
            connect_user(&connections[next++]);
        }
        turn(100);
        if (now() - began > 4 * STUCK) fail("only %d of %d users are connected", ready_count, target);
    }
}

/* Wait until the commands of the setup are answered. */
static void await_answers(int at_most) {
    uint64_t began = now();
    for (int seen = 0; answers_missing > at_most; seen = answers_missing) {
        if (answers_missing != seen) began = now();
        turn(100);
        if (now() - began > STUCK) fail("%d commands were not answered", answers_missing);
    }
}

/* Seconds of processor time of a process with all its threads, ended ones too; 0 without a process. */
static double processor_time(const char *which) {
    clockid_t clock;
    struct timespec time;
    pid_t process = (pid_t)option(which);
    if (process == 0) return 0;
    if (clock_getcpuclockid(process, &clock) || clock_gettime(clock, &time)) fail("there is no process %d", process);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double resident_kib(void) {
    char path[64];
    long pages_resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)option("server"));
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%*s %ld", &pages_resident) != 1) fail("%s can't be read", path);
    fclose(file);
    return (double)pages_resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static double own_time(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* What was counted at the beginning or end of what is measured. Whoever started this program learns of both. */
struct counts {
    uint64_t at, sent, acknowledged, delivered, pages, bytes;
    double server, store, own;
};

static struct counts count(const char *moment) {
    struct counts counts = {.at = now(),
                            .sent = sent,
                            .acknowledged = acknowledged,
                            .delivered = delivered,
                            .pages = pages,
                            .bytes = received_bytes,
                            .server = processor_time("server"),
                            .store = processor_time("store"),
                            .own = own_time()};
    puts(moment);
    fflush(stdout);
    return counts;
}

static void print_times(const char *name, const struct histogram *histogram) {
    if (histogram->total)
        printf(", \"%s_p50_ms\": %.3f, \"%s_p99_ms\": %.3f", name, percentile(histogram, 0.5), name,
               percentile(histogram, 0.99));
}

static void print_shares(const struct counts *from, const struct counts *to) {
    double seconds = (double)(to->at - from->at) / 1e9;
    printf(", \"seconds\": %.3f, \"server_core\": %.3f, \"store_core\": %.3f, \"client_core\": %.3f", seconds,
           (to->server - from->server) / seconds, (to->store - from->store) / seconds, (to->own - from->own) / seconds);
}

/* Let the senders send for some seconds: in a closed loop, or at a fixed rate. */
static void run_for(double seconds, struct connection **senders, int senders_count) {
    static uint64_t due;
    static int next;
    double rate = option("rate");
    uint64_t end = now() + (uint64_t)(seconds * 1e9), step = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
    if (step && due == 0) due = now();
    while (now() < end) {
        if (step) {
            for (uint64_t time; (time = now()) >= due; due += step) {
                if (measuring && time - due > max_lag) max_lag = time - due;
                send_message(senders[next++ % senders_count]);
            }
            struct itimerspec timer = {.it_value = {(time_t)(due / SECOND), (long)(due % SECOND)}};
            timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
        }
        turn(10);
    }
}

/* Warm up, measure, stop, and check that everything sent was acknowledged and delivered to everyone. */
static void measure(struct connection **senders, int senders_count, struct connection **readers, int readers_count,
                    int receivers) {
    sending = true;
    if (option("rate") <= 0)
        for (int i = 0; i < senders_count; i++) {
            senders[i]->left = UINT64_MAX;
            for (int j = 0; j < (int)option("window"); j++) send_message(senders[i]);
        }
    for (int i = 0; i < readers_count; i++) send_page(readers[i]);
    run_for(option("warmup"), senders, senders_count);
    measuring = true;
    struct counts from = count("begin");
    run_for(option("seconds"), senders, senders_count);
    struct counts to = count("end");
    measuring = sending = false;
    uint64_t began = now();
    for (uint64_t seen = 0; acknowledged < sent || delivered < sent * (uint64_t)receivers; seen = delivered) {
        if (delivered != seen) began = now();
        turn(100);
        if (now() - began > STUCK)
            fail("%" PRIu64 " sent, %" PRIu64 " acknowledged, %" PRIu64 " deliveries to %d receivers", sent,
                 acknowledged, delivered, receivers);
    }
    if (delivered > sent * (uint64_t)receivers) fail("messages were delivered twice");
    double seconds = (double)(to.at - from.at) / 1e9;
    double messages = (double)(to.acknowledged - from.acknowledged);
    printf(
        "{\"mode\": \"%s\", \"messages_s\": %.1f, \"deliveries_s\": %.1f, \"pages_s\": %.1f, \"received_mb_s\": %.1f",
        mode, messages / seconds, (double)(to.delivered - from.delivered) / seconds,
        (double)(to.pages - from.pages) / seconds, (double)(to.bytes - from.bytes) / seconds / 1e6);
    print_shares(&from, &to);
    if (messages > 0)
        printf(", \"messages\": %.0f, \"server_us_message\": %.1f, \"store_us_message\": %.1f", messages,
               1e6 * (to.server - from.server) / messages, 1e6 * (to.store - from.store) / messages);
    printf(", \"refused\": %" PRIu64, refused);
    print_times("answer", &to_answer);
    print_times("delivery", &to_delivery);
    print_times("page", &to_page);
    if (option("rate") > 0) printf(", \"max_lag_ms\": %.3f", (double)max_lag / 1e6);
    puts("}");
}

static struct connection **pointers(int total) { return must(calloc((size_t)total, sizeof(struct connection *))); }

static void run_room(void) {
    int members = (int)option("members"), senders = (int)option("senders");
    in_room = true;
    connect_users(0, members);
    answers_missing = 1;
    send_text(&connections[0],
              "42%" PRIu32 "[\"room.create\",{\"kind\":\"public\",\"title\":\"All\",\"key\":\"%" PRIx64 "-room\"}]",
              number_command(&connections[0]), run_number);
    await_answers(0);
    for (int i = 1; i < members; i++) {
        strcpy(connections[i].room, connections[0].room);
        await_answers(7); /* each join is delivered to all: a few at a time */
        answers_missing++;
        send_text(&connections[i], "42%" PRIu32 "[\"room.join\",{\"room\":\"%s\"}]", number_command(&connections[i]),
                  connections[0].room);
    }
    await_answers(0);
    struct connection **chosen = pointers(senders);
    for (int i = 0; i < senders; i++) {
        chosen[i] = &connections[i * (members / senders)];
        chosen[i]->role = SENDER;
    }
    measure(chosen, senders, NULL, 0, members);
}

/* Send `each` messages from every sender, one at a time, and wait for their deliveries to two users. */
static void send_each(struct connection **senders, int senders_count, uint64_t each) {
    uint64_t began = now(), goal = sent + each * (uint64_t)senders_count;
    sending = true;
    for (int i = 0; i < senders_count; i++) {
        senders[i]->left = each - 1;
        send_message(senders[i]);
    }
    for (uint64_t seen = 0; acknowledged < goal || delivered < 2 * goal;) {
        if (acknowledged != seen) began = now();
        seen = acknowledged;
        turn(100);
        if (now() - began > STUCK) fail("%" PRIu64 " of %" PRIu64 " messages are acknowledged", acknowledged, goal);
    }
    sending = false;
}

static void run_pairs(void) {
    int pairs = (int)option("pairs"), readers = (int)option("readers");
    connect_users(0, 2 * pairs);
    struct connection **senders = pointers(pairs), **reading = pointers(readers ? readers : 1);
    for (int i = 0; i < pairs; i++) {
        senders[i] = &connections[2 * i];
        senders[i]->role = SENDER;
    }
    send_each(senders, pairs, 1 + (uint64_t)option("preload")); /* the first opens the room */
    for (int i = 0; i < readers; i++) {
        reading[i] = &connections[2 * (i % pairs) + 1];
        reading[i]->role = READER;
        strcpy(reading[i]->room, senders[i % pairs]->room);
    }
    measure(senders, pairs, reading, readers, 2);
}

static void run_seed(void) {
    int total = (int)option("users"), rooms = (int)option("rooms");
    uint64_t messages = (uint64_t)(rooms / 2) * (uint64_t)option("messages");
    connect_users(0, total);
    struct connection **senders = pointers(total);
    for (int i = 0; i < total; i++) {
        senders[i] = &connections[i];
        senders[i]->role = SENDER;
    }
    users_count = total; /* the last users write to the first */
    seeding = true;
    struct counts from = count("begin");
    /* Some senders at a time: each first message opens a room, and a thousand at once are an overload, not a seed. */
    for (int first = 0, each = (int)option("connecting"); first < total; first += each)
        send_each(senders + first, first + each < total ? each : total - first, messages);
    struct counts to = count("end");
    printf("{\"mode\": \"seed\", \"messages_s\": %.1f", (double)sent / ((double)(to.at - from.at) / 1e9));
    print_shares(&from, &to);
    puts("}");
}

static void run_connect(void) {
    int warm = (int)option("warm"), total = (int)option("users");
    connect_users(0, warm);
    for (uint64_t end = now() + SECOND; now() < end;) turn(100);
    memset(&to_ready, 0, sizeof to_ready);
    double before = resident_kib();
    struct counts from = count("begin");
    connect_users(warm, warm + total);
    struct counts to = count("end");
    for (uint64_t end = now() + (uint64_t)(option("idle") * 1e9); now() < end;) turn(100);
    printf("{\"mode\": \"connect\", \"connects_s\": %.1f, \"kib_socket\": %.1f, \"ready_bytes\": %.0f, "
           "\"server_us_connect\": %.1f",
           total / ((double)(to.at - from.at) / 1e9), (resident_kib() - before) / total,
           (double)(to.bytes - from.bytes) / total, 1e6 * (to.server - from.server) / total);
    printf(", \"refused\": %" PRIu64, refused);
    print_shares(&from, &to);
    print_times("ready", &to_ready);
    puts("}");
}

static void run_storm(void) {
    int total = (int)option("users");
    storming = true;
    answers_missing = total;
    struct counts from = count("begin");
    connect_users(0, total);
    await_answers(0);
    struct counts to = count("end");
    printf("{\"mode\": \"storm\", \"storm_s\": %.3f, \"users_s\": %.1f, \"received_bytes_user\": %.0f",
           (double)(to.at - from.at) / 1e9, total / ((double)(to.at - from.at) / 1e9),
           (double)(to.bytes - from.bytes) / total);
    printf(", \"refused\": %" PRIu64, refused);
    print_shares(&from, &to);
    print_times("ready", &to_ready);
    print_times("sync", &to_answer);
    puts("}");
}

/* A line of the file is a user's name, a space, and the token. */
static void read_users(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) fail("%s: %s", path, strerror(errno));
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0) {
        users = must(realloc(users, (size_t)(users_count + 1) * sizeof *users));
        char *token = strchr(line, ' ');
        if (!token) fail("%s: a line without a token", path);
        *token++ = 0;
        token[strcspn(token, "\n")] = 0;
        users[users_count++] = (struct user){must(strdup(line)), must(strdup(token))};
    }
    free(line);
    fclose(file);
}

static void read_options(int count_given, char **given) {
    for (int i = 0; i < count_given; i++) {
        char *value = strchr(given[i], '=');
        if (!value) fail("%s is not NAME=VALUE", given[i]);
        *value++ = 0;
        if (!strcmp(given[i], "tokens")) {
            tokens_path = value;
            continue;
        }
        size_t j = 0;
        while (j < sizeof options / sizeof *options && strcmp(options[j].name, given[i])) j++;
        if (j == sizeof options / sizeof *options) fail("there is no option %s", given[i]);
        options[j].value = atof(value);
    }
}

int main(int count_given, char **given) {
    struct {
        const char *name;
        void (*run)(void);
    } modes[] = {
        {"room", run_room}, {"pairs", run_pairs}, {"seed", run_seed}, {"connect", run_connect}, {"storm", run_storm},
    };
    if (count_given < 2) fail("usage: load MODE NAME=VALUE ...");
    mode = given[1];
    read_options(count_given - 2, given + 2);
    if (!tokens_path) fail("tokens=FILE is missing");
    read_users(tokens_path);
    port = (uint16_t)option("port");
    memset(padding, 'x', BODY - STAMP);
    run_number = now() ^ (uint64_t)getpid() << 40;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1); /* nanosecond; by default a timer may be 50 microseconds late */
    poll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &event);
    connections_count = users_count;
    connections = must(calloc((size_t)connections_count, sizeof *connections));
    for (int i = 0; i < connections_count; i++) {
        connections[i].user = i;
        connections[i].step = 1;
    }
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(modes[i].name, mode)) {
            modes[i].run();
            return 0;
        }
    fail("there is no mode %s", mode);
}
