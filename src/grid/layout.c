// Tensors cut into blocks with a parameter each: one walk over runs of elements serves every granularity.
#include "grid/layout.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 256 }; // elements handled at a time

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

// --- blocks and runs ---

static size_t blocks_along(const oq_layout *layout, int d) {
    const size_t size = layout->size[d], block = layout->block[d];
    return block >= size ? 1 : size / block + (size % block != 0);
}

size_t oq_layout_params(const oq_layout *layout) {
    return blocks_along(layout, 0) * blocks_along(layout, 1) * blocks_along(layout, 2);
}

size_t oq_layout_block_size(const oq_layout *layout) {
    size_t count = 1;
    for (int d = 0; d < 3; d++) count *= least(layout->block[d], layout->size[d]);
    return count;
}

// Neighbouring elements of one block: where they begin and how far apart they are, in the floats and in
// row-major order.
typedef struct span {
    size_t x, x_step, q, q_step, count;
} span;

// The walk over the spans of the blocks [param, end), one block after the other. It is the only place that
// knows how blocks lie; everything else is a loop over spans.
typedef struct walk {
    const oq_layout *layout;
    size_t end;
    size_t param; // block of the current span
    span span;
    size_t begin[3], extent[3]; // of that block
    int along;                  // axis of its spans
    size_t outer, inner;        // of the next span in that block: index of axis 0, and of the other axis
} walk;

static walk walk_begin(const oq_layout *layout, size_t param, size_t end) {
    // Spans go along the last axis, or along the middle one when blocks are one element thin on the last.
    return (walk){.layout = layout, .end = end, .param = param - 1, .along = layout->block[2] == 1 ? 1 : 2};
}

static walk walk_all(const oq_layout *layout) { return walk_begin(layout, 0, oq_layout_params(layout)); }

static void enter_block(walk *w) {
    const oq_layout *layout = w->layout;
    size_t rest = w->param;
    for (int d = 2; d >= 0; d--) {
        const size_t blocks = blocks_along(layout, d);
        w->begin[d] = rest % blocks * layout->block[d];
        w->extent[d] = least(layout->block[d], layout->size[d] - w->begin[d]);
        rest /= blocks;
    }
    w->outer = w->inner = 0;
}

// The next span into w->span; false behind the last one.
static bool walk_next(walk *w) {
    const oq_layout *layout = w->layout;
    const int across = 3 - w->along;
    while (w->outer == w->extent[0] || !w->extent[across]) {
        if (++w->param >= w->end) return false;
        enter_block(w);
    }
    size_t at[3];
    at[0] = w->begin[0] + w->outer;
    at[across] = w->begin[across] + w->inner;
    at[w->along] = w->begin[w->along];
    if (++w->inner == w->extent[across]) w->inner = 0, w->outer++;
    w->span = (span){.x = at[0] * layout->step[0] + at[1] * layout->step[1] + at[2] * layout->step[2],
                     .x_step = layout->step[w->along],
                     .q = (at[0] * layout->size[1] + at[1]) * layout->size[2] + at[2],
                     .q_step = w->along == 1 ? layout->size[2] : 1,
                     .count = w->extent[w->along]};
    return true;
}

// --- making ---

static oq_status no_such_axis(const oq_shape *shape, int axis, oq_error *err) {
    char text[OQ_MAX_RANK * 21];
    return oq_fail(err, ONNXQ_USAGE, "there is no axis %d in a tensor of shape %s; its first axis is 0", axis,
                   oq_shape_format(shape, text, sizeof text));
}

