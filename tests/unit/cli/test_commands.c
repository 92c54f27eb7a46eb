/* The commands that need no node, and what is said to one who types something wrong. */
#include "base/codec.h"
#include "cli/cli.h"
#include "cli_help.h"
#include "sign/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

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

static void test_usage(void **state)
{
    (void)state;
    help_expect("", 2, "", "Usage: writ COMMAND");
    help_expect("--help", 0, "writ COMMAND --help teaches one", "");
    help_expect("help key new", 0, "writ key new", "");
    help_expect("apply --help", 0, "Applying the same folder twice changes nothing", "");
    help_expect("get topics --help", 0, "--prefix PREFIX", "");
    help_expect("aply", 2, "", "did you mean writ apply");
    help_expect("key", 2, "", "writ key revoke PRODUCER ID");
    help_expect("key nw", 2, "", "Not nw");
    help_expect("get", 2, "", "an argument is missing");
    help_expect("get topics a b", 2, "", "one argument too many: \"b\"");
    help_expect("status x", 2, "", "takes no arguments");
    help_expect("get topics --prefx a", 2, "", "did you mean --prefix");
    help_expect("get topics --prefix", 2, "", "needs a value");
    help_expect("get topics -o xml", 2, "", "json, yaml or table");
    help_expect("get topics -x", 2, "", "no option -x");
    help_expect("get schemas", 2, "", "part of its topic's contract");
    help_expect("get teems", 2, "", "did you mean teams");
    help_expect("apply", 2, "", "-f");
    help_expect("apply -f none", 2, "", "none: No such file");
    help_expect("plan -f none --prune", 2, "", "--scope");
    help_expect("plan -f none --if-version x", 2, "", "is a number");
    help_expect("audit --follow=yes", 2, "", "takes no value");
    help_expect("get topics --server https://a", 2, "", "TLS");
    help_expect("get topics --server http://a/b", 2, "", "without a path");
    help_expect("get topics --server a:b", 2, "", "not a port");
    help_expect("get topics --token-file none", 2, "", "none: No such file");
    help_expect("get topics --data .", 3, "", "no node runs on .");
    help_expect("completion zsh", 2, "", "only for bash");
    assert_true(cli_knows("key") && cli_knows("apply") && cli_knows("--help"));
    assert_false(cli_knows("serve") || cli_knows("ke") || cli_knows("key new"));
}

/* bash takes the script, and completes from it. */
static void test_completion(void **state)
{
    struct outcome o = help_run("completion bash", NULL, 0);
    (void)state;
    assert_int_equal(o.rc, 0);
    help_file("c.bash", bytes_cstr(&o.out));
    help_file("t.bash", ". ./c.bash\n"
                        "try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($#-1)); _writ;"
                        " echo \"${COMPREPLY[*]}\"; }\n"
                        "try writ ap; try writ key re; try writ sign --rec; try writ key new --o;\n"
                        "try writ audit verify --toke\n");
    assert_int_equal(system("bash t.bash > out.txt"), 0);
    struct bytes out = help_read("out.txt");
    assert_string_equal(bytes_cstr(&out), "apply\nrevoke\n--record-key\n--out --output\n"
                                          "--token-file\n");
    bytes_free(&out);
    outcome_free(&o);
}

