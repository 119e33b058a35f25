// Mean errors of products.
#include "tune/means.h"

#include "tune/streams.h"

// Samples that are looked at together, and parts into which their channels are divided.
enum { TOGETHER = 8, PARTS = 16 };

typedef struct source {
    oq_streams streams;
    int64_t *line_of;
} source;

typedef struct means {
    oq_lockstep *l;
    const oq_lockstep_part *part;
    size_t input, from, count; // samples [from, from + count)
    source sources[TOGETHER];
    size_t groups, depth, channels;
    double *sum[OQ_STREAMS]; // [groups * depth]
    void *work;              // [threads]
    size_t work_bytes;
    double positions;
} means;

static oq_status open_source(void *self, size_t index, size_t worker, oq_error *err) {
    means *m = self;
    source *s = &m->sources[index];
    (void)worker;
    OQ_TRY(oq_streams_open(m->l, m->part, m->input, m->from + index, &s->streams, err));
    const size_t lines = oq_patches_lines(&s->streams.patches);
    s->line_of = oq_mem_alloc(m->l->mem, (lines + 1) * sizeof *s->line_of, err);
    if (!s->line_of) return ONNXQ_NO_MEMORY;
    oq_patches_find_lines(&s->streams.patches, s->line_of);
    return ONNXQ_OK;
}

static void close_sources(means *m) {
    for (size_t i = 0; i < TOGETHER; i++) {
        oq_streams_close(&m->sources[i].streams);
        oq_mem_free(m->l->mem, m->sources[i].line_of);
        m->sources[i] = (source){0};
    }
}

// Some channels of all samples that are open, one sample after the other.
static oq_status add_channels(void *self, size_t index, size_t worker, oq_error *err) {
    const means *m = self;
    const size_t from = index * m->channels / PARTS, to = (index + 1) * m->channels / PARTS;
    void *work = (char *)m->work + worker * m->work_bytes;
    (void)err;
    for (size_t i = 0; i < m->count; i++)
        for (int stream = 0; stream < OQ_STREAMS; stream++)
            oq_patches_add_up(&m->sources[i].streams.patches, &m->sources[i].streams.from[stream],
                              m->sources[i].line_of, from, to, work, m->sum[stream]);
    return ONNXQ_OK;
}

static oq_status make_work(means *m, oq_error *err) {
    size_t most = 0;
    for (size_t i = 0; i < m->count; i++) {
        const size_t bytes = oq_patches_work(&m->sources[i].streams.patches);
        if (bytes > most) most = bytes;
    }
    if (most <= m->work_bytes) return ONNXQ_OK;
    m->work_bytes = (most + OQ_ALIGNMENT - 1) / OQ_ALIGNMENT * OQ_ALIGNMENT;
    oq_mem_free(m->l->mem, m->work);
    m->work = oq_mem_alloc(m->l->mem, oq_pool_threads(m->l->pool) * m->work_bytes, err);
    return m->work ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static oq_status add_samples(means *m, oq_error *err) {
    oq_pool *pool = m->l->pool;
    for (m->from = 0; m->from < m->l->samples; m->from += m->count) {
        const size_t left = m->l->samples - m->from;
        m->count = left < TOGETHER ? left : TOGETHER;
        OQ_TRY(oq_pool_run(pool, m->count, open_source, m, err));
        OQ_TRY(make_work(m, err));
        OQ_TRY(oq_pool_run(pool, PARTS, add_channels, m, err));
        for (size_t i = 0; i < m->count; i++) m->positions += (double)m->sources[i].streams.patches.positions;
        close_sources(m);
    }
    return ONNXQ_OK;
}

// W E[x] - W^ E[x^] of one row; in one sum, so that equal weights and inputs give exactly nothing.
static double error_of(const means *m, const oq_weight_rows *rows, size_t row) {
    const size_t first = row / (rows->outputs / m->groups) * m->depth,
                 params = (rows->depth + rows->group - 1) / rows->group;
    double sum = 0;
    for (size_t k = 0; k < m->depth; k++) {
        const size_t at = row * m->depth + k;
        const float w = oq_dequantize_one(rows->params[row * params + k / rows->group], rows->q[at]);
        sum += (double)rows->w[at] * m->sum[OQ_STREAM_FLOAT][first + k] -
               (double)w * m->sum[OQ_STREAM_QUANTIZED][first + k];
    }
    return m->positions > 0 ? sum / m->positions : 0;
}

static oq_status begin(means *m, oq_error *err) {
    const oq_value *x = oq_lockstep_at(m->l, 0, OQ_STREAM_FLOAT, m->part->inputs[m->input]);
    oq_patches p;
    OQ_TRY(oq_patches_of(m->l->graph, oq_plan_layer(m->l->plan, (size_t)m->part->layer), &x->tensor.shape, &p,
                         err));
    m->groups = p.groups;
    m->depth = p.depth;
    m->channels = p.channels;
    for (int stream = 0; stream < OQ_STREAMS; stream++) {
        m->sum[stream] = oq_mem_calloc(m->l->mem, m->groups * m->depth + 1, sizeof(double), err);
        if (!m->sum[stream]) return ONNXQ_NO_MEMORY;
    }
    return ONNXQ_OK;
}

static void end(means *m) {
    close_sources(m);
    oq_mem_free(m->l->mem, m->work);
    for (int stream = 0; stream < OQ_STREAMS; stream++) oq_mem_free(m->l->mem, m->sum[stream]);
}

oq_status oq_mean_errors(oq_lockstep *l, const oq_lockstep_part *part, float *shift, bool *known,
                         oq_error *err) {
    const oq_layer *layer = oq_plan_layer(l->plan, (size_t)part->layer);
    means m = {.l = l, .part = part};
    oq_weight_rows rows = {0};
    oq_status status;
    *known = oq_plan_rows_are_channels(layer) && oq_streams_find(l, part, &m.input);
    if (!*known) return ONNXQ_OK;
    OQ_TRY_DONE(begin(&m, err));
    OQ_TRY_DONE(add_samples(&m, err));
    OQ_TRY_DONE(oq_plan_take_rows(l->plan, layer, &rows, err));
    for (size_t o = 0; o < rows.outputs; o++) shift[o] = (float)error_of(&m, &rows, o);
done:
    oq_weight_rows_release(&rows);
    end(&m);
    return status;
}
