/* The client and the commands against a server that answers what the test tells it. */
#include "cli/client.h"
#include "cli_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWERS_MAX = 8 };

/* Answers one connection after the other with answer[i], and keeps what it was asked. */
static struct {
    int fd, port;
    pthread_t thread;
    const char *answer[ANSWERS_MAX];
    size_t n;
    char asked[ANSWERS_MAX][8192];
} server;

static size_t body_left(const char *asked)
{
    const char *end = strstr(asked, "\r\n\r\n"), *length = strstr(asked, "Content-Length: ");
    if (end == NULL)
        return 1;
    size_t want = length != NULL ? (size_t)atoi(length + 16) : 0, have = strlen(end + 4);
    return want > have ? want - have : 0;
}

static void *serve(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < server.n; i++) {
        int fd = accept(server.fd, NULL, NULL);
        char *asked = server.asked[i];
        size_t n = 0;
        while (fd >= 0 && n + 1 < sizeof server.asked[i] && body_left(asked) > 0) {
            ssize_t got = recv(fd, asked + n, sizeof server.asked[i] - 1 - n, 0);
            if (got <= 0)
                break;
            n += (size_t)got;
            asked[n] = '\0';
        }
        (void)send(fd, server.answer[i], strlen(server.answer[i]), MSG_NOSIGNAL);
        (void)close(fd);
    }
    return NULL;
}

static void start(size_t n, ...)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t a_n = sizeof a;
    char url[64];
    va_list ap;
    memset(server.asked, 0, sizeof server.asked);
    server.n = n;
    va_start(ap, n);
    for (size_t i = 0; i < n; i++)
        server.answer[i] = va_arg(ap, const char *);
    va_end(ap);
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server.fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(server.fd, 8), 0);
    assert_int_equal(getsockname(server.fd, (struct sockaddr *)&a, &a_n), 0);
    server.port = ntohs(a.sin_port);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
    assert_int_equal(setenv("WRIT_SERVER", url, 1), 0);
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void stop(void)
{
    assert_int_equal(pthread_join(server.thread, NULL), 0);
    (void)close(server.fd);
}

/* One call, one answer. */
static void one(const char *answer, const char *words, int rc, const char *out, const char *err)
{
    start(1, answer);
    help_expect(words, rc, out, err);
    stop();
}

/* A whole answer; valid until eight more were made. */
static const char *reply(const char *status, const char *body)
{
    static char text[ANSWERS_MAX][2048];
    static size_t next;
    char *out = text[next++ % ANSWERS_MAX];
    (void)snprintf(out, sizeof text[0], "HTTP/1.1 %s\r\ncontent-length: %zu\r\n\r\n%s", status,
                   strlen(body), body);
    return out;
}

static int enter(void **state)
{
    (void)state;
    help_folder_enter();
    return 0;
}

static int leave(void **state)
{
    (void)state;
    help_folder_leave();
    return 0;
}

#define TEAM                                                                                       \
    "{\"kind\":\"Team\",\"name\":\"orders\",\"version\":9007199254740993,"                         \
    "\"document\":{\"contact\":\"a\\u001b[31m\",\"members\":[\"x\",\"y\"]}}"

static void test_lists(void **state)
{
    (void)state;
    start(2, reply("200 OK", "{\"items\":[" TEAM "],\"next\":\"orders\"}"),
          reply("200 OK", "{\"items\":[],\"next\":null}"));
    help_expect("get teams --prefix a/b", 0, "orders  a\\x1b[31m  x,y", "");
    stop();
    assert_non_null(strstr(server.asked[0], "GET /v1/teams?prefix=a%2Fb HTTP/1.1\r\n"));
    assert_non_null(strstr(server.asked[1], "GET /v1/teams?prefix=a%2Fb&cursor=orders HTTP/1.1"));

    /* For programs the node's own text: no number is rounded. */
    start(2, reply("200 OK", "{\"items\":[" TEAM "],\"next\":\"orders\"}"),
          reply("200 OK", "{\"items\":[],\"next\":null}"));
    help_expect("get teams -o json", 0, "[" TEAM "]\n", "");
    stop();
    one(reply("200 OK", "{\"items\":[],\"next\":null}"), "get topics", 0, "", "No topics.");
    one(reply("200 OK", "{\"name\":\"a b\" }"), "get team a%2", 0, "a b", "");
    assert_non_null(strstr(server.asked[0], "GET /v1/teams/a%252 HTTP/1.1"));
}