static void test_key_new(void **state)
{
    struct stat st;
    (void)state;
    help_expect("key new --kid shop/k1 --out a.key", 0, "name: shop\n", "");
    assert_int_equal(stat("a.key", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct bytes first = help_read("a.key");
    help_expect("key new --out a.key", 1, "", "never overwritten");
    struct bytes second = help_read("a.key");
    assert_string_equal(bytes_cstr(&first), bytes_cstr(&second));
    assert_non_null(strstr(bytes_cstr(&first), "\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                                               "\"kid\":\"shop/k1\""));
    bytes_free(&first);
    bytes_free(&second);
    help_expect("key new --kid shop", 2, "", "PRODUCER/KEY");
    struct outcome o = help_run("key new --kid a/b --out b.key -o json", NULL, 0);
    assert_int_equal(o.rc, 0);
    assert_non_null(strstr(bytes_cstr(&o.out), "\"kid\":\"a/b\",\"public_key\":\""));
    assert_null(strstr(bytes_cstr(&o.out), "\"d\""));
    outcome_free(&o);
}

static void test_sign_and_verify(void **state)
{
    char words[2048], line[1200];
    static const char value[] = "{\"a\":1}\n";
    (void)state;
    help_expect("key new --kid shop/k1 --out a.key", 0, "", "");
    help_expect("key new --kid shop/k2 --out b.key", 0, "", "");
    struct outcome o = help_run("sign --key a.key --topic t --record-key k -H h=1 -H x=2 "
                                "--sign-header h",
                                value, sizeof value - 1);
    assert_int_equal(o.rc, 0);
    assert_int_equal(strncmp(bytes_cstr(&o.out), "x-jws-signature=", 16), 0);
    (void)snprintf(line, sizeof line, "%.*s", (int)o.out.n - 1, (const char *)o.out.p);
    outcome_free(&o);

    static const struct {
        const char *rest, *input, *said;
        int rc;
    } cases[] = {
        {"--topic t --record-key k -H h=1 --public a.key", value, "ok: signed by shop/k1", 0},
        {"--topic t --record-key k -H h=1 -H y=9 --public a.key", value, "covering h", 0},
        {"--topic t --record-key k -H h=1 --public a.key --kid shop/k1", value, "ok:", 0},
        {"--topic t --record-key k -H h=1 --public a.key --kid shop/k2", value, "key-unknown", 1},
        {"--topic u --record-key k -H h=1 --public a.key", value, "signature.context", 1},
        {"--topic t --record-key l -H h=1 --public a.key", value, "signature.context", 1},
        {"--topic t -H h=1 --public a.key", value, "signature.context", 1},
        {"--topic t --record-key k -H h=2 --public a.key", value, "signature.context", 1},
        {"--topic t --record-key k -H h=1 --public a.key --null", value, "signature.context", 1},
        {"--topic t --record-key k -H h=1 --public a.key --line", value, "signature.invalid", 1},
        {"--topic t --record-key k -H h=1 --public a.key", "{\"a\":2}\n", "signature.invalid", 1},
        {"--topic t --record-key k -H h=1 --public b.key", value, "signature.invalid", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(words, sizeof words, "verify --signature %s %s", line, cases[i].rest);
        o = help_run(words, cases[i].input, strlen(cases[i].input));
        if (o.rc != cases[i].rc || strstr(bytes_cstr(&o.out), cases[i].said) == NULL)
            fail_msg("%s: %d %s%s", cases[i].rest, o.rc, bytes_cstr(&o.out), bytes_cstr(&o.err));
        outcome_free(&o);
    }
    help_expect("verify --public a.key --signature x --topic t", 1, "signature.malformed", "");
    help_expect("sign --topic t", 2, "", "--key");
    help_expect("sign --key a.key", 2, "", "--topic");
    help_expect("sign --key none --topic t", 2, "", "none: No such file");
    help_expect("sign --key a.key --topic t --kid x", 2, "", "PRODUCER/KEY");
    help_expect("sign --key a.key --topic t -H h", 2, "", "NAME=VALUE");
}

/* The signature of one line of --batch, over `key` and `value`. */
static void check_line(const char *line, size_t n, const struct bytes *public_key, struct slice key,
                       struct slice value)
{
    struct sign_envelope e;
    struct sign_record r = {.topic = SLICE_LIT("t"), .key = key, .value = value};
    assert_int_equal(sign_decode(slice_of(line, n), &e, NULL), SIGN_OK);
    assert_int_equal(sign_check_context(&e, &r), SIGN_OK);
    assert_int_equal(sign_verify(&e, value, public_key->p), SIGN_OK);
}

static void batch(const char *words, const char *input, size_t input_n,
                  const struct bytes *public_key, const struct slice *keys,
                  const struct slice *values, size_t n)
{
    struct outcome o = help_run(words, input, input_n);
    assert_int_equal(o.rc, 0);
    const char *p = bytes_cstr(&o.out);
    for (size_t i = 0; i < n; i++) {
        size_t length = strcspn(p, "\n");
        check_line(p, length, public_key, keys[i], values[i]);
        p += length + 1;
    }
    assert_int_equal(*p, 0);
    outcome_free(&o);
}

static void test_batch(void **state)
{
    struct bytes public_key = {0};
    size_t n;
    (void)state;
    struct outcome o = help_run("key new --kid shop/k1 --out a.key -o json", NULL, 0);
    const char *at = strstr(bytes_cstr(&o.out), "\"public_key\":\"");
    bytes_reserve(&public_key, 32);
    assert_true(base64url_get(slice_of(at + 14, 43), public_key.p, 32, &n));
    outcome_free(&o);

    const struct slice none[] = {SLICE_NULL, SLICE_NULL, SLICE_NULL};
    const struct slice three[] = {SLICE_LIT("one"), slice_of("", 0), SLICE_LIT("three")};
    batch("sign --key a.key --topic t --batch", "one\n\nthree\n", 11, &public_key, none, three, 3);
    batch("sign --key a.key --topic t --batch", "one\n\nthree", 10, &public_key, none, three, 3);
    const struct slice lines[] = {SLICE_LIT("a\nb"), SLICE_LIT("c")};
    batch("sign --key a.key --topic t --batch -0", "a\nb\0c\0", 6, &public_key, none, lines, 2);
    const struct slice keys[] = {SLICE_LIT("k"), SLICE_NULL, slice_of("", 0)};
    const struct slice values[] = {SLICE_LIT("v|w"), SLICE_LIT("x"), slice_of("", 0)};
    batch("sign --key a.key --topic t --batch -K |", "k|v|w\nx\n|\n", 10, &public_key, keys, values,
          3);
    batch("sign --key a.key --topic t --batch", "", 0, &public_key, none, none, 0);
    bytes_free(&public_key);
}

static void test_damaged_key_files(void **state)
{
    (void)state;
    help_file("a.key", "{}");
    help_expect("sign --key a.key --topic t", 2, "", "not an Ed25519 key");
    help_file("a.key", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a/b\","
                       "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}");
    help_expect("sign --key a.key --topic t", 2, "", "public key");
    /* RFC 8037's key with another's public part. */
    help_file("a.key", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a/b\","
                       "\"x\":\"03Uf7xOM-y6zwJWN8JT8pHm46zKv3m3603gQNxjuy1s\","
                       "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}");
    help_expect("sign --key a.key --topic t", 2, "", "does not fit");
    help_file("a.key", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a/b\","
                       "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
                       "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}");
    help_expect("sign --key a.key --topic t", 0, "x-jws-signature=", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_usage, enter, leave),
        cmocka_unit_test_setup_teardown(test_completion, enter, leave),
        cmocka_unit_test_setup_teardown(test_key_new, enter, leave),
        cmocka_unit_test_setup_teardown(test_sign_and_verify, enter, leave),
        cmocka_unit_test_setup_teardown(test_batch, enter, leave),
        cmocka_unit_test_setup_teardown(test_damaged_key_files, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
