#include "runtime/folder.h"

#include "base/codec.h"
#include "base/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char node_name[] = "node.json", lock_name[] = "lock", token_name[] = "token";

enum { FORMAT = 1, FILE_MAX = 4096 };

static int io_error(struct err *err, const struct folder *f, const char *what)
{
    return err_set(err, ERR_IO, "data folder %s: cannot %s: %s", f->path, what, strerror(errno));
}

static int open_dir(struct folder *f, const char *path, struct err *err)
{
    snprintf(f->path, sizeof f->path, "%s", path);
    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return io_error(err, f, "be made (its parent must exist)");
    if (!realpath(path, f->path))
        return io_error(err, f, "be found");
    f->dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->dir_fd < 0)
        return io_error(err, f, "be opened");
    return 0;
}

static int take_lock(struct folder *f, struct err *err)
{
    f->lock_fd = openat(f->dir_fd, lock_name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (f->lock_fd < 0)
        return io_error(err, f, "open its lock file");
    if (flock(f->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        char pid[32] = "";
        ssize_t n = pread(f->lock_fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
        return err_set(err, ERR_CONFLICT,
                       "data folder %s is in use by another process (pid %s): stop it first, or "
                       "start this node with a data folder of its own",
                       f->path, *pid ? pid : "unknown");
    }
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(f->lock_fd, 0) < 0 || pwrite(f->lock_fd, text, (size_t)n, 0) != n)
        return io_error(err, f, "write its lock file");
    return 0;
}

/* Whether there is anything but what this room or the file system makes. */
static bool has_foreign(const struct folder *f)
{
    int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return true;
    bool foreign = false;
    for (struct dirent *e; (e = readdir(d));)
        foreign |= strcmp(e->d_name, ".") && strcmp(e->d_name, "..") &&
                   strcmp(e->d_name, lock_name) && strcmp(e->d_name, "lost+found") &&
                   strcmp(e->d_name, "node.json.new") && strcmp(e->d_name, "token.new");
    closedir(d);
    return foreign;
}

static int sync_folder(struct folder *f, struct err *err)
{
    return fsync(f->dir_fd) < 0 ? io_error(err, f, "write its identity") : 0;
}

/* Writes a small file so that it is there whole or not at all; sync_folder makes its name last. */
static int put_file(struct folder *f, const char *name, struct slice text, mode_t mode,
                    struct err *err)
{
    char temp[64];
    snprintf(temp, sizeof temp, "%s.new", name);
    int fd = openat(f->dir_fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return io_error(err, f, "write its identity");
    bool ok = write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0;
    close(fd);
    if (!ok || renameat(f->dir_fd, temp, f->dir_fd, name) < 0)
        return io_error(err, f, "write its identity");
    return 0;
}

/* Bytes read into buf (NUL-terminated), 0 when absent, or an error. */
static int get_file(struct folder *f, const char *name, char buf[FILE_MAX], size_t *n,
                    struct err *err)
{
    *n = 0;
    int fd = openat(f->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : io_error(err, f, "read its identity");
    ssize_t got = read(fd, buf, FILE_MAX - 1);
    int saved = errno;
    close(fd);
    errno = saved;
    if (got < 0)
        return io_error(err, f, "read its identity");
    buf[got] = 0;
    *n = (size_t)got;
    return 0;
}

static int random_bytes(void *p, size_t n, struct err *err)
{
    if (getrandom(p, n, 0) != (ssize_t)n)
        return err_set(err, ERR_IO, "cannot get random bytes: %s", strerror(errno));
    return 0;
}

static int write_node(struct folder *f, struct err *err)
{
    struct bytes out = {0};
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_name(&w, "format");
    json_put_int(&w, FORMAT);
    json_name(&w, "cluster_id");
    json_put_cstr(&w, f->cluster_id);
    json_name(&w, "node");
    json_put_int(&w, f->node_id);
    json_name(&w, "incarnation");
    json_put_cstr(&w, f->incarnation);
    json_end_object(&w);
    bytes_add_str(&out, "\n");
    int rc = put_file(f, node_name, bytes_slice(&out), 0640, err);
    bytes_free(&out);
    f->written = true;
    return rc;
}

static int make_node(struct folder *f, struct err *err)
{
    if (has_foreign(f))
        return err_set(err, ERR_INVALID,
                       "%s is not empty and has no node.json, so it is not a data folder of Writ: "
                       "name another folder, or empty this one if nothing in it is needed",
                       f->path);
    uint8_t raw[FOLDER_INCARNATION_HEX / 2];
    int rc = random_bytes(raw, sizeof raw, err);
    if (rc)
        return rc;
    struct bytes hex = {0};
    hex_add(&hex, slice_of(raw, sizeof raw));
    memcpy(f->incarnation, hex.p, FOLDER_INCARNATION_HEX);
    bytes_free(&hex);
    f->fresh = true;
    return write_node(f, err);
}

static bool copy_text(const struct json_doc *doc, uint32_t i, char *out, size_t cap)
{
    if (i == JSON_NONE || json_type(doc, i) != JSON_STRING)
        return false;
    struct slice raw = json_raw(doc, i); /* hex and base64url: never escaped */
    if (raw.n >= cap)
        return false;
    memcpy(out, raw.p, raw.n);
    out[raw.n] = 0;
    return true;
}

static int parse_node(struct folder *f, struct slice text, int64_t *node_id, struct err *err)
{
    struct json_doc doc = {0};
    struct err why;
    int64_t format = 0;
    int rc = 0;
    if (json_parse(&doc, text, NULL, &why) || json_type(&doc, 0) != JSON_OBJECT ||
        !json_int64(&doc, json_get(&doc, 0, "format"), &format) ||
        !json_int64(&doc, json_get(&doc, 0, "node"), node_id) ||
        !copy_text(&doc, json_get(&doc, 0, "cluster_id"), f->cluster_id, sizeof f->cluster_id) ||
        !copy_text(&doc, json_get(&doc, 0, "incarnation"), f->incarnation, sizeof f->incarnation) ||
        strlen(f->incarnation) != FOLDER_INCARNATION_HEX)
        rc = err_set(err, ERR_CORRUPT,
                     "%s/node.json is damaged: restore it from a backup (format, cluster_id, node, "
                     "incarnation), do not delete it alone",
                     f->path);
    else if (format != FORMAT)
        rc = err_set(err, ERR_UNSUPPORTED,
                     "data folder %s has format %" PRId64 ", this program knows format %d: use the "
                     "version of writ that wrote it",
                     f->path, format, FORMAT);
    json_free(&doc);
    return rc;
}

static int check_node(struct folder *f, int32_t node_id, const char *expected_cluster_id,
                      struct err *err)
{
    char text[FILE_MAX];
    size_t n;
    int rc = get_file(f, node_name, text, &n, err);
    f->node_id = node_id;
    if (rc || !n)
        return rc ? rc : make_node(f, err);
    int64_t stored;
    rc = parse_node(f, slice_of(text, n), &stored, err);
    if (rc)
        return rc;
    if (stored != node_id)
        return err_set(err, ERR_CONFLICT,
                       "data folder %s belongs to node %" PRId64 ", not to node %d: start it with "
                       "--node %" PRId64 ", or name the folder of node %d",
                       f->path, stored, node_id, stored, node_id);
    if (*expected_cluster_id && *f->cluster_id && strcmp(expected_cluster_id, f->cluster_id) != 0)
        return err_set(err, ERR_CONFLICT,
                       "data folder %s belongs to cluster %s, not to %s: name the right folder, or "
                       "correct the key cluster-id",
                       f->path, f->cluster_id, expected_cluster_id);
    return 0;
}

static int load_token(struct folder *f, struct err *err)
{
    char text[FILE_MAX];
    size_t n;
    int rc = get_file(f, token_name, text, &n, err);
    if (rc)
        return rc;
    if (n) {
        n = strcspn(text, "\r\n");
        if (n != FOLDER_TOKEN_CHARS)
            return err_set(err, ERR_CORRUPT,
                           "%s/token is not a token: delete the file and a new one is made at the "
                           "next start",
                           f->path);
        memcpy(f->token, text, n);
        return 0;
    }
    uint8_t raw[32];
    rc = random_bytes(raw, sizeof raw, err);
    if (rc)
        return rc;
    struct bytes out = {0};
    base64url_add(&out, slice_of(raw, sizeof raw));
    memcpy(f->token, out.p, FOLDER_TOKEN_CHARS);
    bytes_add_str(&out, "\n");
    rc = put_file(f, token_name, bytes_slice(&out), 0600, err);
    f->written = true;
    bytes_free(&out);
    return rc;
}

int folder_open(struct folder *f, const char *path, int32_t node_id,
                const char *expected_cluster_id, struct err *err)
{
    *f = (struct folder){.dir_fd = -1, .lock_fd = -1};
    int rc = open_dir(f, path, err);
    if (!rc)
        rc = take_lock(f, err);
    if (!rc)
        rc = check_node(f, node_id, expected_cluster_id, err);
    if (!rc)
        rc = load_token(f, err);
    if (!rc && f->written)
        rc = sync_folder(f, err);
    if (rc)
        folder_close(f);
    return rc;
}

int folder_check_cluster(const struct folder *f, const char *cluster_id, struct err *err)
{
    if (!*f->cluster_id || !strcmp(f->cluster_id, cluster_id))
        return 0;
    return err_set(err, ERR_CONFLICT,
                   "data folder %s belongs to cluster %s but its catalogue is of cluster %s: "
                   "parts of two folders were mixed; restore the whole folder from one backup",
                   f->path, f->cluster_id, cluster_id);
}

int folder_set_cluster(struct folder *f, const char *cluster_id, struct err *err)
{
    int rc = folder_check_cluster(f, cluster_id, err);
    if (rc || *f->cluster_id)
        return rc;
    snprintf(f->cluster_id, sizeof f->cluster_id, "%s", cluster_id);
    rc = write_node(f, err);
    return rc ? rc : sync_folder(f, err);
}

void folder_close(struct folder *f)
{
    if (f->lock_fd >= 0)
        close(f->lock_fd); /* releases the lock */
    if (f->dir_fd >= 0)
        close(f->dir_fd);
    f->lock_fd = f->dir_fd = -1;
}

uint64_t folder_raft_id(const struct folder *f)
{
    uint64_t id = 0;
    uint8_t raw[FOLDER_INCARNATION_HEX / 2];
    size_t n = 0;
    if (hex_get(slice_str(f->incarnation), raw, sizeof raw, &n) && n >= 8)
        id = be64_get(raw) >> 1; /* a positive number for those who print it signed */
    return id ? id : 1;
}
