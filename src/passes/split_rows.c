// Splitting of layers whose rows differ much in size, so that each part has one scale for rows of one size: a
// convolution, the channelwise nodes and depthwise convolutions behind it, up to the convolution that reads
// all channels. The parts' channels come together in front of that one, whose weights take up their new
// order.
#include "passes/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 12, MOST_LAYERS = 4, MOST_PARTS = 6 };
// Channels of a part come in so many, as kernels do; layers of up to NARROW of them in FEW.
enum { MANY = 16, FEW = 4, NARROW = 64 };
// A part more must take away this share of the expected error, and all parts together this one.
#define WORTH_A_PART    0.2
#define WORTH_SPLITTING 0.5

typedef struct chain {
    oq_graph *graph;
    const oq_split_rows_options *options;
    oq_stats *stats;
    oq_node *nodes[MOST_NODES]; // the first is the dense convolution
    size_t node_count;
    oq_node *layers[MOST_LAYERS]; // the convolutions among them
    size_t layer_count;
    oq_node *reader; // the dense convolution behind them
    size_t channels;
    double *size;   // [layer_count, channels] square of the largest weight of a row
    double *weight; // [layer_count, channels] what a unit of it costs at the reader's outputs
    size_t *order;  // [width] channels, part by part; NO_CHANNEL: one of zeros, once parts are filled up
    size_t width;
    size_t parts, end[MOST_PARTS]; // the parts' ends in `order`
} chain;

#define NO_CHANNEL SIZE_MAX

// --- which nodes ---

// Its constant weights, where it is a quantized convolution whose bias, if any, is constant; else NULL.
static const oq_constant *weight_of(const chain *h, const oq_node *node) {
    if (!oq_node_is(node, "Conv") || node->region != OQ_NONE || !h->options->chosen[node->id] ||
        node->inputs[0] == OQ_NONE || node->inputs[1] == OQ_NONE)
        return NULL;
    const oq_constant *w = oq_graph_constant(h->graph, node->inputs[1]), *bias = NULL;
    const bool has_bias = node->input_count > 2 && node->inputs[2] != OQ_NONE;
    if (has_bias) bias = oq_graph_constant(h->graph, node->inputs[2]);
    const bool fits = w && w->dtype == ONNXQ_FLOAT && w->shape.rank > 2 && oq_shape_count(&w->shape) > 0;
    return fits && (!has_bias || (bias && bias->dtype == ONNXQ_FLOAT)) ? w : NULL;
}

static bool is_dense(const chain *h, const oq_node *node) {
    return weight_of(h, node) && oq_node_int(node, "group", 1) == 1;
}

// One row a channel.
static bool is_depthwise(const chain *h, const oq_node *node) {
    const oq_constant *w = weight_of(h, node);
    return w && w->shape.dim[1] == 1 && w->shape.dim[0] == (int64_t)h->channels &&
           oq_node_int(node, "group", 1) == (int64_t)h->channels;
}

// Treats all channels alike, each for itself.
static bool is_channelwise(oq_graph *graph, const oq_node *node) {
    static const char *const types[] = {
        "Relu", "LeakyRelu",   "Clip",    "Sigmoid",       "HardSigmoid",       "HardSwish", "Tanh",
        "Elu",  "AveragePool", "MaxPool", "GlobalMaxPool", "GlobalAveragePool", "Softplus",  "Identity"};
    bool known = false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) known |= oq_node_is(node, types[i]);
    for (size_t i = 1; known && i < node->input_count; i++)
        known = node->inputs[i] == OQ_NONE || oq_graph_constant(graph, node->inputs[i]);
    return known && node->region == OQ_NONE && node->output_count == 1;
}

static bool find_chain(chain *h, oq_node *first) {
    if (!is_dense(h, first)) return false;
    h->channels = (size_t)weight_of(h, first)->shape.dim[0];
    oq_node *node = first;
    while (h->node_count < MOST_NODES) {
        const bool layer = weight_of(h, node) != NULL;
        if (layer && h->layer_count == MOST_LAYERS) return false;
        if (layer) h->layers[h->layer_count++] = node;
        h->nodes[h->node_count++] = node;
        oq_node *next = oq_graph_only_consumer(h->graph, node->outputs[0]);
        if (!next || next->inputs[0] != node->outputs[0]) return false;
        h->reader = next;
        if (is_dense(h, next)) return weight_of(h, next)->shape.dim[1] == (int64_t)h->channels;
        if (!is_depthwise(h, next) && !is_channelwise(h->graph, next)) return false;
        node = next;
    }
    return false;
}

