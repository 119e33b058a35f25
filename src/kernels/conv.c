// Convolutions: the public functions, and how one image is spread over the threads.
#include "kernels/conv.h"

#include "kernels/table.h"

typedef struct job {
    const oq_kernel_table *table;
    const oq_conv_call *call;
    size_t filters, pixels; // of one group, of the output
    size_t row_step, column_step, row_steps, column_steps;
} job;

static size_t steps(size_t n, size_t step) { return n / step + (n % step != 0); }

static oq_status run_planes(void *self, size_t index, size_t worker, oq_error *err) {
    (void)worker, (void)err;
    const job *j = self;
    const size_t from = index * j->row_step, to = from + j->row_step, filters = j->call->shape->filters;
    j->table->depthwise_planes(j->call, from, to < filters ? to : filters);
    return ONNXQ_OK;
}

static oq_status run_span(void *self, size_t index, size_t worker, oq_error *err) {
    (void)worker, (void)err;
    const job *j = self;
    const size_t column = index % j->column_steps * j->column_step;
    const size_t row = index / j->column_steps % j->row_steps * j->row_step;
    const size_t group = index / j->column_steps / j->row_steps;
    const oq_span span = {row, row + j->row_step < j->filters ? row + j->row_step : j->filters, column,
                          column + j->column_step < j->pixels ? column + j->column_step : j->pixels};
    j->table->conv_span(j->call, group, &span);
    return ONNXQ_OK;
}

// Groups first, then tiles of pixels, then filters; the sums themselves are never split.
static void run(const oq_conv_call *call, oq_pool *pool) {
    const oq_conv_shape *s = call->shape;
    job j = {
        .table = oq_kernels(), .call = call, .filters = s->groups ? s->filters / s->groups : 0, .pixels = 1};
    for (int d = 0; d < s->spatial; d++) j.pixels *= s->out[d];
    if (j.filters == 0 || j.pixels == 0) return;
    const size_t threads = oq_pool_threads(pool), tile = j.table->column_step * 4;
    if (j.table->conv_is_depthwise(s)) {
        j.row_step = threads > 1 ? steps(s->filters, threads * 4) : s->filters;
        (void)oq_pool_run(pool, steps(s->filters, j.row_step), run_planes, &j,
                          NULL); // planes and spans cannot fail
        return;
    }
    j.row_step = j.filters;
    j.column_step = j.pixels;
    if (threads > 1 && s->groups < threads * 2) {
        const size_t wanted = threads * 4, tiles = steps(j.pixels, tile);
        j.column_step = steps(tiles, wanted) * tile;
        if (tiles < threads)
            j.row_step = steps(steps(j.filters, threads), j.table->row_step) * j.table->row_step;
    }
    j.row_steps = steps(j.filters, j.row_step);
    j.column_steps = steps(j.pixels, j.column_step);
    (void)oq_pool_run(pool, s->groups * j.row_steps * j.column_steps, run_span, &j, NULL);
}

size_t oq_conv_f32_packed_bytes(const oq_conv_shape *s) { return oq_kernels()->conv_packed_bytes(s, true); }

void oq_conv_f32_pack(const oq_conv_shape *s, const float *w, void *packed) {
    oq_kernels()->conv_pack(s, w, true, true, packed);
}

void oq_conv_f32_run(const oq_conv_shape *s, const float *x, const void *packed, const float *bias,
                     oq_epilogue epilogue, float low, float high, float *y, oq_pool *pool) {
    const oq_conv_call call = {.shape = s,
                               .packed = packed,
                               .x = x,
                               .y = y,
                               .bias = bias,
                               .epilogue = epilogue,
                               .low = low,
                               .high = high};
    run(&call, pool);
}

size_t oq_conv_8_packed_bytes(const oq_conv_shape *s) { return oq_kernels()->conv_packed_bytes(s, false); }

void oq_conv_8_pack(const oq_conv_shape *s, const void *w, bool w_signed, void *packed) {
    oq_kernels()->conv_pack(s, w, false, w_signed, packed);
}

void oq_conv_8_run(const oq_conv_8 *c) {
    const oq_conv_call call = {.shape = c->shape, .packed = c->packed, .x = c->x, .y = c->acc, .integers = c};
    run(&call, c->pool);
}
