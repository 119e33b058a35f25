// Depthwise convolution: each plane in tiles whose padded input is copied into a patch, split by column
// phase, so that the sums run over neighbouring units without a test for borders. Lanes beyond a row's end
// sum what the patch happens to hold there and are not stored.
#include "kernels/geometry.h"

#define AT_ONCE 8 // vectors of outputs that are summed together, to hide the latency of the adder

typedef struct plane {
    const oq_conv_call *call;
    oq_geometry g;
    int64_t rows, columns; // of an output tile
    size_t filter, taps;
    const uint8_t *x;
    int32_t weight[OQ_DEPTHWISE_TAPS]; // units; with 8 bits pairs of vertical neighbours
    int64_t offset[OQ_DEPTHWISE_TAPS]; // of the tap in the patch, units
    int64_t pitch, phase_pitch;        // units from row to row, from phase to phase
    int32_t patch[OQ_PATCH_UNITS] __attribute__((aligned(64)));
} plane;

static int32_t pair(int32_t low, int32_t high) {
    return (int32_t)(((uint32_t)low & 0xffff) | (uint32_t)high << 16);
}

// `count` numbers of one input row with the zero point taken off; a row outside (NULL) counts as zero.
OQ_INLINE vi numbers(const uint8_t *row, size_t at, size_t count, bool is_signed, vi zero) {
    if (!row) return vi_set1(0);
    uint8_t bytes[OQ_W];
    const uint8_t *from = row + at;
    if (count < OQ_W) from = memcpy(bytes, from, count);
    return vi_sub(is_signed ? vi_load_i8(from) : vi_load_u8(from), zero);
}

// The units of `count` columns from two input rows (the one, and the one a dilation below it).
static void pair_rows(const plane *p, const uint8_t *upper, const uint8_t *lower, size_t count, int32_t *to) {
    const oq_conv_8 *c = p->call->integers;
    const vi zero = vi_set1(c->x_zero), mask = vi_set1(0xffff);
    for (size_t i = 0; i < count; i += OQ_W) {
        const vi low = numbers(upper, i, count - i, c->x_signed, zero);
        const vi high = numbers(lower, i, count - i, c->x_signed, zero);
        vi_store_up_to(to + i, vi_or(vi_and(low, mask), vi_shl(high, 16)), count - i);
    }
}

static const uint8_t *input_row(const plane *p, int64_t y, int64_t x) {
    if (y < 0 || y >= p->g.in[1]) return NULL;
    return p->x + (y * p->g.in[2] + x) * (p->call->integers ? 1 : (int64_t)sizeof(float));
}

// Columns [left, left + columns) of input row y as units, zero where there is no input. `paired`: with the
// row below.
static void copy_row(const plane *p, int64_t y, bool paired, int64_t left, int64_t columns, int32_t *to) {
    const int64_t width = p->g.in[2];
    int64_t begin = left < 0 ? -left : 0, end = width - left;
    begin = begin < columns ? begin : columns;
    end = end < begin ? begin : end < columns ? end : columns;
    const uint8_t *row = input_row(p, y, left + begin);
    const uint8_t *below = paired ? input_row(p, y + p->g.dilation[1], left + begin) : NULL;
    const size_t before = (size_t)begin, count = (size_t)(end - begin), after = (size_t)(columns - end);
    memset(to, 0, before * sizeof *to);
    if (p->call->integers)
        pair_rows(p, row, below, count, to + begin);
    else if (row)
        memcpy(to + begin, row, count * sizeof *to);
    else
        memset(to + begin, 0, count * sizeof *to);
    memset(to + end, 0, after * sizeof *to);
}

// Every `stride`-th unit of a line to each phase.
static void split_phases(const plane *p, const int32_t *line, int64_t columns, int32_t *to) {
    const int64_t stride = p->g.stride[2], pitch = p->phase_pitch;
    int64_t c = 0;
    for (; stride == 2 && c < columns; c += 2 * OQ_W) { // beyond the end into the slack of the pitch
        const vi first = vi_load(line + c), second = vi_load(line + c + OQ_W);
        vi_store(to + c / 2, vi_evens(first, second));
        vi_store(to + pitch + c / 2, vi_odds(first, second));
    }
    for (int64_t phase = 0; phase < stride; phase++)
        for (int64_t i = c / stride; i * stride + phase < columns; i++)
            to[phase * pitch + i] = line[i * stride + phase];
}

