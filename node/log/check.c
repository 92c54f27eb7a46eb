#include "log/state.h"

static void check_plog(const struct store *s, const struct plog *p)
{
    ASSERT(!p->deleted && p->store == s && p->segments_n > 0);
    ASSERT(0 <= p->start && p->start <= p->start_wanted && p->start_packed <= p->start_wanted);
    ASSERT(p->start_wanted <= p->stable.offset);
    ASSERT(p->stable.offset <= p->synced.offset && p->stable.offset <= p->written.offset);
    ASSERT(p->synced.offset <= p->end.offset && p->written.offset <= p->end.offset);
    ASSERT(p->note_offset <= p->end.offset);
    for (uint32_t i = 0; i < p->segments_n; i++) {
        const struct log_segment *g = &p->segment[i];
        bool active = i + 1 == p->segments_n;
        ASSERT(active || (g->size > 0 && g->base < g[1].base));
        ASSERT(g->base <= p->end.offset && (active || g[1].base <= p->end.offset));
        ASSERT((g->size == 0) == (g->max_offset < 0));
        for (uint8_t k = 0; k < g->verified_n; k++) {
            ASSERT(g->verified[k].lo < g->verified[k].hi && g->verified[k].hi <= g->size);
            ASSERT(!k || g->verified[k - 1].hi < g->verified[k].lo);
        }
        const struct log_index *x = g->index;
        for (uint32_t k = 0; x && k < x->n; k++) {
            ASSERT(x->entry[k].position >= x->from && x->entry[k].position < g->size);
            ASSERT(!k || (x->entry[k - 1].position < x->entry[k].position &&
                          x->entry[k - 1].offset < x->entry[k].offset &&
                          x->entry[k - 1].max_before <= x->entry[k].max_before));
        }
        ASSERT(!x || x->covered <= g->size);
    }
    for (uint32_t i = 1; i < p->epochs_n; i++) {
        ASSERT(p->epoch[i - 1].epoch < p->epoch[i].epoch &&
               p->epoch[i - 1].start_offset < p->epoch[i].start_offset);
    }
}

static void check_journal(const struct store *s)
{
    const struct log_journal *j = &s->journal;
    ASSERT(j->replay_lsn <= j->synced_lsn && j->synced_lsn <= j->lsn);
    ASSERT(s->group.active || s->failed || j->synced_lsn == j->lsn);
    for (uint32_t i = 0; i < LOG_SLOTS_MAX; i++) {
        const struct log_slot *t = &j->slot[i];
        ASSERT(t->state != SLOT_USED || (t->start_lsn <= t->end_lsn && t->seq < j->next_seq));
        ASSERT((t->state == SLOT_PREPARING) == (j->prepare_slot == (int)i));
    }
    ASSERT(j->current < 0 ||
           (j->slot[j->current].state == SLOT_USED && j->position <= j->slot[j->current].capacity &&
            j->slot[j->current].end_lsn == j->lsn));
}

void store_check_invariants(const struct store *s)
{
    size_t plogs = 0, failed = 0;
    uint64_t bytes = 0;
    for (const struct plog *p = s->first; p; p = p->next) {
        check_plog(s, p);
        plogs++;
    }
    ASSERT(plogs == s->plogs_n && plogs == s->by_id.n && plogs <= s->by_no.n);
    check_journal(s);
    uint64_t serial = 0;
    for (const struct log_row *r = s->file_first; r; r = r->next) {
        ASSERT(r->serial > serial && s->row[r->slot] == r);
        serial = r->serial;
        failed += r->failed;
        bytes += r->kind == ROW_WRITE ? r->bytes : 0;
    }
    ASSERT(failed == s->rows_failed);
    for (size_t i = 0; i < s->entries_n; i++) {
        const struct log_entry *e = &s->entry[(s->entries_head + i) & (s->entries_cap - 1)];
        bytes += e->kind == LOG_BATCH ? e->bytes.n : 0;
    }
    ASSERT(bytes == s->pending_bytes);
}
