// Splitting of layers whose rows differ much in size, so that each part has one scale for rows of one size: a
// convolution, the channelwise nodes and depthwise convolutions behind it, up to the convolution that reads
// all channels. The parts' channels come together in front of that one, whose weights take up their new
// order.
#include "passes/split_rows.h"

#include <string.h>

enum { MOST_LAYERS = 4 };
// Channels of a part come in so many, as kernels do; layers of up to NARROW of them in FEW.
enum { MANY = 16, FEW = 4, NARROW = 64 };

typedef struct chain {
    oq_row_split s;
    oq_node *layers[MOST_LAYERS]; // the convolutions among its nodes
    size_t layer_count;
    oq_node *reader;       // the dense convolution behind them
    double signal;         // power of its outputs, or 0
    double *size, *weight; // [layer_count, channels] see oq_row_parts
} chain;

static bool find_chain(chain *h, oq_node *first) {
    oq_row_split *s = &h->s;
    if (!oq_split_is_dense(s, first)) return false;
    s->channels = (size_t)oq_split_weight(s, first)->shape.dim[0];
    oq_node *node = first;
    while (s->node_count < OQ_MOST_SPLIT_NODES) {
        const bool layer = oq_split_weight(s, node) != NULL;
        if (layer && h->layer_count == MOST_LAYERS) return false;
        if (layer) h->layers[h->layer_count++] = node;
        s->nodes[s->node_count++] = node;
        oq_node *next = oq_graph_only_consumer(s->graph, node->outputs[0]);
        if (!next || next->inputs[0] != node->outputs[0]) return false;
        h->reader = next;
        if (oq_split_is_dense(s, next)) return oq_split_weight(s, next)->shape.dim[1] == (int64_t)s->channels;
        if (!oq_split_is_depthwise(s, next) && !oq_split_is_channelwise(s->graph, next)) return false;
        node = next;
    }
    return false;
}

// From the reader up: errors of a layer's sums reach it through the layers behind.
static oq_status measure(chain *h, oq_error *err) {
    const oq_row_split *s = &h->s;
    oq_mem *mem = s->graph->model->mem;
    double *gain = oq_mem_calloc(mem, s->channels, sizeof *gain, err);
    if (!gain) return ONNXQ_NO_MEMORY;
    oq_status status = oq_split_measure_reader(s, h->reader, gain, &h->signal, err);
    for (size_t c = 0; c < s->channels && h->signal > 0; c++) gain[c] /= h->signal;
    for (size_t l = h->layer_count; status == ONNXQ_OK && l-- > 0;)
        status = oq_split_measure_rows(s, h->layers[l], h->size + l * s->channels,
                                       h->weight + l * s->channels, gain, err);
    oq_mem_free(mem, gain);
    return status;
}

size_t oq_split_step(size_t channels) { return channels > NARROW ? MANY : FEW; }

static oq_status find_parts(chain *h, oq_error *err) {
    oq_row_split *s = &h->s;
    oq_mem *mem = s->graph->model->mem;
    oq_row_parts r = {.mem = mem,
                      .layers = h->layer_count,
                      .channels = s->channels,
                      .size = h->size,
                      .weight = h->weight,
                      .step = oq_split_step(s->channels),
                      .price = oq_split_price(s, h->layers[0], h->signal),
                      .part_of = oq_mem_calloc(mem, s->channels, sizeof *r.part_of, err)};
    if (!r.part_of) return ONNXQ_NO_MEMORY;
    const oq_status status = oq_row_parts_find(&r, err);
    size_t at = 0;
    for (s->parts = 0; status == ONNXQ_OK && s->parts < r.parts; s->end[s->parts++] = at)
        for (size_t c = 0; c < s->channels; c++)
            if (r.part_of[c] == s->parts) s->order[at++] = c;
    oq_mem_free(mem, r.part_of);
    return status;
}

// Depthwise kernels are slow on other numbers of channels: zeros make parts multiples of MANY.
static void fill_up(oq_row_split *s) {
    size_t filled[OQ_MOST_ROW_PARTS], to = 0;
    for (size_t p = 0; p < s->parts; p++)
        to = filled[p] = to + (s->end[p] - (p ? s->end[p - 1] : 0) + MANY - 1) / MANY * MANY;
    s->width = to;
    for (size_t p = s->parts; p-- > 0;) {
        const size_t from = p ? s->end[p - 1] : 0, count = s->end[p] - from, at = p ? filled[p - 1] : 0;
        memmove(s->order + at, s->order + from, count * sizeof *s->order);
        for (size_t i = at + count; i < filled[p]; i++) s->order[i] = OQ_NO_CHANNEL;
    }
    memcpy(s->end, filled, s->parts * sizeof *filled);
}

static oq_status write_parts(const chain *h, oq_error *err) {
    oq_value_id joined;
    OQ_TRY(oq_split_write(&h->s, &joined, err));
    OQ_TRY(oq_split_reorder_reader(&h->s, h->reader, err));
    return oq_node_set_input(h->s.graph, h->reader, 0, joined, err);
}

static oq_status split(chain *h, size_t *count, oq_error *err) {
    oq_row_split *s = &h->s;
    oq_mem *mem = s->graph->model->mem;
    oq_status status = ONNXQ_NO_MEMORY;
    h->size = oq_mem_calloc(mem, h->layer_count * s->channels, 2 * sizeof *h->size, err);
    s->order = oq_mem_calloc(mem, s->channels + OQ_MOST_ROW_PARTS * MANY, sizeof *s->order, err);
    s->width = s->channels;
    if (!h->size || !s->order) goto done;
    h->weight = h->size + h->layer_count * s->channels;
    OQ_TRY_DONE(measure(h, err));
    OQ_TRY_DONE(find_parts(h, err));
    if (s->parts > 1 && h->layer_count > 1) fill_up(s);
    if (s->parts > 1) OQ_TRY_DONE(write_parts(h, err));
    *count += s->parts > 1;
    status = ONNXQ_OK;
done:
    oq_mem_free(mem, h->size);
    oq_mem_free(mem, s->order);
    return status;
}

oq_status oq_pass_split_rows(oq_graph *graph, const oq_split_rows_options *options, oq_stats *stats,
                             size_t *count, oq_error *err) {
    *count = 0;
    for (size_t n = 0; n < options->node_count; n++) { // parts that arise are not split again
        chain h = {.s = {.graph = graph, .options = options, .stats = stats}};
        if (!graph->nodes[n]->dead && find_chain(&h, graph->nodes[n])) OQ_TRY(split(&h, count, err));
    }
    return oq_split_sums(graph, options, stats, count, err);
}