// Copies what the output tile at (oy, ox) sees: `rows` patch rows of `columns` input columns.
static void copy_patch(plane *p, int64_t oy, int64_t ox, int64_t rows, int64_t columns) {
    const oq_geometry *g = &p->g;
    const int64_t top = oy * g->stride[1] - g->pad[1], left = ox * g->stride[2] - g->pad[2];
    int32_t line[OQ_PATCH_UNITS];
    for (int64_t r = 0; r < rows; r++) {
        int32_t *to = p->patch + r * p->pitch;
        const bool paired = r + g->dilation[1] < rows;
        if (g->stride[2] == 1) {
            copy_row(p, top + r, paired, left, columns, to);
            continue;
        }
        copy_row(p, top + r, paired, left, columns, line);
        split_phases(p, line, columns, to);
    }
}

// Where the taps lie in the patch: the same for all filters. With 8 bits every second row stands for two.
static void set_offsets(plane *p) {
    const oq_geometry *g = &p->g;
    p->taps = 0;
    for (int64_t y = 0; y < g->kernel[1]; y += p->call->integers ? 2 : 1)
        for (int64_t x = 0; x < g->kernel[2]; x++) {
            const int64_t column = x * g->dilation[2];
            p->offset[p->taps++] = y * g->dilation[1] * p->pitch + column % g->stride[2] * p->phase_pitch +
                                   column / g->stride[2];
        }
}

static void set_weights_8(plane *p, const oq_conv_8 *c) {
    const oq_geometry *g = &p->g;
    const uint8_t *w = (const uint8_t *)c->packed + p->filter * g->taps;
    const int32_t zero = c->w_zero[c->w_zero_per_filter ? p->filter : 0];
    int32_t *to = p->weight;
    for (int64_t y = 0; y < g->kernel[1]; y += 2, w += 2 * g->kernel[2])
        for (int64_t x = 0; x < g->kernel[2]; x++) {
            const bool two = y + 1 < g->kernel[1];
            const int32_t high = two ? oq_number_8(w[x + g->kernel[2]], c->w_signed) - zero : 0;
            *to++ = pair(oq_number_8(w[x], c->w_signed) - zero, high);
        }
}

static void set_weights(plane *p) {
    if (p->call->integers)
        set_weights_8(p, p->call->integers);
    else
        memcpy(p->weight, (const float *)p->call->packed + p->filter * p->g.taps, p->taps * sizeof(float));
}

// `count` vectors of outputs whose inputs lie `step` units apart; a constant in every instance, so that the
// sums live in registers.
OQ_INLINE void sum_strip(const plane *p, const int32_t *from, const int64_t step, int32_t *sums,
                         const int count, const bool is_f32) {
    vi sum[AT_ONCE];
    OQ_EACH(v, count) { sum[v] = vi_set1(0); }
    for (size_t t = 0; t < p->taps; t++) {
        const vi weight = vi_set1(p->weight[t]);
        const int32_t *at = from + p->offset[t];
        OQ_EACH(v, count) {
            const vi x = vi_load(at);
            sum[v] = is_f32 ? vf_bits(vf_fma(vf_from_bits(weight), vf_from_bits(x), vf_from_bits(sum[v])))
                            : vi_dot(sum[v], weight, x);
            at += step;
        }
    }
    OQ_EACH(v, count) { vi_store(sums + v * OQ_W, sum[v]); }
}

typedef void (*strip_function)(const plane *p, const int32_t *from, int64_t step, int32_t *sums);
#define STRIP(n)                                                                                             \
    static void f32_##n(const plane *p, const int32_t *from, int64_t step, int32_t *sums) {                  \
        sum_strip(p, from, step, sums, n, true);                                                             \
    }                                                                                                        \
    static void bytes_##n(const plane *p, const int32_t *from, int64_t step, int32_t *sums) {                \
        sum_strip(p, from, step, sums, n, false);                                                            \
    }
// clang-format off
STRIP(1) STRIP(2) STRIP(3) STRIP(4) STRIP(5) STRIP(6) STRIP(7) STRIP(8)
static const strip_function strips[][AT_ONCE] = {
    {f32_1, f32_2, f32_3, f32_4, f32_5, f32_6, f32_7, f32_8},
    {bytes_1, bytes_2, bytes_3, bytes_4, bytes_5, bytes_6, bytes_7, bytes_8}};

static void finish_f32(const plane *p, vi sum, size_t at, size_t n) {
    const oq_conv_call *c = p->call;
    vf x = vf_from_bits(sum);
    if (c->bias) x = vf_add(x, vf_set1(c->bias[p->filter]));
    if (c->epilogue == OQ_EPILOGUE_CLAMP) {
        const vf low = vf_set1(c->low), high = vf_set1(c->high);
        x = vf_select(vf_lt(x, low), low, x);
        x = vf_select(vf_lt(high, x), high, x);
    }
    vf_store_up_to((float *)c->y + p->filter * p->g.pixels_out + at, x, n);
}

