// Lockstep: samples that come to those on the way, as memory has room for them.
#include "tune/visit.h"

// Samples [from, from + count) through a part as the plan has it now.
static oq_status replay(oq_lockstep *l, const oq_lockstep_part *part, size_t from, size_t count,
                        oq_error *err) {
    return (part->layer < 0 ? oq_lockstep_pass : oq_lockstep_visit)(l, part, from, count, err);
}

// What samples may keep, once it is known what one of them keeps.
static size_t limit_of(const oq_lockstep *l) {
    const size_t eight = OQ_LOCKSTEP_EIGHT * l->widest;
    if (oq_plan_is_coarse(l->plan)) return OQ_LOCKSTEP_MORE_BYTES;
    return eight < OQ_LOCKSTEP_LEAST   ? OQ_LOCKSTEP_LEAST
           : eight < OQ_LOCKSTEP_BYTES ? eight
                                       : OQ_LOCKSTEP_BYTES;
}

oq_status oq_lockstep_measure(oq_lockstep *l, oq_error *err) {
    OQ_TRY(oq_lockstep_load(l, 0, err));
    for (size_t p = 0; p < l->part_count; p++) {
        l->room[p] = oq_lockstep_bytes(l, 0);
        OQ_TRY(replay(l, &l->parts[p], 0, 1, err));
        const size_t after = oq_lockstep_bytes(l, 0);
        if (l->room[p] < after) l->room[p] = after;
        if (l->room[p] > l->widest) l->widest = l->room[p];
    }
    for (size_t p = l->part_count; p-- > 0;)
        if (l->room[p] < l->room[p + 1]) l->room[p] = l->room[p + 1];
    l->limit = limit_of(l);
    oq_lockstep_unload(l, 0);
    return ONNXQ_OK;
}

static size_t at_most(size_t bytes, size_t limit, size_t least, size_t most) {
    const size_t fit = bytes ? limit / bytes : most;
    return fit < least ? least < most ? least : most : fit < most ? fit : most;
}

oq_status oq_lockstep_join(oq_lockstep *l, size_t part, oq_error *err) {
    const size_t want = at_most(l->room[part], l->limit, 1, l->count),
                 step = at_most(l->widest, l->limit / 4, oq_pool_threads(l->pool), l->count);
    // Each time that samples join, every part before is made ready once more.
    if (want < 2 * l->samples && (want < l->count || l->samples == l->count)) return ONNXQ_OK;
    while (l->samples < want) {
        const size_t from = l->samples, count = want - from < step ? want - from : step;
        for (size_t s = from; s < from + count; s++) OQ_TRY(oq_lockstep_load(l, s, err));
        for (size_t p = 0; p < part; p++) OQ_TRY(replay(l, &l->parts[p], from, count, err));
        l->samples += count;
    }
    return ONNXQ_OK;
}
