/* The data folder: identity, lock, refusals that say what to do. */
#include "runtime/folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64], dir[96];

static int set_up(void **state)
{
    (void)state;
    strcpy(base, "/tmp/writ-folder-XXXXXX");
    assert_non_null(mkdtemp(base));
    snprintf(dir, sizeof dir, "%s/data", base);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char cmd[96];
    snprintf(cmd, sizeof cmd, "rm -rf %s", base);
    return system(cmd);
}

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_identity_stays(void **state)
{
    (void)state;
    struct folder a, b;
    struct err err;
    assert_int_equal(folder_open(&a, dir, 3, "", &err), 0);
    assert_true(a.fresh);
    assert_int_equal(folder_set_cluster(&a, "clusterA", &err), 0);
    folder_close(&a);
    assert_int_equal(folder_open(&b, dir, 3, "clusterA", &err), 0);
    assert_false(b.fresh);
    assert_string_equal(a.incarnation, b.incarnation);
    assert_string_equal(a.token, b.token);
    assert_string_equal(b.cluster_id, "clusterA");
    assert_int_equal(folder_raft_id(&a), folder_raft_id(&b));
    assert_true(folder_raft_id(&a) > 0);
    assert_int_equal(folder_set_cluster(&b, "clusterB", &err), ERR_CONFLICT);
    folder_close(&b);
    struct stat st;
    char path[128];
    snprintf(path, sizeof path, "%s/token", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_second_process(void **state)
{
    (void)state;
    struct folder a, b;
    struct err err;
    assert_int_equal(folder_open(&a, dir, 1, "", &err), 0);
    assert_int_equal(folder_open(&b, dir, 1, "", &err), ERR_CONFLICT);
    char pid[32];
    snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    assert_non_null(strstr(err.msg, pid));
    assert_non_null(strstr(err.msg, "stop it first"));
    folder_close(&a);
    assert_int_equal(folder_open(&b, dir, 1, "", &err), 0);
    folder_close(&b);
}

static void test_wrong_folders(void **state)
{
    (void)state;
    struct folder a;
    struct err err;
    assert_int_equal(folder_open(&a, dir, 1, "", &err), 0);
    assert_int_equal(folder_set_cluster(&a, "clusterA", &err), 0);
    folder_close(&a);
    assert_int_equal(folder_open(&a, dir, 2, "", &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "--node 1"));
    assert_int_equal(folder_open(&a, dir, 1, "clusterB", &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "clusterA"));
    put("node.json", "{\"format\":1,\"cluster_id\":\"x\",\"node\":1}");
    assert_int_equal(folder_open(&a, dir, 1, "", &err), ERR_CORRUPT);
    put("node.json", "{\"format\":2,\"cluster_id\":\"\",\"node\":1,"
                     "\"incarnation\":\"00112233445566778899aabbccddeeff\"}");
    assert_int_equal(folder_open(&a, dir, 1, "", &err), ERR_UNSUPPORTED);
    assert_int_equal(folder_open(&a, "/proc/version/x", 1, "", &err), ERR_IO);
}

static void test_foreign_folder(void **state)
{
    (void)state;
    struct folder a;
    struct err err;
    assert_int_equal(mkdir(dir, 0755), 0);
    put("letters.txt", "x");
    assert_int_equal(folder_open(&a, dir, 1, "", &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "not a data folder"));
    /* A mount point's own folder does not make it foreign. */
    char path[256];
    snprintf(path, sizeof path, "%s/letters.txt", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/lost+found", dir);
    mkdir(path, 0700);
    assert_int_equal(folder_open(&a, dir, 1, "", &err), 0);
    folder_close(&a);
}

/* A start that was cut before node.json was there leaves a folder that can be used. */
static void test_cut_first_start(void **state)
{
    (void)state;
    struct folder a;
    struct err err;
    assert_int_equal(mkdir(dir, 0755), 0);
    put("lock", "77\n");
    put("node.json.new", "{\"for");
    assert_int_equal(folder_open(&a, dir, 1, "", &err), 0);
    folder_close(&a);
    put("token", "short\n");
    assert_int_equal(folder_open(&a, dir, 1, "", &err), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_identity_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_second_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut_first_start, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