static void finish_8(const plane *p, vi sum, size_t at, size_t n) {
    const oq_conv_8 *c = p->call->integers;
    const oq_requantize *r = c->requantize;
    const size_t to = p->filter * p->g.pixels_out + at;
    if (!r) {
        vi_store_up_to(c->acc + to, sum, n);
        return;
    }
    if (r->bias) sum = vi_add(sum, vi_set1(r->bias[p->filter]));
    uint8_t bytes[OQ_W];
    vi_store_8(bytes, oq_requantize_vector(sum, vf_set1(r->multiplier[r->per_channel ? p->filter : 0]),
                                           r->zero_point, r->is_signed));
    memcpy((uint8_t *)r->out + to, bytes, oq_least(n, OQ_W));
}

// Sums `rows` x `columns` outputs at (oy, ox) from the patch, in strips of up to AT_ONCE vectors: down a
// column of vectors, or along the row when there is one only.
static void sum_tile(const plane *p, int64_t oy, int64_t ox, int64_t rows, int64_t columns) {
    const oq_geometry *g = &p->g;
    const int64_t vectors = (columns + OQ_W - 1) / OQ_W, row_step = g->stride[1] * p->pitch;
    const bool down = rows > 1;
    const int64_t length = down ? rows : vectors, lines = down ? vectors : 1;
    int32_t sums[AT_ONCE * OQ_W] __attribute__((aligned(64)));
    for (int64_t line = 0; line < lines; line++)
        for (int64_t done = 0; done < length; done += AT_ONCE) {
            const int64_t count = length - done < AT_ONCE ? length - done : AT_ONCE;
            const int64_t row = down ? done : 0, column = (down ? line : done) * OQ_W;
            strips[p->call->integers ? 1 : 0][count - 1](p, p->patch + row * row_step + column,
                                                         down ? row_step : OQ_W, sums);
            for (int64_t i = 0; i < count; i++) {
                const int64_t y = down ? row + i : 0, x = column + (down ? 0 : i * OQ_W);
                const size_t at = (size_t)((oy + y) * g->out[2] + ox + x);
                (p->call->integers ? finish_8 : finish_f32)(p, vi_load(sums + i * OQ_W), at, (size_t)(columns - x));
            }
        }
}

// The largest tiles whose patch fits.
static void set_tiles(plane *p) {
    const int64_t vector = OQ_W;
    int64_t columns = (p->g.out[2] + vector - 1) / vector * vector;
    while (oq_patch_rows(&p->g, 1) * p->g.stride[2] * oq_phase_pitch(&p->g, columns) > OQ_PATCH_UNITS)
        columns = columns / 2 / vector * vector > vector ? columns / 2 / vector * vector : vector;
    p->phase_pitch = oq_phase_pitch(&p->g, columns);
    p->pitch = p->g.stride[2] * p->phase_pitch;
    p->columns = columns;
    p->rows = p->g.out[1];
    if (oq_patch_rows(&p->g, p->rows) * p->pitch > OQ_PATCH_UNITS)
        p->rows = (OQ_PATCH_UNITS / p->pitch - oq_patch_rows(&p->g, 1)) / p->g.stride[1] + 1;
}

static void run_plane(plane *p) {
    const oq_geometry *g = &p->g;
    for (int64_t y = 0; y < g->out[1]; y += p->rows)
        for (int64_t x = 0; x < g->out[2]; x += p->columns) {
            const int64_t tall = g->out[1] - y < p->rows ? g->out[1] - y : p->rows,
                          wide = g->out[2] - x < p->columns ? g->out[2] - x : p->columns;
            copy_patch(p, y, x, oq_patch_rows(g, tall),
                       (wide - 1) * g->stride[2] + (g->kernel[2] - 1) * g->dilation[2] + 1);
            sum_tile(p, y, x, tall, wide);
        }
}

void OQ_FN(depthwise_planes)(const oq_conv_call *call, size_t from, size_t to) {
    plane p;
    p.call = call;
    p.g = oq_geometry_of(call->shape);
    set_tiles(&p);
    set_offsets(&p);
    for (p.filter = from; p.filter < to; p.filter++) {
        p.x = (const uint8_t *)call->x +
              p.filter / p.g.group_filters * p.g.pixels_in * (call->integers ? 1 : sizeof(float));
        set_weights(&p);
        run_plane(&p);
    }
}
