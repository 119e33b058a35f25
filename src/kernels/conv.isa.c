// Convolution as a product of packed filters and columns that are gathered tile by tile (implicit im2col).
#include "kernels/geometry.h"

#define NC (OQ_NR == 16 ? 64 : 2 * OQ_NR) // output pixels of a tile: columns * OQ_KC units live on the stack
#define MC (OQ_MR * 32)                   // filters of a block: stays in the second-level cache

// Packed filters: for 8 bits first the sum of every filter [M], then per group strips of OQ_MR filters.
static size_t units_of(const oq_geometry *g, bool is_f32) {
    return is_f32 ? g->depth : g->depth / OQ_UNIT_8 + (g->depth % OQ_UNIT_8 != 0);
}

size_t OQ_FN(conv_packed_bytes)(const oq_conv_shape *s, bool is_f32) {
    const oq_geometry g = oq_geometry_of(s);
    size_t total;
    if (oq_is_depthwise(&g)) {
        const size_t size = is_f32 ? sizeof(float) : 1;
        return oq_mul_size(s->filters, g.taps * size, &total) ? total : SIZE_MAX;
    }
    size_t rows = oq_round_up(g.group_filters, OQ_MR);
    if (!oq_mul_size(rows, s->groups, &rows) || !oq_mul_size(rows, units_of(&g, is_f32), &total) ||
        !oq_add_size(total, is_f32 ? 0 : s->filters, &total) || !oq_mul_size(total, sizeof(int32_t), &total))
        return SIZE_MAX;
    return total;
}

bool OQ_FN(conv_is_depthwise)(const oq_conv_shape *s) {
    const oq_geometry g = oq_geometry_of(s);
    return oq_is_depthwise(&g);
}

static int32_t weight_unit(const void *w, size_t filter, size_t unit, const oq_geometry *g, bool is_f32,
                           bool w_signed) {
    if (is_f32) {
        int32_t bits;
        memcpy(&bits, (const float *)w + filter * g->depth + unit, sizeof bits);
        return bits;
    }
    const size_t k = unit * OQ_UNIT_8;
    const uint8_t *from = (const uint8_t *)w + filter * g->depth + k;
    return oq_unit_8(from, 1, oq_least(g->depth - k, OQ_UNIT_8), w_signed,
                     OQ_FLIP(OQ_SHIFT_SIGNED(w_signed)));
}

void OQ_FN(conv_pack)(const oq_conv_shape *s, const void *w, bool is_f32, bool w_signed, void *packed) {
    const oq_geometry g = oq_geometry_of(s);
    if (oq_is_depthwise(&g)) {
        memcpy(packed, w, s->filters * g.taps * (is_f32 ? sizeof(float) : 1));
        return;
    }
    const size_t units = units_of(&g, is_f32), rows = oq_round_up(g.group_filters, OQ_MR);
    int32_t *to = packed;
    for (size_t f = 0; !is_f32 && f < s->filters; f++) {
        const uint8_t *from = (const uint8_t *)w + f * g.depth;
        uint32_t sum = 0;
        for (size_t k = 0; k < g.depth; k++)
            sum += (uint32_t)(oq_number_8(from[k], w_signed) + OQ_SHIFT_SIGNED(w_signed));
        *to++ = (int32_t)sum;
    }
    for (size_t group = 0; group < s->groups; group++)
        for (size_t row = 0; row < rows; row++) {
            int32_t *strip = to + (group * rows + row / OQ_MR * OQ_MR) * units + row % OQ_MR;
            for (size_t u = 0; u < units; u++)
                strip[u * OQ_MR] = row < g.group_filters ? weight_unit(w, group * g.group_filters + row, u,
                                                                       &g, is_f32, w_signed)
                                                         : 0;
        }
}

// --- gathering ---