// --- which channels ---

// Mean square of what a layer reads, by channel; the same for all where no more is known.
static void find_power(const chain *h, const oq_node *layer, double *power, size_t channels) {
    const oq_tensor_stats *t = oq_stats_find(h->stats, oq_graph_value(h->graph, layer->inputs[0])->name);
    if (t && t->channels == channels && t->axis == 1 && t->channel_count && !t->nan && !t->infinite) {
        oq_stats_channel_power(t, 0, NULL, power);
        return;
    }
    const double top = t && t->count ? fmax(fabs((double)t->min), fabs((double)t->max)) : 1;
    for (size_t c = 0; c < channels; c++) power[c] = top * top / 3;
}

// Largest squares of the rows, or their sums.
static void measure_rows(const oq_tensor *w, size_t rows, bool sums, double *out) {
    const size_t depth = (size_t)oq_tensor_count(w) / rows;
    const float *x = w->data;
    for (size_t r = 0; r < rows; r++) {
        out[r] = 0;
        for (size_t i = 0; i < depth; i++, x++) {
            const double square = (double)*x * (double)*x;
            out[r] = sums ? out[r] + square : fmax(out[r], square);
        }
    }
}

// Squares of the reader's weights, summed by the channel that they meet.
static oq_status measure_reader(const chain *h, double *gain, oq_error *err) {
    oq_tensor w = {0};
    OQ_TRY(oq_constant_load(h->graph->model->mem, weight_of(h, h->reader), &w, err));
    const size_t kernel = (size_t)oq_shape_range_count(&w.shape, 2, w.shape.rank);
    const float *x = w.data;
    for (size_t i = 0; i < (size_t)oq_tensor_count(&w); i++)
        gain[i / kernel % h->channels] += (double)x[i] * (double)x[i];
    oq_tensor_release(&w);
    return ONNXQ_OK;
}

// From the reader up: errors of a layer's sums reach it through the layers behind. `gain` [channels], scratch
// `power` for the inputs of any layer.
static oq_status measure_layer(const chain *h, size_t l, double *gain, double *power, oq_error *err) {
    oq_tensor w = {0};
    OQ_TRY(oq_constant_load(h->graph->model->mem, weight_of(h, h->layers[l]), &w, err));
    const size_t depth = (size_t)w.shape.dim[1], taps = (size_t)oq_tensor_count(&w) / h->channels / depth;
    double *weight = h->weight + l * h->channels, sum = 0;
    find_power(h, h->layers[l], power, l ? h->channels : depth);
    for (size_t i = 0; i < depth; i++) sum += power[i];
    for (size_t c = 0; c < h->channels; c++) weight[c] = (double)taps * (l ? power[c] : sum) * gain[c];
    measure_rows(&w, h->channels, true, power);
    for (size_t c = 0; c < h->channels; c++) gain[c] *= power[c];
    measure_rows(&w, h->channels, false, h->size + l * h->channels);
    oq_tensor_release(&w);
    return ONNXQ_OK;
}

static oq_status measure(const chain *h, oq_error *err) {
    oq_mem *mem = h->graph->model->mem;
    const size_t read = (size_t)weight_of(h, h->layers[0])->shape.dim[1],
                 most = read > h->channels ? read : h->channels;
    double *scratch = oq_mem_calloc(mem, 2 * most, sizeof *scratch, err);
    if (!scratch) return ONNXQ_NO_MEMORY;
    oq_status status = measure_reader(h, scratch, err);
    for (size_t l = h->layer_count; status == ONNXQ_OK && l-- > 0;)
        status = measure_layer(h, l, scratch, scratch + most, err);
    oq_mem_free(mem, scratch);
    return status;
}

static size_t begin_of(const chain *h, size_t part) { return part ? h->end[part - 1] : 0; }