static void test_problems(void **state)
{
    (void)state;
    one(reply("404 Not Found", "{\"status\":404,\"code\":\"resource.unknown\",\"detail\":\"no\"}"),
        "get team x", 1, "", "writ: no (resource.unknown)");
    one(reply("401 Unauthorized", "{\"code\":\"token\",\"detail\":\"a token is\"}"), "get team x",
        1, "", "--token-file");
    one(reply("503 Busy", "{\"code\":\"away\",\"detail\":\"no leader\"}"), "get team x", 3, "",
        "no leader");
    one(reply("500 Oops", "oops"), "get team x", 3, "", "answered 500");
    one(reply("200 OK", "oops"), "get team x", 3, "", "not JSON");
    one(reply("200 OK", "{}[]"), "get team x", 3, "", "not JSON");
}

static void test_broken_answers(void **state)
{
    (void)state;
    one("", "status", 3, "", "without an answer");
    one("hello", "status", 3, "", "admin address");
    one("SSH-2.0-x\r\n\r\n", "status", 3, "", "admin address");
    one("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", "status", 3, "", "cut off");
    one("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}", "status", 3, "", "cut off");
    one("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "status", 3,
        "", "admin address");
    one("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}", "status", 3, "",
        "cut off");
    /* Nobody listens where the last server was. */
    help_expect("status", 3, "", "Connection refused");
    help_expect("status --server http://no.such.host.invalid", 3, "", "cannot reach");
}

static const char plan_refused[] =
    "{\"version\":3,\"changed\":false,\"changes\":[],\"violations\":[{\"code\":\"policy.naming\","
    "\"pointer\":\"/documents/1/name\",\"detail\":\"does not match\"}],\"impact\":[]}";
static const char plan_done[] =
    "{\"version\":4,\"changed\":true,\"summary\":{\"created\":1,\"updated\":1,\"deleted\":0,"
    "\"unchanged\":7},\"changes\":[{\"action\":\"create\",\"kind\":\"Team\",\"name\":\"a\","
    "\"fields\":[]},{\"action\":\"update\",\"kind\":\"Team\",\"name\":\"b\",\"fields\":[{"
    "\"pointer\":"
    "\"/"
    "contact\",\"old\":\"x\",\"new\":null}]},{\"action\":\"unchanged\",\"kind\":\"Team\",\"name\":"
    "\"c\",\"fields\":[]}],\"violations\":[],\"impact\":[]}";
static const char plan_same[] =
    "{\"version\":4,\"changed\":false,\"summary\":{\"created\":0},\"changes\":[],"
    "\"violations\":[],\"impact\":[]}";

static void test_changes(void **state)
{
    (void)state;
    help_file("c.yaml", "kind: Team\nname: a\n---\nkind: Team\nname: b\n");
    one(reply("200 OK", plan_done), "plan -f c.yaml", 0,
        "create Team a\nupdate Team b\n  /contact: \"x\" -> null\n1 to create, 1 to update, "
        "0 to delete, 7 unchanged (catalogue version 4).\n",
        "");
    assert_non_null(strstr(server.asked[0], "POST /v1/plan HTTP/1.1\r\n"));
    assert_non_null(strstr(server.asked[0],
                           "\r\n\r\n{\"documents\":[{\"kind\":\"Team\",\"name\":\"a\"},"
                           "{\"kind\":\"Team\",\"name\":\"b\"}],\"prune\":false,\"accept\":[]}"));
    one(reply("200 OK", plan_done),
        "apply -f c.yaml --if-version 3 --prune --scope x. --accept loses-records", 0,
        "Applied: 1 created", "");
    assert_non_null(strstr(server.asked[0], "],\"prune\":true,\"scope\":\"x.\",\"accept\":"
                                            "[\"loses-records\"],\"if_version\":3}"));
    one(reply("200 OK", plan_done), "diff -f c.yaml", 1, "create Team a", "");
    one(reply("200 OK", plan_same), "diff -f c.yaml", 0, "Nothing to change", "");
    one(reply("200 OK", plan_same), "apply -f c.yaml", 0,
        "Nothing to change: the catalogue is as asked (version 4).", "");
    one(reply("200 OK", plan_refused), "plan -f c.yaml", 1, "",
        "c.yaml:4 /name: does not match (policy.naming)");
    one(reply("422 No",
              "{\"detail\":\"broken\",\"code\":\"document.refused\",\"errors\":[{\"code\":"
              "\"x\",\"pointer\":\"/documents/0/kind\",\"detail\":\"why\"}]}"),
        "apply -f c.yaml", 1, "", "c.yaml:1 /kind: why (x)");
    one(reply("412 No", "{\"detail\":\"moved\",\"code\":\"if-version\"}"), "apply -f c.yaml", 1, "",
        "moved (if-version)");
    one("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "delete topic a.b --accept x", 0,
        "Deleted Topic a.b.", "");
    assert_non_null(strstr(server.asked[0], "DELETE /v1/topics/a.b?accept=x HTTP/1.1\r\n"));
}