typedef struct gather {
    const oq_conv_call *call;
    oq_geometry g;
    const uint8_t *x; // of the group's first channel
    size_t size;      // bytes of an element: 4 or 1
    uint32_t padding; // element that padded places hold
    size_t units;     // along the whole of k
    bool direct;      // kernel 1, stride 1, no padding: lines are stretches of x
} gather;

OQ_INLINE void fill(uint8_t *to, int64_t count, uint32_t value, const size_t size) {
    if (count <= 0) return;
    if (size == 1)
        memset(to, (int)value, (size_t)count);
    else
        memset(to, 0, (size_t)count * size); // floats are padded with +0
}

typedef uint32_t __attribute__((may_alias)) word; // any 4-byte element

OQ_INLINE void copy_strided(const uint8_t *from, const size_t stride, size_t n, uint8_t *to,
                            const size_t size) {
    if (size == 1)
        for (size_t t = 0; t < n; t++) to[t] = from[t * stride];
    else
        for (size_t t = 0; t < n; t++)
            ((word *)(void *)to)[t] = ((const word *)(const void *)from)[t * stride];
}

// One stretch of an output row: element t from x column `at + t * stride`.
OQ_INLINE void gather_run(const uint8_t *row, int64_t width, int64_t at, int64_t stride, int64_t count,
                          uint8_t *to, uint32_t padding, const size_t size) {
    int64_t low = at >= 0 ? 0 : (-at + stride - 1) / stride;
    int64_t high = at >= width ? 0 : (width - at + stride - 1) / stride;
    low = low < count ? low : count;
    high = high < low ? low : high < count ? high : count;
    fill(to, low, padding, size);
    const uint8_t *from = row + (at + low * stride) * (int64_t)size;
    to += (size_t)low * size;
    const size_t n = (size_t)(high - low);
    if (stride == 1)
        memcpy(to, from, n * size);
    else if (stride == 2)
        copy_strided(from, 2, n, to, size); // a constant lets the compiler use vectors
    else
        copy_strided(from, (size_t)stride, n, to, size);
    to += n * size;
    fill(to, count - high, padding, size);
}

// The elements that kernel position `k` (channel and tap) meets at output pixels [column, column + columns).
OQ_INLINE void gather_line_of(const gather *q, size_t k, size_t column, size_t columns, uint8_t *to,
                              const size_t size) {
    const oq_geometry *g = &q->g;
    const int64_t tap = (int64_t)(k % g->taps);
    const int64_t kx = tap % g->kernel[2], ky = tap / g->kernel[2] % g->kernel[1],
                  kz = tap / g->kernel[2] / g->kernel[1];
    const uint8_t *plane = q->x + k / g->taps * g->pixels_in * size;
    int64_t ox = (int64_t)column % g->out[2], oy = (int64_t)column / g->out[2] % g->out[1];
    int64_t oz = (int64_t)column / g->out[2] / g->out[1];
    for (int64_t left = (int64_t)columns, count; left > 0; left -= count, to += (size_t)count * size) {
        count = g->out[2] - ox < left ? g->out[2] - ox : left;
        const int64_t z = oz * g->stride[0] + kz * g->dilation[0] - g->pad[0];
        const int64_t y = oy * g->stride[1] + ky * g->dilation[1] - g->pad[1];
        if (z < 0 || z >= g->in[0] || y < 0 || y >= g->in[1])
            fill(to, count, q->padding, size);
        else
            gather_run(plane + (z * g->in[1] + y) * g->in[2] * (int64_t)size, g->in[2],
                       ox * g->stride[2] + kx * g->dilation[2] - g->pad[2], g->stride[2], count, to,
                       q->padding, size);
        ox = 0;
        if (++oy == g->out[1]) oy = 0, oz++;
    }
}

// The line as a pointer: into x itself where it lies there in one piece, else into `buffer`.
static const uint8_t *gather_line(const gather *q, size_t k, size_t column, size_t columns, uint8_t *buffer) {
    if (q->direct) return q->x + (k * q->g.pixels_in + column) * q->size;
    if (q->size == 1)
        gather_line_of(q, k, column, columns, buffer, 1);
    else
        gather_line_of(q, k, column, columns, buffer, 4);
    return buffer;
}

