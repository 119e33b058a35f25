// Zero channels beside a value's own, where runtimes are faster with a round number of them. The 8-bit
// depthwise kernels of ONNX Runtime take 16 channels at a time when these make up all, else each alone, which
// takes 2.3 times as long; its products of 8-bit matrices take 2 to 3 times as long where the sums have no
// multiple of 4 terms. What gives such a value gets more output channels with weights and biases of 0, what
// reads it weights of 0, and what works on each channel by itself in between sees more of them; where
// somebody else knows the number of channels, a large convolution reads the integers behind a Pad. All
// numbers of the model's own channels stay as they are, to the bit.
#include "quant/emit.h"

#include <string.h>

enum { DEPTHWISE_BLOCK = 16, SUM_BLOCK = 4 };
// Fewer would more than double what else is done with them.
enum { LEAST_CHANNELS = 8 };
// Products for fewer outputs do not gain, and a Pad is worth it only for many of them.
enum { LEAST_OUTPUTS = 16, LEAST_POSITIONS = 1024 };

// Values whose channels are the same, index by index, get the same number more.
typedef struct finder {
    oq_emitter *e;
    oq_value_id *leader; // [value_count] union-find
    bool *closed;        // [value_count] of leaders: somebody knows the number of channels
    int64_t *block;      // [value_count] of leaders: what the number should be a multiple of, or 0
    size_t *readers;     // [weight_count] layers that share a weight
} finder;

static oq_value_id leader_of(const finder *f, oq_value_id value) {
    while (f->leader[value] != value) value = f->leader[value];
    return value;
}

static bool is_activation(const finder *f, oq_value_id value) {
    return value != OQ_NONE && !oq_graph_constant(f->e->graph, value) &&
           !oq_graph_value(f->e->graph, value)->initializer;
}

static void close_value(const finder *f, oq_value_id value) {
    if (is_activation(f, value)) f->closed[leader_of(f, value)] = true;
}

// Channels of [N, C, ..], or -1.
static int64_t channels_of(const finder *f, oq_value_id value) {
    const oq_type *type = &oq_graph_value(f->e->graph, value)->type;
    const bool known = type->kind == OQ_TYPE_TENSOR && type->rank >= 3 && oq_dim_known(type->dim[1]);
    return known ? type->dim[1].size : -1;
}

static void unite(const finder *f, oq_value_id a, oq_value_id b) {
    const oq_value_id into = leader_of(f, a), from = leader_of(f, b);
    const bool same = channels_of(f, a) == channels_of(f, b) &&
                      oq_graph_value(f->e->graph, a)->type.rank == oq_graph_value(f->e->graph, b)->type.rank;
    f->closed[into] |= f->closed[from] || !same;
    if (f->block[from] > f->block[into]) f->block[into] = f->block[from];
    f->leader[from] = into;
}

// --- nodes ---

