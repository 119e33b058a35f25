// Depthwise convolution: each plane in tiles whose padded input is copied into a patch, split by column
// phase, so that the sums run over neighbouring units without a test for borders.
#include "kernels/geometry.h"

#define AT_ONCE 4 // vectors of outputs that are summed together, to hide the latency of the adder

typedef struct plane {
    const oq_conv_call *call;
    oq_geometry g;
    size_t filter, taps;
    const uint8_t *x;
    int32_t weight[OQ_DEPTHWISE_TAPS]; // units; with 8 bits pairs of vertical neighbours
    int64_t offset[OQ_DEPTHWISE_TAPS]; // of the tap in the patch, units
    int64_t pitch, phase_pitch;        // units from row to row, from phase to phase
    int32_t patch[OQ_PATCH_UNITS] __attribute__((aligned(64)));
} plane;

// Number of the input at (y, x) with the zero point taken off; 0 outside.
static int32_t number_at(const plane *p, int64_t y, int64_t x) {
    if (y < 0 || y >= p->g.in[1] || x < 0 || x >= p->g.in[2]) return 0;
    const oq_conv_8 *c = p->call->integers;
    const uint8_t byte = p->x[y * p->g.in[2] + x];
    return oq_number_8(byte, c->x_signed) - c->x_zero;
}

static int32_t pair(int32_t low, int32_t high) {
    return (int32_t)(((uint32_t)low & 0xffff) | (uint32_t)high << 16);
}

// Copies what the output tile at (oy, ox) sees: `rows` patch rows of `columns` input columns.
static void copy_patch(plane *p, int64_t oy, int64_t ox, int64_t rows, int64_t columns) {
    const oq_geometry *g = &p->g;
    const int64_t top = oy * g->stride[1] - g->pad[1], left = ox * g->stride[2] - g->pad[2],
                  stride = g->stride[2];
    for (int64_t r = 0; r < rows; r++) {
        int32_t *to = p->patch + r * p->pitch;
        const int64_t y = top + r;
        for (int64_t c = 0; c < columns; c++) {
            const int64_t x = left + c;
            int32_t unit = 0;
            if (p->call->integers)
                unit = pair(number_at(p, y, x),
                            r + g->dilation[1] < rows ? number_at(p, y + g->dilation[1], x) : 0);
            else if (y >= 0 && y < g->in[1] && x >= 0 && x < g->in[2])
                memcpy(&unit, p->x + (y * g->in[2] + x) * (int64_t)sizeof unit, sizeof unit);
            to[c % stride * p->phase_pitch + c / stride] = unit;
        }
    }
}

static void set_taps(plane *p) {
    const oq_geometry *g = &p->g;
    const oq_conv_8 *c = p->call->integers;
    const int64_t step = c ? 2 : 1;
    p->taps = 0;
    for (int64_t y = 0; y < g->kernel[1]; y += step)
        for (int64_t x = 0; x < g->kernel[2]; x++) {
            const size_t at = p->filter * g->taps + (size_t)(y * g->kernel[2] + x);
            const int64_t column = x * g->dilation[2];
            p->offset[p->taps] = y * g->dilation[1] * p->pitch + column % g->stride[2] * p->phase_pitch +
                                 column / g->stride[2];
            if (c) {
                const uint8_t *w = (const uint8_t *)c->packed + at;
                const int32_t zero = c->w_zero[c->w_zero_per_filter ? p->filter : 0];
                const int32_t low = oq_number_8(w[0], c->w_signed) - zero;
                const uint8_t next = y + 1 < g->kernel[1] ? w[g->kernel[2]] : 0;
                const int32_t high = y + 1 < g->kernel[1] ? oq_number_8(next, c->w_signed) - zero : 0;
                p->weight[p->taps++] = pair(low, high);
            } else {
                memcpy(&p->weight[p->taps++], (const float *)p->call->packed + at, sizeof(float));
            }
        }
}