static void panels_f32(const gather *q, size_t unit, size_t units, size_t column, size_t columns,
                       int32_t *to) {
    uint8_t buffer[NC * sizeof(float)] __attribute__((aligned(64)));
    for (size_t u = 0; u < units; u++) {
        const uint8_t *line = gather_line(q, unit + u, column, columns, buffer);
        for (size_t j = 0; j < columns; j += OQ_NR) {
            int32_t *panel = to + j * units + u * OQ_NR;
            const float *from = (const float *)(const void *)line + j;
            for (size_t v = 0; v < OQ_NR; v += OQ_W)
                vi_store(panel + v,
                         j + v < columns ? vf_bits(vf_load_up_to(from + v, columns - j - v)) : vi_set1(0));
        }
    }
}

static void panels_8(const gather *q, size_t unit, size_t units, size_t column, size_t columns, int32_t *to) {
    uint8_t buffer[OQ_UNIT_8][NC] __attribute__((aligned(64)));
    const bool x_signed = q->call->integers->x_signed;
    const uint8_t flip = OQ_FLIP(OQ_SHIFT_UNSIGNED(x_signed));
    const uint8_t *lines[OQ_UNIT_8];
    memset(buffer, 0, sizeof buffer);
    for (size_t u = 0; u < units; u++) {
        const size_t k = (unit + u) * OQ_UNIT_8, count = oq_least(q->g.depth - k, OQ_UNIT_8);
        for (size_t t = 0; t < count; t++) {
            lines[t] = gather_line(q, k + t, column, columns, buffer[t]);
            if (columns % OQ_W && q->direct)
                lines[t] = memcpy(buffer[t], lines[t], columns); // not beyond the end of x
        }
        for (size_t j = 0; j < columns; j += OQ_W)
            vi_store(to + (j / OQ_NR * units + u) * OQ_NR + j % OQ_NR,
                     oq_interleave_8(lines, j, count, x_signed, flip));
    }
}

// --- finishing 8-bit sums: as in product.isa.c, with the zero points of filters (rows) and of x (all
// columns) ---

typedef struct terms {
    int32_t row_term[MC], row_zero[MC], column_rest[NC];
} terms;

static int32_t wrapping_product(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }

static bool any_filter_zero(const oq_conv_8 *c, size_t filter, size_t filters) {
    const int32_t shift = OQ_SHIFT_SIGNED(c->w_signed);
    if (!c->w_zero_per_filter) return c->w_zero[0] + shift != 0;
    for (size_t f = 0; f < filters; f++)
        if (c->w_zero[filter + f] + shift != 0) return true;
    return false;
}

// sum over k of x (as the units hold it) minus k times its zero point, per column.
static void column_rests(const gather *q, size_t column, size_t columns, int32_t *rest) {
    const oq_conv_8 *c = q->call->integers;
    uint8_t buffer[NC];
    for (size_t j = 0; j < columns; j++) rest[j] = 0;
    for (size_t k = 0; k < q->g.depth; k++) {
        const uint8_t *line = gather_line(q, k, column, columns, buffer);
        for (size_t j = 0; j < columns; j++) rest[j] += oq_number_8(line[j], c->x_signed) - c->x_zero;
    }
}