// Expected squared error at the reader's outputs, but for a factor, by the weights of channels
// order[from..to), which share a scale in each layer.
static double error_of(const chain *h, size_t from, size_t to) {
    double sum = 0;
    for (size_t l = 0; l < h->layer_count; l++) {
        double most = 0, weight = 0;
        for (size_t i = from; i < to; i++) {
            most = fmax(most, h->size[l * h->channels + h->order[i]]);
            weight += h->weight[l * h->channels + h->order[i]];
        }
        sum += most * weight;
    }
    return sum;
}

typedef struct ranked {
    double score;
    size_t channel;
} ranked;

static int by_score(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->channel < y->channel ? -1 : 1;
}

// First the channels whose rows would cost the part most by setting its scale.
static oq_status sort_part(chain *h, size_t from, size_t to, oq_error *err) {
    ranked *list = oq_mem_calloc(h->graph->model->mem, to - from + 1, sizeof *list, err);
    if (!list) return ONNXQ_NO_MEMORY;
    for (size_t i = from; i < to; i++) list[i - from].channel = h->order[i];
    for (size_t l = 0; l < h->layer_count; l++) {
        const double *size = h->size + l * h->channels;
        double weight = 0;
        for (size_t i = from; i < to; i++) weight += h->weight[l * h->channels + h->order[i]];
        for (size_t i = 0; i < to - from; i++)
            list[i].score = fmax(list[i].score, size[list[i].channel] * weight);
    }
    qsort(list, to - from, sizeof *list, by_score);
    for (size_t i = from; i < to; i++) h->order[i] = list[i - from].channel;
    oq_mem_free(h->graph->model->mem, list);
    return ONNXQ_OK;
}

// The best place to cut channels order[from..to), which are sorted.
static double best_cut(const chain *h, size_t from, size_t to, size_t *cut) {
    const size_t step = h->channels > NARROW ? MANY : FEW;
    const double whole = error_of(h, from, to);
    double most = 0;
    for (size_t at = from + step; at < to; at += step) {
        const double gain = whole - error_of(h, from, at) - error_of(h, at, to);
        if (gain > most) most = gain, *cut = at;
    }
    return most;
}

// Cuts one part after the other in two, the one where that gains most first.
static oq_status find_parts(chain *h, oq_error *err) {
    const double whole = error_of(h, 0, h->channels);
    double left = whole;
    h->parts = 1;
    h->end[0] = h->channels;
    OQ_TRY(sort_part(h, 0, h->channels, err));
    while (h->parts < MOST_PARTS) {
        double most = 0;
        size_t part = 0, cut = 0, at = 0;
        for (size_t p = 0; p < h->parts; p++) {
            const double gain = best_cut(h, begin_of(h, p), h->end[p], &at);
            if (gain > most) most = gain, part = p, cut = at;
        }
        if (!(most > 0 && most >= WORTH_A_PART * left)) break;
        memmove(h->end + part + 1, h->end + part, (h->parts - part) * sizeof *h->end);
        h->end[part] = cut;
        h->parts++;
        left -= most;
        OQ_TRY(sort_part(h, begin_of(h, part), cut, err));
        OQ_TRY(sort_part(h, cut, h->end[part + 1], err));
    }
    if (!(left <= WORTH_SPLITTING * whole)) h->parts = 1;
    return ONNXQ_OK;
}

// Depthwise kernels are slow on other numbers of channels: zeros make parts multiples of MANY.
static void fill_up(chain *h) {
    size_t filled[MOST_PARTS], to = 0;
    for (size_t p = 0; p < h->parts; p++)
        to = filled[p] = to + (h->end[p] - begin_of(h, p) + MANY - 1) / MANY * MANY;
    h->width = to;
    for (size_t p = h->parts; p-- > 0;) {
        const size_t from = begin_of(h, p), count = h->end[p] - from, at = p ? filled[p - 1] : 0;
        memmove(h->order + at, h->order + from, count * sizeof *h->order);
        for (size_t i = at + count; i < filled[p]; i++) h->order[i] = NO_CHANNEL;
    }
    memcpy(h->end, filled, h->parts * sizeof *filled);
}

// --- doing it ---