OQ_INLINE void sum_taps(const plane *p, const int32_t *const from[AT_ONCE], int32_t *sums,
                        const bool is_f32) {
    vi sum[AT_ONCE];
#pragma GCC unroll 4
    for (int v = 0; v < AT_ONCE; v++) sum[v] = vi_set1(0);
    for (size_t t = 0; t < p->taps; t++) {
        const vi weight = vi_set1(p->weight[t]);
#pragma GCC unroll 4
        for (int v = 0; v < AT_ONCE; v++) {
            const vi x = vi_load(from[v] + p->offset[t]);
            sum[v] = is_f32 ? vf_bits(vf_fma(vf_from_bits(weight), vf_from_bits(x), vf_from_bits(sum[v])))
                            : vi_dot(sum[v], weight, x);
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < AT_ONCE; v++) vi_store(sums + v * OQ_W, sum[v]);
}

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

// Sums `rows` x `columns` outputs at (oy, ox) from the patch, AT_ONCE vectors at a time.
static void sum_tile(const plane *p, int64_t oy, int64_t ox, int64_t rows, int64_t columns) {
    const oq_geometry *g = &p->g;
    int32_t sums[AT_ONCE * OQ_W] __attribute__((aligned(64)));
    const int32_t *from[AT_ONCE];
    size_t at[AT_ONCE], left[AT_ONCE];
    const int64_t per_row = (columns + OQ_W - 1) / OQ_W, all = rows * per_row;
    for (int64_t v = 0; v < all; v += AT_ONCE) {
        for (int64_t i = 0; i < AT_ONCE; i++) {
            const int64_t q = v + i < all ? v + i : all - 1, row = q / per_row, column = q % per_row * OQ_W;
            from[i] = p->patch + row * g->stride[1] * p->pitch + column;
            at[i] = (size_t)((oy + row) * g->out[2] + ox + column);
            left[i] = (size_t)(columns - column);
        }
        if (p->call->integers)
            sum_taps(p, from, sums, false);
        else
            sum_taps(p, from, sums, true);
        for (int64_t i = 0; i < AT_ONCE && v + i < all; i++)
            (p->call->integers ? finish_8 : finish_f32)(p, vi_load(sums + i * OQ_W), at[i], left[i]);
    }
}

void OQ_FN(depthwise_plane)(const oq_conv_call *call, size_t filter) {
    plane p;
    p.call = call;
    p.g = oq_geometry_of(call->shape);
    p.filter = filter;
    p.x = (const uint8_t *)call->x +
          filter / p.g.group_filters * p.g.pixels_in * (call->integers ? 1 : sizeof(float));
    const int64_t height = p.g.out[1], width = p.g.out[2], vector = OQ_W;
    int64_t columns = (width + vector - 1) / vector * vector;
    while (oq_patch_rows(&p.g, 1) * p.g.stride[2] * oq_phase_pitch(&p.g, columns) > OQ_PATCH_UNITS)
        columns = columns / 2 / vector * vector > vector ? columns / 2 / vector * vector : vector;
    p.phase_pitch = oq_phase_pitch(&p.g, columns);
    p.pitch = p.g.stride[2] * p.phase_pitch;
    int64_t rows = height;
    if (oq_patch_rows(&p.g, rows) * p.pitch > OQ_PATCH_UNITS)
        rows = (OQ_PATCH_UNITS / p.pitch - oq_patch_rows(&p.g, 1)) / p.g.stride[1] + 1;
    memset(p.patch, 0, sizeof p.patch);
    set_taps(&p);
    for (int64_t y = 0; y < height; y += rows)
        for (int64_t x = 0; x < width; x += columns) {
            const int64_t tall = height - y < rows ? height - y : rows,
                          wide = width - x < columns ? width - x : columns;
            copy_patch(&p, y, x, oq_patch_rows(&p.g, tall),
                       (wide - 1) * p.g.stride[2] + (p.g.kernel[2] - 1) * p.g.dilation[2] + 1);
            sum_tile(&p, y, x, tall, wide);
        }
}
