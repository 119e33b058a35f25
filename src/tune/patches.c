// What a product's output positions are computed from.
#include "tune/patches.h"

#include "ops/lib/convolution.h"

static oq_status of_convolution(const oq_node *node, const oq_shape *x, const oq_shape *w, oq_patches *out,
                                oq_error *err) {
    oq_convolution c;
    OQ_TRY(oq_convolution_plan(node, x, w, &c, err));
    *out = (oq_patches){.convolution = true,
                        .groups = c.groups,
                        .depth = c.patch,
                        .window = c.window,
                        .channels = c.channels,
                        .plane = oq_window_in_plane(&c.window),
                        .places = oq_window_out_plane(&c.window)};
    out->positions = c.images * out->places;
    return ONNXQ_OK;
}

oq_status oq_patches_of(const oq_graph *graph, const oq_layer *layer, const oq_shape *x, oq_patches *out,
                        oq_error *err) {
    const int constant = layer->operand[0].weight ? 0 : 1;
    if (layer->shape == OQ_LAYER_CONV)
        return of_convolution(oq_graph_node(graph, layer->node), x, &layer->operand[constant].constant->shape,
                              out, err);
    // The activation on the left has K last, on the right last but one; transposed the other way round.
    const bool last = x->rank < 2 || (constant == 1) != layer->operand[1 - constant].transposed;
    const int axis = x->rank - (last ? 1 : 2);
    *out = (oq_patches){.groups = 1};
    if (x->rank < 1) return ONNXQ_OK;
    out->depth = (size_t)x->dim[axis];
    out->inner_count = (size_t)oq_shape_range_count(x, axis + 1, x->rank);
    out->positions = (size_t)oq_shape_range_count(x, 0, axis) * out->inner_count;
    return ONNXQ_OK;
}

// Where the window's cell lies in a channel, or -1 in the padding.
static int64_t cell_at(const oq_window *w, const int64_t *place, const int64_t *cell) {
    int64_t at = 0;
    for (int a = 0; a < w->spatial; a++) {
        const int64_t i = place[a] * w->stride[a] + cell[a] * w->dilation[a] - w->pad_begin[a];
        if (i < 0 || i >= w->in[a]) return -1;
        at = at * w->in[a] + i;
    }
    return at;
}

static void split(int64_t index, const int64_t *sizes, int count, int64_t *out) {
    for (int a = count; a-- > 0; index /= sizes[a]) out[a] = index % sizes[a];
}

// `count` elements from number `first`, `step` apart, into every `row_step`-th of the row.
static void pick(const oq_patches_source *x, size_t first, size_t step, size_t count, float *restrict row,
                 size_t row_step) {
    if (x->table) {
        const uint8_t *bytes = (const uint8_t *)x->data + first;
        for (size_t i = 0; i < count; i++) row[i * row_step] = x->table[bytes[i * step]];
    } else {
        const float *values = (const float *)x->data + first;
        for (size_t i = 0; i < count; i++) row[i * row_step] = values[i * step];
    }
}

// Cell by cell, so that where it lies is found once for all channels.
static void convolution_row(const oq_patches *p, const oq_patches_source *x, size_t position, float *row) {
    const oq_window *w = &p->window;
    int64_t place[OQ_WINDOW_MAX], cell[OQ_WINDOW_MAX];
    const size_t cells = (size_t)oq_window_cells(w), image = position / p->places * p->channels * p->plane;
    split((int64_t)(position % p->places), w->out, w->spatial, place);
    for (size_t t = 0; t < cells; t++) {
        split((int64_t)t, w->kernel, w->spatial, cell);
        const int64_t at = cell_at(w, place, cell);
        if (at >= 0)
            pick(x, image + (size_t)at, p->plane, p->channels, row + t, cells);
        else
            for (size_t c = 0; c < p->channels; c++) row[c * cells + t] = 0;
    }
}

void oq_patches_row(const oq_patches *p, const oq_patches_source *x, size_t position, float *row) {
    if (p->convolution)
        convolution_row(p, x, position, row);
    else
        pick(x, position / p->inner_count * p->depth * p->inner_count + position % p->inner_count,
             p->inner_count, p->depth, row, 1);
}

// splitmix64 (Steele, Lea, Flood 2014).
static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

size_t oq_patches_choose(const oq_patches *p, size_t take, size_t i, uint64_t seed) {
    const size_t from = i * p->positions / take, to = (i + 1) * p->positions / take;
    return from + (size_t)(mix(mix(seed) + i) % (to - from));
}
