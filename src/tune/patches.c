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
                        .cells = (size_t)oq_window_cells(&c.window),
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
    *out = (oq_patches){.groups = 1, .cells = 1};
    if (x->rank < 1) return ONNXQ_OK;
    out->depth = out->channels = (size_t)x->dim[axis];
    out->plane = out->places = (size_t)oq_shape_range_count(x, axis + 1, x->rank);
    out->positions = (size_t)oq_shape_range_count(x, 0, axis) * out->places;
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

void oq_patches_locate(const oq_patches *p, size_t position, int64_t *at, size_t step) {
    const size_t image = position / p->places, place = position % p->places;
    const int64_t first = (int64_t)(image * p->channels * p->plane);
    int64_t where[OQ_WINDOW_MAX], cell[OQ_WINDOW_MAX];
    if (!p->convolution) {
        *at = first + (int64_t)place;
        return;
    }
    split((int64_t)place, p->window.out, p->window.spatial, where);
    for (size_t t = 0; t < p->cells; t++) {
        split((int64_t)t, p->window.kernel, p->window.spatial, cell);
        const int64_t in = cell_at(&p->window, where, cell);
        at[t * step] = in < 0 ? -1 : first + in;
    }
}

void oq_patches_columns(const oq_patches *p, const oq_patches_source *x, const int64_t *at, size_t step,
                        size_t count, size_t from, size_t to, float *out, size_t pitch) {
    for (size_t k = from; k < to; k++, out += pitch) {
        const int64_t *own = at + k % p->cells * step;
        const size_t channel = k / p->cells * p->plane;
        if (x->table) {
            const uint8_t *bytes = (const uint8_t *)x->data + channel;
            for (size_t i = 0; i < count; i++) out[i] = own[i] < 0 ? 0 : x->table[bytes[own[i]]];
        } else {
            const float *values = (const float *)x->data + channel;
            for (size_t i = 0; i < count; i++) out[i] = own[i] < 0 ? 0 : values[own[i]];
        }
    }
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
