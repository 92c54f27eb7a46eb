/* The catalogue of the world: the real one, with Raft replaced by nothing but delay. */
#include "harness/inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void play_random(struct world *w, struct request *r)
{
    for (size_t i = 0; i < sizeof r->random; i++)
        r->random[i] = (uint8_t)world_random(w, 256);
}

/* Decides and applies at once; the result is the caller's. */
static struct result *play_now(struct world *w, struct request *r, bool *changed)
{
    struct bytes facts = {0}, audit = {0};
    struct result *out = MEM_NEW(struct result);
    play_random(w, r);
    uint64_t before = catalogue_version(w->catalogue);
    catalogue_decide(w->catalogue, r, &facts, out);
    if (facts.n) {
        result_free(out);
        memset(out, 0, sizeof *out);
        catalogue_apply(w->catalogue, ++w->applied, bytes_slice(&facts), r, out, &audit);
    }
    catalogue_check_invariants(w->catalogue);
    *changed = catalogue_version(w->catalogue) != before;
    bytes_free(&facts);
    bytes_free(&audit);
    return out;
}

void play_catalogue_open(struct world *w)
{
    struct err err = {0};
    bool changed;
    if (catalogue_open(&w->catalogue, &err))
        fail_msg("catalogue: %s", err.msg);
    catalogue_set_controller(w->catalogue, 1);
    struct request *r = request_new(REQUEST_BOOTSTRAP);
    r->now_ms = world_now_ms(w);
    r->principal = SLICE_LIT("test");
    r->governance_off = w->options.governance_off;
    struct result *out = play_now(w, r, &changed);
    if (out->code != ERR_OK)
        fail_msg("bootstrap: %s", out->message);
    result_free(out);
    mem_free(out);
    request_free(r);
    r = request_new(REQUEST_NODE_REGISTER);
    r->now_ms = world_now_ms(w);
    r->principal = SLICE_LIT("test");
    r->node = (struct view_node){
        .id = 1,
        .kafka_host = SLICE_LIT("node1.example"),
        .kafka_port = 9092,
        .admin_url = SLICE_LIT("http://node1.example:9192"),
        .rack = SLICE_LIT(""),
        .role = SLICE_LIT("voter"),
        .state = SLICE_LIT("active"),
        .broker_epoch = 1,
        .raft_id = 1,
    };
    out = play_now(w, r, &changed);
    if (out->code != ERR_OK)
        fail_msg("node: %s", out->message);
    result_free(out);
    mem_free(out);
    request_free(r);
}

void play_request(struct world *w, struct request *r)
{
    if (w->hold) {
        if (w->held_n == w->held_cap) {
            w->held_cap = w->held_cap ? w->held_cap * 2 : 8;
            w->held = mem_realloc(w->held, w->held_cap * sizeof *w->held);
        }
        w->held[w->held_n++] = r;
        return;
    }
    item_push(w, (struct item){.kind = ITEM_DECIDE, .request = r}, world_delay(w, 200, 5000));
}

void world_hold_catalogue(struct world *w, bool hold)
{
    w->hold = hold;
    if (hold)
        return;
    for (size_t i = 0; i < w->held_n; i++)
        play_request(w, w->held[i]);
    w->held_n = 0;
}

/* The view and the result travel on their own: either may come first. */
void play_decide(struct world *w, struct request *r)
{
    bool changed;
    struct result *out = play_now(w, r, &changed);
    out->request_id = r->id;
    if (changed) {
        /* Views keep their order among themselves. */
        static const int64_t after_us = 1000;
        item_push(w, (struct item){.kind = ITEM_VIEW, .view = catalogue_view(w->catalogue)},
                  after_us);
    }
    item_push(w, (struct item){.kind = ITEM_RESULT, .result = out}, world_delay(w, 10, 3000));
    request_free(r);
}

void play_result(struct world *w, struct result *r)
{
    if (r->request_id == w->own_request) {
        w->own_result = r;
    } else if (w->broker) {
        world_event(w, &(struct event){.kind = EVENT_CATALOGUE, .result = r});
    } else {
        result_free(r);
        mem_free(r);
    }
}

struct result *world_request(struct world *w, struct request *r)
{
    w->own_request = r->id = (uint64_t)1 << 62 | w->order;
    w->own_result = NULL;
    r->now_ms = world_now_ms(w);
    if (!r->principal.p)
        r->principal = SLICE_LIT("test");
    play_request(w, r);
    while (!w->own_result && world_step(w))
        ;
    struct result *out = w->own_result;
    assert_non_null(out);
    while (w->broker && out->code == ERR_OK && w->enforced < out->version && world_step(w))
        ;
    return out;
}

const struct view *world_view(struct world *w)
{
    return catalogue_view(w->catalogue);
}

/* ---- documents ---- */

static void play_fail(const struct document_errors *es)
{
    for (size_t i = 0; i < es->n; i++)
        print_error("%s at %s: %s\n", es->item[i].code, es->item[i].pointer, es->item[i].detail);
    fail_msg("documents refused");
}

void world_apply(struct world *w, const char *documents)
{
    struct json_doc doc = {0};
    struct err err = {0};
    struct document_errors errors = {0};
    if (json_parse(&doc, slice_str(documents), NULL, &err))
        fail_msg("documents: %s", err.msg);
    struct request *r = request_new(REQUEST_APPLY);
    r->documents_n = doc.node[0].count;
    r->documents = mem_zalloc(r->documents_n, sizeof *r->documents);
    size_t n = 0;
    for (uint32_t i = json_first(&doc, 0); i != JSON_NONE; i = json_sibling(&doc, 0, i)) {
        struct request_document *d = &r->documents[n++];
        d->document = document_parse(&doc, i, &errors);
        if (!d->document || document_compile(d->document, &d->schema, &errors))
            play_fail(&errors);
    }
    struct result *out = world_request(w, r);
    if (out->code != ERR_OK) {
        print_error("%s: %s\n", out->reason, out->message);
        play_fail(&out->violations);
    }
    result_free(out);
    mem_free(out);
    document_errors_free(&errors);
    json_free(&doc);
}
