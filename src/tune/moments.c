// Moments of a layer's input: rows of many samples, block by block.
#include "tune/moments.h"

#include "tune/streams.h"

// One in so many samples of the lockstep judges.
enum { JUDGE_EVERY = 4 };
// Rows that moments are taken of: some for each input of a sum, between two limits; or twice as many.
enum { ROWS_PER_INPUT = 2, LEAST_ROWS = 1024, MOST_ROWS = 6144 };

// A sample, and which of all rows it gives.
typedef struct source {
    size_t sample, first, count;
    oq_streams streams; // while it is open
    int64_t *at;        // [cells, count] where the rows lie; NULL: it is not open
} source;

typedef struct gathering {
    const oq_moments *m;
    oq_gram *gram;
    source *sources; // [count]
    size_t count, rows;
    size_t begin, done, block; // first source that is needed; rows taken in; rows on the way
} gathering;

static bool judges(const oq_lockstep *l, size_t sample) {
    return l->samples >= JUDGE_EVERY && sample % JUDGE_EVERY == JUDGE_EVERY - 1;
}

size_t oq_moments_samples(const oq_lockstep *l, bool judging) {
    size_t count = 0;
    for (size_t s = 0; s < l->samples; s++) count += judges(l, s) == judging;
    return count;
}

static size_t quota(const oq_moments *m) {
    const size_t factor = m->many ? 2 : 1, least = factor * LEAST_ROWS;
    size_t want = factor * ROWS_PER_INPUT * m->depth;
    want = want < least ? least : want > MOST_ROWS ? MOST_ROWS : want;
    const size_t fitting = oq_moments_samples(m->l, false);
    return (want + fitting - 1) / fitting;
}

static oq_status list_sources(gathering *g, bool judging, oq_error *err) {
    const oq_moments *m = g->m;
    const size_t most = quota(m);
    g->sources = oq_mem_calloc(m->l->mem, oq_moments_samples(m->l, judging) + 1, sizeof *g->sources, err);
    if (!g->sources) return ONNXQ_NO_MEMORY;
    for (size_t s = 0; s < m->l->samples; s++) {
        source *to = &g->sources[g->count];
        if (judges(m->l, s) != judging) continue;
        const oq_value *x = oq_lockstep_at(m->l, s, OQ_STREAM_FLOAT, m->part->inputs[m->input]);
        oq_patches patches;
        OQ_TRY(oq_patches_of(m->l->graph, m->layer, &x->tensor.shape, &patches, err));
        to->sample = s;
        to->first = g->rows;
        to->count = patches.positions < most ? patches.positions : most;
        g->rows += to->count;
        g->count++;
    }
    return ONNXQ_OK;
}

static void close_source(oq_mem *mem, source *s) {
    oq_streams_close(&s->streams);
    oq_mem_free(mem, s->at);
    s->at = NULL;
}

static oq_status open_source(void *self, size_t index, size_t worker, oq_error *err) {
    const gathering *g = self;
    const oq_moments *m = g->m;
    source *s = &g->sources[g->begin + index];
    const oq_patches *p = &s->streams.patches;
    (void)worker;
    if (s->at) return ONNXQ_OK;
    OQ_TRY(oq_streams_open(m->l, m->part, m->input, s->sample, &s->streams, err));
    s->at = oq_mem_alloc(m->l->mem, (p->cells * s->count + 1) * sizeof *s->at, err);
    if (!s->at) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < s->count; i++)
        oq_patches_locate(p, oq_patches_choose(p, s->count, i, s->sample), s->at + i, s->count);
    return ONNXQ_OK;
}

static void fill_columns(const void *self, size_t from, size_t to, float *x, float *x_quantized,
                         size_t pitch) {
    const gathering *g = self;
    const source *s = &g->sources[g->begin];
    for (size_t row = g->done; row < g->done + g->block; s++) {
        const size_t first = row - s->first, left = s->count - first, rest = g->done + g->block - row,
                     count = left < rest ? left : rest, i = row - g->done;
        for (int stream = 0; stream < OQ_STREAMS; stream++)
            oq_patches_columns(&s->streams.patches, &s->streams.from[stream], s->at + first, s->count, count,
                               from, to, (stream == OQ_STREAM_FLOAT ? x : x_quantized) + i, pitch);
        row += count;
    }
}

// As many rows as there is room for.
static oq_status gather_block(gathering *g, oq_error *err) {
    oq_pool *pool = g->m->l->pool;
    const oq_gram_source rows = {.self = g, .fill = fill_columns};
    const size_t left = g->rows - g->done;
    size_t end = g->begin;
    g->block = left < OQ_GRAM_ROOM ? left : OQ_GRAM_ROOM;
    while (end < g->count && g->sources[end].first < g->done + g->block) end++;
    OQ_TRY(oq_pool_run(pool, end - g->begin, open_source, g, err));
    OQ_TRY(oq_gram_add(g->gram, g->block, &rows, err));
    g->done += g->block;
    while (g->begin < end && g->sources[g->begin].first + g->sources[g->begin].count <= g->done)
        close_source(g->m->l->mem, &g->sources[g->begin++]);
    return ONNXQ_OK;
}

oq_status oq_moments_gather(const oq_moments *m, bool judging, oq_gram *gram, oq_error *err) {
    gathering g = {.m = m, .gram = gram};
    oq_status status = oq_gram_begin(gram, m->l->mem, m->l->pool, m->groups, m->depth, m->centred, err);
    if (status == ONNXQ_OK) status = list_sources(&g, judging, err);
    while (status == ONNXQ_OK && g.done < g.rows) status = gather_block(&g, err);
    for (size_t i = 0; g.sources && i < g.count; i++) close_source(m->l->mem, &g.sources[i]);
    oq_mem_free(m->l->mem, g.sources);
    return status == ONNXQ_OK ? oq_gram_end(gram, err) : status;
}