static const char *part_name(const chain *h, const char *of, size_t part, oq_error *err) {
    return oq_arena_printf(&h->graph->model->arena, err, "%s_part_%zu", of, part + 1);
}

// What was counted of a value holds for its parts, and they keep one range.
static oq_status copy_statistics(const chain *h, oq_value_id from, oq_value_id to, oq_error *err) {
    return oq_stats_repeat(h->stats, oq_graph_value(h->graph, from)->name, oq_graph_value(h->graph, to)->name,
                           err);
}

// A value like `like`, under a name of its own.
static oq_status add_value(const chain *h, oq_value_id like, const char *name, oq_value_id *out,
                           oq_error *err) {
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(h->graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(h->graph, name, out, err));
    return copy_statistics(h, like, *out, err);
}

// Rows order[from..to) of a constant as a new initializer.
static oq_status take_rows(const chain *h, oq_value_id of, size_t part, oq_value_id *out, oq_error *err) {
    oq_tensor all = {0}, rows = {0};
    const size_t from = begin_of(h, part), count = h->end[part] - from;
    const char *name = part_name(h, oq_graph_value(h->graph, of)->name, part, err);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_constant_load(h->graph->model->mem, oq_graph_constant(h->graph, of), &all, err));
    oq_shape shape = all.shape;
    shape.dim[0] = (int64_t)count;
    const oq_status status = oq_tensor_new(h->graph->model->mem, ONNXQ_FLOAT, &shape, &rows, err);
    const size_t depth = (size_t)oq_tensor_count(&all) / h->channels;
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++) {
        float *to = (float *)rows.data + i * depth;
        const size_t c = h->order[from + i];
        if (c == NO_CHANNEL)
            memset(to, 0, depth * sizeof *to);
        else
            memcpy(to, (const float *)all.data + c * depth, depth * sizeof *to);
    }
    oq_tensor_release(&all);
    OQ_TRY(status);
    return oq_graph_add_initializer(h->graph, name, rows, out, err);
}

// Makes a convolution that of the part's rows.
static oq_status keep_rows(const chain *h, oq_node *node, size_t part, oq_error *err) {
    for (size_t i = 1; i < node->input_count; i++) {
        oq_value_id rows;
        if (node->inputs[i] == OQ_NONE) continue;
        OQ_TRY(take_rows(h, node->inputs[i], part, &rows, err));
        OQ_TRY(oq_node_set_input(h->graph, node, i, rows, err));
    }
    if (oq_node_int(node, "group", 1) == 1) return ONNXQ_OK;
    return oq_node_set_int(h->graph, node, "group", (int64_t)(h->end[part] - begin_of(h, part)), err);
}

static oq_status copy_node(const chain *h, const oq_node *node, size_t part, oq_node **out, oq_error *err) {
    oq_value_id value;
    const char *name = *node->name ? part_name(h, node->name, part, err) : "";
    OQ_TRY(add_value(h, node->outputs[0],
                     part_name(h, oq_graph_value(h->graph, node->outputs[0])->name, part, err), &value, err));
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_add_node(h->graph, name, node->op_type, node->domain, node->inputs, node->input_count,
                             &value, 1, out, err));
    (*out)->attrs =
        oq_arena_memdup(&h->graph->model->arena, node->attrs, node->attr_count * sizeof *node->attrs, err);
    if (!(*out)->attrs) return ONNXQ_NO_MEMORY;
    (*out)->attr_count = node->attr_count;
    return ONNXQ_OK;
}

static oq_status write_part(const chain *h, size_t part, oq_value_id *end, oq_error *err) {
    oq_value_id value = h->nodes[0]->inputs[0];
    for (size_t n = 0; n < h->node_count; n++) {
        oq_node *copy;
        OQ_TRY(copy_node(h, h->nodes[n], part, &copy, err));
        OQ_TRY(oq_node_set_input(h->graph, copy, 0, value, err));
        if (weight_of(h, h->nodes[n])) OQ_TRY(keep_rows(h, copy, part, err));
        value = copy->outputs[0];
    }
    *end = value;
    return ONNXQ_OK;
}