oq_status oq_layout_make(const oq_shape *shape, const oq_granularity *granularity, oq_layout *out,
                         oq_shape *params, oq_error *err) {
    int axis = 0;
    size_t outer = 1, along = 1, inner = (size_t)oq_shape_count(shape);
    oq_shape scales = {0};
    if (granularity->kind != OQ_PER_TENSOR) {
        if (!oq_axis_normalize(granularity->axis, shape->rank, &axis))
            return no_such_axis(shape, granularity->axis, err);
        outer = (size_t)oq_shape_range_count(shape, 0, axis);
        along = (size_t)shape->dim[axis];
        inner = (size_t)oq_shape_range_count(shape, axis + 1, shape->rank);
    }
    *out = (oq_layout){.size = {outer, along, inner}, .step = {along * inner, inner, 1}};
    switch (granularity->kind) {
    case OQ_PER_TENSOR: memcpy(out->block, out->size, sizeof out->block); break;
    case OQ_PER_CHANNEL:
        memcpy(out->block, (size_t[]){outer, 1, inner}, sizeof out->block);
        scales = OQ_SHAPE(shape->dim[axis]);
        break;
    case OQ_PER_GROUP:
        if (granularity->group_size < 1)
            return oq_fail(err, ONNXQ_USAGE, "a group has at least one element, not %lld",
                           (long long)granularity->group_size);
        memcpy(out->block, (size_t[]){1, (size_t)granularity->group_size, 1}, sizeof out->block);
        scales = *shape;
        scales.dim[axis] = (int64_t)blocks_along(out, 1);
        break;
    }
    if (params) *params = scales;
    return ONNXQ_OK;
}

// --- elements ---

size_t oq_layout_gather(const oq_layout *layout, size_t param, const float *x, float *into) {
    size_t count = 0;
    for (walk w = walk_begin(layout, param, param + 1); walk_next(&w);)
        for (size_t i = 0; i < w.span.count; i++) into[count++] = x[w.span.x + i * w.span.x_step];
    return count;
}

bool oq_layout_find_bad(const oq_layout *layout, const float *x, size_t *index) {
    *index = SIZE_MAX;
    for (walk w = walk_all(layout); walk_next(&w);)
        for (size_t i = 0; i < w.span.count; i++)
            if (!isfinite(x[w.span.x + i * w.span.x_step]))
                *index = least(*index, w.span.q + i * w.span.q_step);
    return *index != SIZE_MAX;
}

// An integer as the element `index` of a type of that many bytes: two's complement keeps its low bytes.
static inline void put(void *into, size_t index, size_t bytes, int32_t q) {
    switch (bytes) {
    case 1: ((uint8_t *)into)[index] = (uint8_t)q; break;
    case 2: ((uint16_t *)into)[index] = (uint16_t)q; break;
    default: ((int32_t *)into)[index] = q;
    }
}

static inline int32_t take(const void *from, size_t index, size_t bytes, bool is_signed) {
    switch (bytes) {
    case 1: return is_signed ? ((const int8_t *)from)[index] : ((const uint8_t *)from)[index];
    case 2: return is_signed ? ((const int16_t *)from)[index] : ((const uint16_t *)from)[index];
    default: return ((const int32_t *)from)[index];
    }
}

static void quantize_span(const oq_grid *grid, oq_qparam param, const span *s, const float *x, size_t bytes,
                          void *q) {
    float chunk[CHUNK];
    int32_t integers[CHUNK];
    for (size_t done = 0; done < s->count; done += CHUNK) {
        const size_t count = least(CHUNK, s->count - done);
        for (size_t i = 0; i < count; i++) chunk[i] = x[s->x + (done + i) * s->x_step];
        oq_quantize(grid, param, chunk, integers, count);
        for (size_t i = 0; i < count; i++) put(q, s->q + (done + i) * s->q_step, bytes, integers[i]);
    }
}

void oq_layout_quantize(const oq_layout *layout, const oq_grid *grid, const oq_qparam *params, const float *x,
                        oq_dtype carrier, void *q) {
    const size_t bytes = oq_dtype_bytes(carrier);
    for (walk w = walk_all(layout); walk_next(&w);)
        quantize_span(grid, params[w.param], &w.span, x, bytes, q);
}

void oq_layout_dequantize(const oq_layout *layout, const oq_qparam *params, oq_dtype carrier, const void *q,
                          float *x) {
    const size_t bytes = oq_dtype_bytes(carrier);
    const bool is_signed = oq_dtype_info(carrier)->is_signed;
    for (walk w = walk_all(layout); walk_next(&w);)
        for (size_t i = 0; i < w.span.count; i++) {
            const size_t at = w.span.q + i * w.span.q_step;
            x[at] = oq_dequantize_one(params[w.param], take(q, at, bytes, is_signed));
        }
}
