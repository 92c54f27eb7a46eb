/* Prints the generated parts of the documentation, so that they follow from the tables:
 *   policy_docs contracts    the reference section of docs/contracts.md
 *   policy_docs verdicts     docs/verdicts.md */
#include "base/bytes.h"
#include "base/check.h"
#include "base/codec.h"
#include "policy/fields.h"
#include "policy/verdict.h"

#include <stdio.h>

static const char *type_text(const struct field *f)
{
    switch (f->type) {
    case FIELD_NAME:
        return "name";
    case FIELD_TEXT:
        return "text";
    case FIELD_BOOL:
    case FIELD_TRISTATE:
        return "true, false";
    case FIELD_SWITCH:
        return "on, off";
    case FIELD_INT:
        return "whole number";
    case FIELD_DURATION:
        return "duration";
    case FIELD_SIZE:
        return "size";
    case FIELD_TIME:
        return "time";
    case FIELD_LIST:
        return "list of texts";
    case FIELD_PATTERN:
        return "pattern";
    case FIELD_SOURCE:
        return "text or JSON";
    case FIELD_SOURCES:
        return "list of texts or JSON";
    case FIELD_TAGS:
        return "map of texts";
    case FIELD_PUBLIC_KEY:
        return "base64url";
    case FIELD_KEYS:
        return "list of keys";
    default:
        return "one of";
    }
}

static void put_choices(struct bytes *out, const struct field *f, bool built)
{
    unsigned n = 0;
    for (const struct field_choice *c = f->choices; c->name != NULL; c++) {
        if (c->built == built)
            bytes_printf(out, "%s`%s`", n++ > 0 ? ", " : "", c->name);
    }
}

static bool has_unbuilt(const struct field *f)
{
    for (const struct field_choice *c = f->choices; c != NULL && c->name != NULL; c++) {
        if (!c->built)
            return true;
    }
    return false;
}

static void put_limit(struct bytes *out, const struct field *f)
{
    char text[TIME_TEXT_SIZE];
    if (f->most == 0 || f->most == INT64_MAX)
        return;
    switch (f->type) {
    case FIELD_DURATION:
        duration_text(f->least, text);
        bytes_printf(out, " From %s", text);
        duration_text(f->most, text);
        bytes_printf(out, " to %s.", text);
        return;
    case FIELD_SIZE:
        size_text(f->most, text);
        bytes_printf(out, " At most %s.", text);
        return;
    case FIELD_INT:
        bytes_printf(out, " From %lld to %lld.", (long long)f->least, (long long)f->most);
        return;
    case FIELD_LIST:
    case FIELD_SOURCES:
    case FIELD_TAGS:
    case FIELD_KEYS:
        bytes_printf(out, " At most %lld", (long long)f->most);
        if (f->item_most > 0)
            bytes_printf(out, ", each up to %u bytes", f->item_most);
        bytes_add_str(out, ".");
        return;
    case FIELD_CHOICES:
        return;
    default:
        bytes_printf(out, " At most %lld bytes.", (long long)f->most);
    }
}

static void put_default(struct bytes *out, const struct field *f)
{
    if (f->standard == NULL)
        bytes_add_str(out, "required");
    else if (strcmp(f->standard, "null") == 0)
        bytes_add_str(out, "unset");
    else if (f->standard[0] == '\0')
        bytes_add_str(out, "empty");
    else
        bytes_printf(out, "`%s`", f->standard);
}

static void put_meanings(struct bytes *out, const struct field *f)
{
    for (const struct field_choice *c = f->choices; c != NULL && c->name != NULL; c++) {
        if (c->built && c->about != NULL && f->type != FIELD_CHOICES)
            bytes_printf(out, " `%s`: %s.", c->name, c->about);
    }
    if (has_unbuilt(f)) {
        bytes_add_str(out, " Not built yet: ");
        put_choices(out, f, false);
        bytes_add_str(out, ".");
    }
}

static void put_table(struct bytes *out, const struct field_table *t)
{
    unsigned unbuilt = 0;
    bytes_printf(out, "### %s\n\n%s\n\n", t->title, t->about);
    bytes_add_str(out, "| field | value | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->field[i];
        if (f->type == FIELD_NOT_BUILT) {
            unbuilt++;
            continue;
        }
        bytes_printf(out, "| `%s` | ", f->path);
        if (f->choices != NULL) {
            bytes_add_str(out, f->type == FIELD_CHOICES ? "list of " : "");
            put_choices(out, f, true);
        } else {
            bytes_add_str(out, type_text(f));
        }
        bytes_add_str(out, " | ");
        put_default(out, f);
        bytes_printf(out, " | %s", f->about);
        put_limit(out, f);
        put_meanings(out, f);
        bytes_add_str(out, " |\n");
    }
    bytes_add_str(out, "\n");
    if (unbuilt == 0)
        return;
    bytes_add_str(out, "Known and refused, because they are not built yet:\n\n");
    for (size_t i = 0; i < t->n; i++) {
        if (t->field[i].type == FIELD_NOT_BUILT)
            bytes_printf(out, "- `%s`: %s\n", t->field[i].path, t->field[i].about);
    }
    bytes_add_str(out, "\n");
}

static void put_contracts(struct bytes *out)
{
    for (unsigned k = 0; k < DOCUMENT_KINDS; k++) {
        put_table(out, field_table_of((enum document_kind)k));
        if (k == DOCUMENT_PRODUCER)
            put_table(out, field_table_keys());
    }
}

static void put_verdicts(struct bytes *out)
{
    bytes_add_str(
        out,
        "# Verdicts\n\n"
        "Every record that is written to a governed topic gets a verdict. A refusal carries one "
        "of\n"
        "these codes, the place in the record, the rule of the contract, and a sentence. A Kafka\n"
        "client sees it as error 87 (INVALID_RECORD) with the record's index and a message such "
        "as\n"
        "`payload.invalid at /total: must be >= 0 (contract shop.orders.placed v3)`; the "
        "rejection\n"
        "ledger (`writ rejections`) has the rest. Codes are stable: they are never renamed and\n"
        "never used for something else.\n\n"
        "This page is generated from `governance/policy/verdict.h` by `policy_docs`.\n\n"
        "| code | cause | what to do |\n|---|---|---|\n");
    for (unsigned c = VERDICT_ACCEPTED + 1; c < VERDICT_CODE_COUNT; c++)
        bytes_printf(out, "| `%s` | %s | %s |\n", verdict_code_name((enum verdict_code)c),
                     verdict_cause((enum verdict_code)c), verdict_remedy((enum verdict_code)c));
}

int main(int argc, char **argv)
{
    struct bytes out = {0};
    if (argc == 2 && strcmp(argv[1], "contracts") == 0) {
        put_contracts(&out);
    } else if (argc == 2 && strcmp(argv[1], "verdicts") == 0) {
        put_verdicts(&out);
    } else {
        (void)fprintf(stderr, "usage: policy_docs contracts|verdicts\n");
        return 2;
    }
    size_t written = fwrite(out.p, 1, out.n, stdout);
    bool ok = written == out.n;
    bytes_free(&out);
    return ok ? 0 : 1;
}
