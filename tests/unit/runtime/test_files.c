/* The data folder as a disk, and the descriptor cache. */
#include "base/mem.h"
#include "runtime/files.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static struct files_root root;

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/writ-files-XXXXXX");
    assert_non_null(mkdtemp(dir));
    root.dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    return root.dir_fd < 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(root.dir_fd);
    char cmd[96];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    return system(cmd);
}

static void add_name(void *arg, const char *name)
{
    strcat(arg, name);
    strcat(arg, " ");
}

static void test_disk(void **state)
{
    (void)state;
    struct files f;
    char text[64] = "";
    files_init(&f, &root, 4);
    struct disk *d = &f.disk;
    assert_int_equal(d->size(d, "a"), -ENOENT);
    assert_int_equal(d->read(d, "a", 0, text, 4), -ENOENT);
    assert_int_equal(d->make_dir(d, "topics"), 0);
    assert_int_equal(d->make_dir(d, "topics"), 0);
    assert_int_equal(d->write(d, "topics/a", 3, "hello", 5), 0);
    assert_int_equal(d->sync(d, "topics/a"), 0);
    assert_int_equal(d->sync_dir(d, "topics"), 0);
    assert_int_equal(d->sync_dir(d, ""), 0);
    assert_int_equal(d->size(d, "topics/a"), 8);
    assert_int_equal(d->read(d, "topics/a", 3, text, 60), 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(d->read(d, "topics/a", 100, text, 60), 0);
    assert_int_equal(d->truncate(d, "topics/a", 4), 0);
    assert_int_equal(d->size(d, "topics/a"), 4);
    assert_int_equal(d->allocate(d, "topics/b", 10000), 0);
    assert_int_equal(d->size(d, "topics/b"), 10000);
    assert_int_equal(d->rename(d, "topics/b", "topics/c"), 0);
    char names[64] = "";
    assert_int_equal(d->list(d, "topics", add_name, names), 0);
    assert_string_equal(names, "a c ");
    assert_int_equal(d->list(d, "absent", add_name, names), -ENOENT);
    assert_int_equal(d->remove(d, "topics/a"), 0);
    assert_int_equal(d->remove(d, "topics/a"), 0);
    assert_int_equal(d->remove(d, "topics"), -ENOTEMPTY);
    assert_int_equal(d->remove(d, "topics/c"), 0);
    assert_int_equal(d->remove(d, "topics"), 0);
    files_free(&f);
}

/* A file that another thread's door has removed and made anew is not written through an old
 * descriptor. */
static void test_removed_elsewhere(void **state)
{
    (void)state;
    struct files a, b;
    char c = 0;
    files_init(&a, &root, 4);
    files_init(&b, &root, 4);
    assert_int_equal(a.disk.write(&a.disk, "f", 0, "1", 1), 0);
    assert_int_equal(b.disk.remove(&b.disk, "f"), 0);
    assert_int_equal(b.disk.write(&b.disk, "f", 0, "2", 1), 0);
    assert_int_equal(a.disk.read(&a.disk, "f", 0, &c, 1), 1);
    assert_int_equal(c, '2');
    files_free(&a);
    files_free(&b);
}

static void test_execute(void **state)
{
    (void)state;
    struct files f;
    files_init(&f, &root, 4);
    enum { PARTS = 1500 };
    struct buf_slice *part = mem_zalloc(PARTS, sizeof *part);
    static char letter[PARTS];
    for (int i = 0; i < PARTS; i++) {
        letter[i] = (char)('a' + i % 26);
        part[i].bytes = slice_of(&letter[i], i % 5 ? 1 : 0);
    }
    struct disk_op op = {
        .kind = DISK_WRITE_SYNC, .path = "j", .offset = 7, .part = part, .parts_n = PARTS};
    assert_int_equal(files_execute(&f, &op), 0);
    char back[PARTS], want[PARTS];
    int n = 0;
    for (int i = 0; i < PARTS; i++)
        if (i % 5)
            want[n++] = letter[i];
    assert_int_equal(f.disk.read(&f.disk, "j", 7, back, PARTS), n);
    assert_memory_equal(back, want, (size_t)n);
    struct disk_op cut = {.kind = DISK_TRUNCATE, .path = "j", .offset = 10};
    assert_int_equal(files_execute(&f, &cut), 0);
    assert_int_equal(f.disk.size(&f.disk, "j"), 10);
    struct disk_op sync = {.kind = DISK_SYNC, .path = "absent"};
    assert_int_equal(files_execute(&f, &sync), -ENOENT);
    mem_free(part);
    files_free(&f);
}

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 200; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_fdcache(void **state)
{
    (void)state;
    struct fdcache c;
    int before = open_descriptors();
    fdcache_init(&c, root.dir_fd, O_RDWR | O_CREAT, 3);
    struct fdcache_file *held = fdcache_get(&c, "0", 1);
    for (char name[2] = "1"; *name < '9'; name[0]++) {
        struct fdcache_file *f = fdcache_get(&c, name, 1);
        assert_non_null(f);
        assert_ptr_equal(f, fdcache_get(&c, name, 1));
        fdcache_put(f);
        fdcache_put(f);
        assert_true(c.n <= 3);
    }
    assert_int_equal(open_descriptors(), before + 4); /* three cached, one held */
    assert_false(held->cached);
    assert_int_equal(pwrite(held->fd, "x", 1, 0), 1);
    fdcache_put(held);
    /* Another tag: another file under the same name. */
    struct fdcache_file *old = fdcache_get(&c, "8", 1), *new = fdcache_get(&c, "8", 2);
    assert_ptr_not_equal(old, new);
    fdcache_put(old);
    fdcache_put(new);
    fdcache_drop(&c, "8");
    fdcache_drop(&c, "8");
    fdcache_free(&c);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_removed_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_execute, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fdcache, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