static void test_tokens(void **state)
{
    const char *empty = reply("200 OK", "{}");
    char text[256];
    (void)state;
    help_file("token", "secret-1\n");
    one(empty, "status --token-file token", 0, "", "");
    assert_non_null(strstr(server.asked[0], "\r\nAuthorization: Bearer secret-1\r\n"));
    assert_int_equal(setenv("WRIT_TOKEN", "secret-2", 1), 0);
    one(empty, "status", 0, "", "");
    assert_non_null(strstr(server.asked[0], "\r\nAuthorization: Bearer secret-2\r\n"));
    /* A token cannot smuggle a header. */
    assert_int_equal(setenv("WRIT_TOKEN", "a\r\nX: y", 1), 0);
    help_expect("status", 2, "", "more than a token");
    assert_int_equal(unsetenv("WRIT_TOKEN"), 0);

    /* The context file's token goes to the context file's server and to no other. */
    assert_int_equal(system("mkdir -p .config/writ"), 0);
    help_file(".config/writ/context.json", "{\"server\":\"http://elsewhere:1\",\"token\":\"s3\"}");
    one(empty, "status", 0, "", "");
    assert_null(strstr(server.asked[0], "Authorization"));
    start(1, empty);
    (void)snprintf(text, sizeof text, "{\"server\":\"http://127.0.0.1:%d\",\"token\":\"s3\"}",
                   server.port);
    help_file(".config/writ/context.json", text);
    assert_int_equal(unsetenv("WRIT_SERVER"), 0);
    help_expect("status", 0, "", "");
    stop();
    assert_non_null(strstr(server.asked[0], "\r\nAuthorization: Bearer s3\r\n"));
    help_file(".config/writ/context.json", "{");
    help_expect("status", 2, "", "is not JSON");
}

static void test_targets(void **state)
{
    static const struct {
        const char *text, *host, *port;
    } good[] = {{"a", "a", "9192"},
                {"a:1", "a", "1"},
                {"http://a:1/", "a", "1"},
                {"[::1]:8080", "::1", "8080"},
                {"http://[fe80::1]", "fe80::1", "9192"}};
    static const char *const bad[] = {"",           ":1",        "a:",   "a:123456",
                                      "a:x",        "http://",   "[::1", "[::1]x:1",
                                      "http://a/b", "https://a", "[]:1"};
    struct client_target t;
    struct err err;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(client_target_parse(&t, good[i].text, &err), 0);
        assert_string_equal(t.host, good[i].host);
        assert_string_equal(t.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (client_target_parse(&t, bad[i], &err) == 0)
            fail_msg("accepted %s", bad[i]);
    }
}

static void test_ledgers(void **state)
{
    (void)state;
    one(reply("200 OK",
              "{\"items\":[{\"id\":7,\"time\":\"T\",\"topic\":\"t\",\"code\":\"payload.invalid\","
              "\"path\":\"/a\",\"detail\":\"d\"}],\"next\":null}"),
        "rejections --topic t --key-id a/b --limit 5", 0, "payload.invalid", "");
    assert_non_null(
        strstr(server.asked[0], "GET /v1/rejections?topic=t&key_id=a%2Fb&limit=5 HTTP"));
    one(reply("200 OK", "{\"ok\":false   }"), "audit verify", 1, "ALTERED", "");
    one(reply("200 OK", "{\"ok\":true    }"), "audit verify", 0, "whole", "");
    /* Following: the newest first page is turned round, then what comes after the largest number.
     */
    start(3, reply("200 OK", "{\"items\":[{\"seq\":2},{\"seq\":1}],\"next\":null}"),
          reply("200 OK", "{\"items\":[{\"seq\":3}],\"next\":null}"),
          reply("503 Busy", "{\"code\":\"away\",\"detail\":\"no leader\"}"));
    help_expect("audit --follow -o json", 3, "{\"seq\":1}\n{\"seq\":2}\n{\"seq\":3}\n",
                "no leader");
    stop();
    assert_non_null(strstr(server.asked[0], "GET /v1/audit?limit=10 "));
    assert_non_null(strstr(server.asked[1], "GET /v1/audit?limit=100&order=asc&cursor=2 "));
    assert_non_null(strstr(server.asked[2], "cursor=3 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lists, enter, leave),
        cmocka_unit_test_setup_teardown(test_problems, enter, leave),
        cmocka_unit_test_setup_teardown(test_broken_answers, enter, leave),
        cmocka_unit_test_setup_teardown(test_changes, enter, leave),
        cmocka_unit_test_setup_teardown(test_tokens, enter, leave),
        cmocka_unit_test_setup_teardown(test_targets, enter, leave),
        cmocka_unit_test_setup_teardown(test_ledgers, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