static oq_finish_8 finish_of(const gather *q, size_t filter, size_t filters, size_t column, bool cross,
                             terms *t) {
    const oq_conv_8 *c = q->call->integers;
    const oq_requantize *r = c->requantize;
    const int32_t x_zero = c->x_zero + OQ_SHIFT_UNSIGNED(c->x_signed);
    const int32_t *sums = c->packed;
    for (size_t f = 0; f < filters; f++) {
        const uint32_t bias = r && r->bias ? (uint32_t)r->bias[filter + f] : 0;
        t->row_term[f] = (int32_t)(bias - (uint32_t)wrapping_product(x_zero, sums[filter + f]));
        t->row_zero[f] = -(c->w_zero[c->w_zero_per_filter ? filter + f : 0] + OQ_SHIFT_SIGNED(c->w_signed));
    }
    oq_finish_8 finish = {.row_term = t->row_term, .requantize = r};
    if (cross) {
        finish.cross_row[0] = t->row_zero;
        finish.cross_column[0] = t->column_rest;
    }
    if (r) {
        finish.row_multiplier = r->per_channel ? r->multiplier + filter : NULL;
        finish.out = (uint8_t *)r->out + filter * q->g.pixels_out + column;
    }
    return finish;
}

// --- blocking ---

static void block_rows(const gather *q, size_t group, const oq_span *span, size_t column, size_t columns,
                       size_t unit, size_t units, const int32_t *b, bool cross, terms *t) {
    const oq_conv_call *call = q->call;
    const size_t strips = oq_round_up(q->g.group_filters, OQ_MR) * q->units;
    const int32_t *a =
        (const int32_t *)call->packed + (call->integers ? call->shape->filters : 0) + group * strips;
    for (size_t row = span->row; row < span->row_end; row += MC) {
        const size_t filter = group * q->g.group_filters + row, rows = oq_least(span->row_end - row, MC);
        oq_block block = {
            .kind = call->integers ? OQ_KIND_8_STRIPS : OQ_KIND_F32_STRIPS,
            .rows = rows,
            .columns = columns,
            .groups = units,
            .a = a + row * q->units + unit * OQ_MR,
            .a_strip = q->units * OQ_MR,
            .b = b,
            .b_panel = units * OQ_NR,
            .c = (int32_t *)call->y + filter * q->g.pixels_out + column,
            .ldc = q->g.pixels_out,
            .first = unit == 0,
            .last = unit + units == q->units,
        };
        if (call->integers)
            block.finish_8 = finish_of(q, filter, rows, column, cross, t);
        else
            block.finish_f32 = (oq_finish_f32){.row_bias = call->bias ? call->bias + filter : NULL,
                                               .clamp = call->epilogue == OQ_EPILOGUE_CLAMP,
                                               .low = call->low,
                                               .high = call->high};
        OQ_FN(block)(&block);
    }
}

void OQ_FN(conv_span)(const oq_conv_call *call, size_t group, const oq_span *span) {
    const bool is_f32 = !call->integers;
    gather q = {.call = call, .g = oq_geometry_of(call->shape), .size = is_f32 ? sizeof(float) : 1};
    oq_geometry_squeeze(&q.g);
    q.units = units_of(&q.g, is_f32);
    q.x = (const uint8_t *)call->x + group * q.g.group_channels * q.g.pixels_in * q.size;
    q.padding = is_f32 ? 0 : (uint32_t)(uint8_t)call->integers->x_zero;
    q.direct = q.g.taps == 1;
    for (int d = 0; d < 3; d++) q.direct &= q.g.stride[d] == 1 && q.g.pad[d] == 0 && q.g.in[d] == q.g.out[d];
    const bool cross =
        !is_f32 && any_filter_zero(call->integers, group * q.g.group_filters, q.g.group_filters);
    int32_t b[NC * OQ_KC] __attribute__((aligned(64)));
    terms t;
    for (size_t column = span->column; column < span->column_end; column += NC) {
        const size_t columns = oq_least(span->column_end - column, NC);
        if (cross) column_rests(&q, column, columns, t.column_rest);
        size_t unit = 0;
        do {
            const size_t units = oq_least(q.units - unit, OQ_KC);
            (is_f32 ? panels_f32 : panels_8)(&q, unit, units, column, columns, b);
            block_rows(&q, group, span, column, columns, unit, units, b, cross, &t);
            unit += units;
        } while (unit < q.units);
    }
}