// Every channel of the result is made of the same channel of what is read, whatever other channels hold.
static bool keeps_channels_apart(const oq_node *node) {
    static const char *const known[] = {"Add",           "AveragePool", "Clip",      "GlobalAveragePool",
                                        "GlobalMaxPool", "HardSigmoid", "HardSwish", "LeakyRelu",
                                        "Max",           "MaxPool",     "Min",       "Mul",
                                        "Relu",          "Sigmoid",     "Sub",       "Tanh"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (oq_node_is(node, known[i])) return true;
    return false;
}

static bool takes_more(const finder *f, const oq_node *node) {
    if (!keeps_channels_apart(node) || node->output_count != 1) return false;
    for (size_t i = 0; i < node->input_count; i++) {
        const oq_constant *constant =
            node->inputs[i] == OQ_NONE ? NULL : oq_graph_constant(f->e->graph, node->inputs[i]);
        if (constant && oq_shape_count(&constant->shape) != 1) return false; // a number for each channel
    }
    return true;
}

static void visit_node(const finder *f, const oq_node *node) {
    const bool open = takes_more(f, node);
    for (size_t i = 0; i < node->input_count; i++) {
        if (!open) close_value(f, node->inputs[i]);
        if (open && is_activation(f, node->inputs[i])) unite(f, node->outputs[0], node->inputs[i]);
    }
    for (size_t i = 0; !open && i < node->output_count; i++) close_value(f, node->outputs[i]);
    for (size_t i = 0; i < node->capture_count; i++) close_value(f, node->captures[i]);
}

static int64_t groups_of(const finder *f, const oq_layer *layer) {
    return oq_node_int(oq_graph_node(f->e->graph, layer->node), "group", 1);
}

static size_t index_of(const oq_plan *plan, const oq_weight *weight) {
    size_t i = 0;
    while (plan->weights[i] != weight) i++;
    return i;
}

// A convolution that is written as one of 8-bit integers, with weights of its own.
static bool is_open(const finder *f, const oq_layer *layer) {
    const oq_weight *w = layer->operand[1].weight;
    return layer->shape == OQ_LAYER_CONV && layer->integer && !layer->wide && !oq_layer_is_line(layer) && w &&
           !w->transposed && oq_dtype_info(w->carrier)->bits == 8 &&
           f->readers[index_of(f->e->plan, w)] == 1 && (!layer->vector || layer->integer_bias);
}

static void want(const finder *f, oq_value_id value, int64_t block) {
    int64_t *own = &f->block[leader_of(f, value)];
    if (block > *own) *own = block;
}

// A convolution over all channels whose sums would be of a better length with more of them.
static bool is_uneven(const finder *f, const oq_layer *layer) {
    const oq_shape *shape = &layer->operand[1].weight->shape;
    return is_open(f, layer) && groups_of(f, layer) == 1 && shape->dim[0] >= LEAST_OUTPUTS &&
           oq_shape_range_count(shape, 1, shape->rank) % SUM_BLOCK != 0;
}

static void visit_layer(const finder *f, const oq_layer *layer) {
    const oq_value_id in = layer->operand[0].value, out = layer->output;
    const oq_weight *w = layer->operand[1].weight;
    const bool open = is_open(f, layer);
    if (open && groups_of(f, layer) == 1) {
        f->closed[leader_of(f, in)] |= channels_of(f, in) != w->shape.dim[1];
        f->closed[leader_of(f, out)] |= channels_of(f, out) != w->shape.dim[0];
        if (is_uneven(f, layer)) want(f, in, SUM_BLOCK);
        return;
    }
    if (open && w->shape.dim[1] == 1 && groups_of(f, layer) == w->shape.dim[0]) {
        unite(f, in, out);
        if (w->shape.dim[0] >= LEAST_CHANNELS) want(f, in, DEPTHWISE_BLOCK);
        return;
    }
    close_value(f, layer->operand[0].value);
    close_value(f, layer->operand[1].value);
    close_value(f, layer->addend);
    close_value(f, out);
}

static void visit(const finder *f) {
    const oq_plan *plan = f->e->plan;
    const oq_graph *graph = f->e->graph;
    for (size_t i = 0; i < graph->input_count; i++) close_value(f, graph->inputs[i]);
    for (size_t i = 0; i < graph->output_count; i++) close_value(f, graph->outputs[i]);
    for (size_t i = 0; i < plan->order_count; i++) {
        const int32_t index = oq_plan_layer_of(plan, plan->order[i]);
        if (index < 0)
            visit_node(f, oq_graph_node(graph, plan->order[i]));
        else if (plan->layers[index].node == plan->order[i])
            visit_layer(f, &plan->layers[index]);
    }
}

// --- the numbers ---

static int64_t to_multiple(int64_t count, int64_t block) { return (block - count % block) % block; }

static int64_t missing(const finder *f, oq_value_id value) {
    const oq_value_id leader = leader_of(f, value);
    const int64_t channels = channels_of(f, value);
    return f->block[leader] && !f->closed[leader] && channels > 0 ? to_multiple(channels, f->block[leader])
                                                                  : 0;
}

// Whether a convolution has so many positions that its input may well be copied for it; true when they are
// unknown.
static bool is_large(const finder *f, const oq_layer *layer) {
    const oq_type *type = &oq_graph_value(f->e->graph, layer->output)->type;
    int64_t positions = 1;
    if (oq_model_opset(f->e->graph->model, "") < 13) return false; // no Pad of integers in all runtimes
    for (int d = 2; type->kind == OQ_TYPE_TENSOR && d < type->rank; d++) {
        if (!oq_dim_known(type->dim[d])) return true;
        positions *= type->dim[d].size;
    }
    return positions >= LEAST_POSITIONS;
}

// Where the channels were last before, runtimes that keep them there pad every place: ten times as long.
static bool had_channels_last(const finder *f, const oq_layer *layer) {
    const oq_node *transpose = oq_graph_producer_is(f->e->graph, layer->operand[0].value, "Transpose");
    size_t rank = 0;
    const int64_t *perm = transpose ? oq_node_ints(transpose, "perm", &rank) : NULL;
    return rank > 1 && perm[1] == (int64_t)rank - 1;
}

static void note_weights(const finder *f) {
    const oq_plan *plan = f->e->plan;
    for (size_t l = 0; l < plan->layer_count; l++) {
        const oq_layer *layer = &plan->layers[l];
        if (layer->dropped || !is_open(f, layer)) continue;
        oq_emitted_weight *own = &f->e->weights[index_of(plan, layer->operand[1].weight)];
        own->more_rows = f->e->more[layer->output];
        if (groups_of(f, layer) != 1) continue;
        own->more_columns = f->e->more[layer->operand[0].value];
        if (!own->more_columns && is_uneven(f, layer) && is_large(f, layer) && !had_channels_last(f, layer))
            own->more_columns = to_multiple(layer->operand[1].weight->shape.dim[1], SUM_BLOCK);
    }
}

oq_status oq_emit_find_channels(oq_emitter *e, oq_arena *arena, oq_error *err) {
    const oq_plan *plan = e->plan;
    const size_t values = plan->value_count + 1;
    finder f = {.e = e,
                .leader = oq_arena_alloc(arena, values * sizeof *f.leader, err),
                .closed = oq_arena_calloc(arena, values, sizeof *f.closed, err),
                .block = oq_arena_calloc(arena, values, sizeof *f.block, err),
                .readers = oq_arena_calloc(arena, plan->weight_count + 1, sizeof *f.readers, err)};
    e->more = oq_arena_calloc(arena, values, sizeof *e->more, err);
    if (!e->more || !f.leader || !f.closed || !f.block || !f.readers) return ONNXQ_NO_MEMORY;
    if (!plan->options.whole_blocks || plan->options.mode != OQ_MODE_STATIC) return ONNXQ_OK;
    for (size_t v = 0; v < plan->value_count; v++) f.leader[v] = (oq_value_id)v;
    for (size_t l = 0; l < plan->layer_count; l++)
        for (int i = 0; i < 2; i++)
            if (!plan->layers[l].dropped && plan->layers[l].operand[i].weight)
                f.readers[index_of(plan, plan->layers[l].operand[i].weight)]++;
    visit(&f);
    for (size_t v = 0; v < plan->value_count; v++) {
        if (!is_activation(&f, (oq_value_id)v)) continue;
        e->more[v] = missing(&f, (oq_value_id)v);
        if (e->more[v]) oq_graph_value(e->graph, (oq_value_id)v)->type.dim[1].size += e->more[v];
    }
    note_weights(&f);
    return ONNXQ_OK;
}

// --- weights ---

oq_shape oq_emitted_shape(const oq_weight *weight, const oq_emitted_weight *own) {
    oq_shape shape = weight->shape;
    if (own->more_rows) shape.dim[0] += own->more_rows;
    if (own->more_columns) shape.dim[1] += own->more_columns;
    return shape;
}

oq_status oq_emit_widened(oq_emitter *e, const oq_weight *weight, const oq_emitted_weight *own,
                          oq_tensor *out, oq_error *err) {
    if (!own->more_rows && !own->more_columns) {
        *out = oq_tensor_retain(&weight->q);
        return ONNXQ_OK;
    }
    const oq_shape shape = oq_emitted_shape(weight, own);
    const size_t row = (size_t)oq_shape_range_count(&weight->shape, 1, weight->shape.rank),
                 wide = (size_t)oq_shape_range_count(&shape, 1, shape.rank);
    OQ_TRY(oq_tensor_new(e->graph->model->mem, weight->q.dtype, &shape, out, err));
    for (size_t r = 0; r < (size_t)shape.dim[0]; r++) {
        const bool is_new = r >= (size_t)weight->shape.dim[0];
        uint8_t *to = (uint8_t *)out->data + r * wide;
        memset(to, (uint8_t)oq_weight_param(weight, is_new ? 0 : r).zero_point, wide);
        if (!is_new) memcpy(to, (const uint8_t *)weight->q.data + r * row, row);
    }
    return ONNXQ_OK;
}

// --- operands and attributes ---

int64_t oq_emit_padded_channels(const oq_emitter *e, const oq_layer *layer) {
    const oq_weight *w = layer->operand[1].weight;
    if (layer->shape != OQ_LAYER_CONV || !w) return 0;
    const oq_emitted_weight *own = &e->weights[index_of(e->plan, w)];
    return e->more[layer->operand[0].value] ? 0 : own->more_columns;
}

// [N, C, ..] of integers with channels of zero points behind its own.
oq_status oq_emit_channel_pad(oq_emitter *e, const oq_layer *layer, oq_value_id *q, oq_error *err) {
    const oq_value_id value = layer->operand[0].value, from = *q;
    const int64_t more = oq_emit_padded_channels(e, layer);
    const int rank = oq_graph_value(e->graph, value)->type.rank;
    const oq_shape shape = OQ_SHAPE(2 * (int64_t)rank);
    int64_t pads[2 * OQ_MAX_RANK] = {0};
    oq_value_id in[3] = {from}, scale;
    if (!more) return ONNXQ_OK;
    pads[rank + 1] = more;
    OQ_TRY(oq_emit_integers(e, value, "_channel_pads", ONNXQ_INT64, pads, &shape, &in[1], err));
    OQ_TRY(oq_emit_params(e, value, &scale, &in[2], err));
    OQ_TRY(oq_emit_value(e, value, "_widened", e->plan->tensors[value].carrier, q, err));
    oq_graph_value(e->graph, *q)->type.dim[1].size += more;
    return oq_emit_node(e, "", "Pad", in, 3, *q, NULL, err);
}

oq_status oq_emit_conv_attributes(oq_emitter *e, const oq_layer *layer, oq_node *to, oq_error *err) {
    const oq_node *node = oq_graph_node(e->graph, layer->node);
    const int64_t groups = oq_node_int(node, "group", 1), more = e->more[layer->output];
    to->attrs = node->attrs;
    to->attr_count = node->attr_count;
    if (groups == 1 || !more) return ONNXQ_OK; // the number is set in a new list
    return oq_node_set_int(e->graph, to, "group", groups + more, err);
}