// The reader's weights with their inputs in the new order.
static void reorder(const chain *h, const oq_tensor *from, oq_tensor *to) {
    const size_t kernel = (size_t)oq_shape_range_count(&to->shape, 2, to->shape.rank),
                 rows = (size_t)to->shape.dim[0];
    for (size_t i = 0; i < rows * h->width; i++) {
        float *x = (float *)to->data + i * kernel;
        const size_t c = h->order[i % h->width];
        if (c == NO_CHANNEL)
            memset(x, 0, kernel * sizeof *x);
        else
            memcpy(x, (const float *)from->data + (i / h->width * h->channels + c) * kernel,
                   kernel * sizeof *x);
    }
}

static oq_status reorder_reader(const chain *h, oq_error *err) {
    oq_tensor from = {0}, to = {0};
    oq_value_id id;
    const char *name = oq_arena_printf(&h->graph->model->arena, err, "%s_reordered",
                                       oq_graph_value(h->graph, h->reader->inputs[1])->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_constant_load(h->graph->model->mem, weight_of(h, h->reader), &from, err));
    oq_shape shape = from.shape;
    shape.dim[1] = (int64_t)h->width;
    const oq_status status = oq_tensor_new(h->graph->model->mem, ONNXQ_FLOAT, &shape, &to, err);
    if (status == ONNXQ_OK) reorder(h, &from, &to);
    oq_tensor_release(&from);
    OQ_TRY(status);
    OQ_TRY(oq_graph_add_initializer(h->graph, name, to, &id, err));
    return oq_node_set_input(h->graph, h->reader, 1, id, err);
}

static oq_status write_parts(const chain *h, oq_error *err) {
    const oq_value_id was = h->reader->inputs[0];
    oq_value_id ends[MOST_PARTS], joined;
    oq_node *concat;
    for (size_t p = 0; p < h->parts; p++) OQ_TRY(write_part(h, p, &ends[p], err));
    const char *name =
        oq_arena_printf(&h->graph->model->arena, err, "%s_reordered", oq_graph_value(h->graph, was)->name);
    OQ_TRY(add_value(h, was, name, &joined, err));
    OQ_TRY(oq_graph_add_node(h->graph, "", "Concat", "", ends, h->parts, &joined, 1, &concat, err));
    OQ_TRY(oq_node_set_int(h->graph, concat, "axis", 1, err));
    OQ_TRY(reorder_reader(h, err));
    OQ_TRY(oq_node_set_input(h->graph, h->reader, 0, joined, err));
    for (size_t n = h->node_count; n-- > 0;) oq_graph_remove_node(h->graph, h->nodes[n]);
    return ONNXQ_OK;
}

static oq_status split(chain *h, size_t *count, oq_error *err) {
    oq_mem *mem = h->graph->model->mem;
    oq_status status = ONNXQ_NO_MEMORY;
    h->size = oq_mem_calloc(mem, h->layer_count * h->channels, 2 * sizeof *h->size, err);
    h->order = oq_mem_calloc(mem, h->channels + MOST_PARTS * MANY, sizeof *h->order, err);
    h->width = h->channels;
    if (!h->size || !h->order) goto done;
    h->weight = h->size + h->layer_count * h->channels;
    for (size_t c = 0; c < h->channels; c++) h->order[c] = c;
    OQ_TRY_DONE(measure(h, err));
    OQ_TRY_DONE(find_parts(h, err));
    if (h->parts > 1 && h->layer_count > 1) fill_up(h);
    if (h->parts > 1) OQ_TRY_DONE(write_parts(h, err));
    *count += h->parts > 1;
done:
    oq_mem_free(mem, h->size);
    oq_mem_free(mem, h->order);
    return status;
}

oq_status oq_pass_split_rows(oq_graph *graph, const oq_split_rows_options *options, oq_stats *stats,
                             size_t *count, oq_error *err) {
    const size_t nodes = graph->node_count; // parts that arise are not split again
    *count = 0;
    for (size_t n = 0; n < nodes; n++) {
        chain h = {.graph = graph, .options = options, .stats = stats};
        if (!graph->nodes[n]->dead && find_chain(&h, graph->nodes[n])) OQ_TRY(split(&h, count, err));
    }
    return ONNXQ_OK;
}
