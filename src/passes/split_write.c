// Nodes in a row become a few rows of nodes, each with some of the channels.
#include "passes/split_rows.h"

#include <string.h>

// --- which nodes ---

static bool is_chosen(const oq_row_split *s, const oq_node *node) { // parts are new nodes
    return (size_t)node->id >= s->options->node_count || s->options->chosen[node->id];
}

const oq_constant *oq_split_weight(const oq_row_split *s, const oq_node *node) {
    if (!oq_node_is(node, "Conv") || node->region != OQ_NONE || !is_chosen(s, node) ||
        node->inputs[0] == OQ_NONE || node->inputs[1] == OQ_NONE)
        return NULL;
    const oq_constant *w = oq_graph_constant(s->graph, node->inputs[1]), *bias = NULL;
    const bool has_bias = node->input_count > 2 && node->inputs[2] != OQ_NONE;
    if (has_bias) bias = oq_graph_constant(s->graph, node->inputs[2]);
    const bool fits = w && w->dtype == ONNXQ_FLOAT && w->shape.rank > 2 && oq_shape_count(&w->shape) > 0;
    return fits && (!has_bias || (bias && bias->dtype == ONNXQ_FLOAT)) ? w : NULL;
}

bool oq_split_is_dense(const oq_row_split *s, const oq_node *node) {
    return oq_split_weight(s, node) && oq_node_int(node, "group", 1) == 1;
}

bool oq_split_is_depthwise(const oq_row_split *s, const oq_node *node) {
    const oq_constant *w = oq_split_weight(s, node);
    return w && w->shape.dim[1] == 1 && w->shape.dim[0] == (int64_t)s->channels &&
           oq_node_int(node, "group", 1) == (int64_t)s->channels;
}

// Treats all channels alike, each for itself.
bool oq_split_is_channelwise(oq_graph *graph, const oq_node *node) {
    static const char *const types[] = {
        "Relu", "LeakyRelu",   "Clip",    "Sigmoid",       "HardSigmoid",       "HardSwish", "Tanh",
        "Elu",  "AveragePool", "MaxPool", "GlobalMaxPool", "GlobalAveragePool", "Softplus",  "Identity"};
    bool known = false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) known |= oq_node_is(node, types[i]);
    for (size_t i = 1; known && i < node->input_count; i++)
        known = node->inputs[i] == OQ_NONE || oq_graph_constant(graph, node->inputs[i]);
    return known && node->region == OQ_NONE && node->output_count == 1;
}

// --- parts ---

static size_t begin_of(const oq_row_split *s, size_t part) { return part ? s->end[part - 1] : 0; }

static const char *part_name(const oq_row_split *s, const char *of, size_t part, oq_error *err) {
    return oq_arena_printf(&s->graph->model->arena, err, "%s_part_%zu", of, part + 1);
}

// A value like `like`, under a name of its own.
static oq_status add_value(const oq_row_split *s, oq_value_id like, const char *name, oq_value_id *out,
                           oq_error *err) {
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(s->graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(s->graph, name, out, err));
    return oq_stats_repeat(s->stats, oq_graph_value(s->graph, like)->name, name, err);
}

oq_status oq_split_take_rows(const oq_row_split *s, oq_value_id of, const char *name, size_t from, size_t to,
                             oq_value_id *out, oq_error *err) {
    oq_tensor all = {0}, rows = {0};
    OQ_TRY(oq_constant_load(s->graph->model->mem, oq_graph_constant(s->graph, of), &all, err));
    oq_shape shape = all.shape;
    shape.dim[0] = (int64_t)(to - from);
    const oq_status status = oq_tensor_new(s->graph->model->mem, ONNXQ_FLOAT, &shape, &rows, err);
    const size_t depth = (size_t)oq_tensor_count(&all) / s->channels;
    for (size_t i = from; status == ONNXQ_OK && i < to; i++) {
        float *row = (float *)rows.data + (i - from) * depth;
        if (s->order[i] == OQ_NO_CHANNEL)
            memset(row, 0, depth * sizeof *row);
        else
            memcpy(row, (const float *)all.data + s->order[i] * depth, depth * sizeof *row);
    }
    oq_tensor_release(&all);
    OQ_TRY(status);
    return oq_graph_add_initializer(s->graph, name, rows, out, err);
}

// Makes a convolution that of the part's rows.
static oq_status keep_rows(const oq_row_split *s, oq_node *node, size_t part, oq_error *err) {
    const size_t from = begin_of(s, part), to = s->end[part];
    for (size_t i = 1; i < node->input_count; i++) {
        oq_value_id rows;
        if (node->inputs[i] == OQ_NONE) continue;
        const char *name = part_name(s, oq_graph_value(s->graph, node->inputs[i])->name, part, err);
        if (!name) return ONNXQ_NO_MEMORY;
        OQ_TRY(oq_split_take_rows(s, node->inputs[i], name, from, to, &rows, err));
        OQ_TRY(oq_node_set_input(s->graph, node, i, rows, err));
    }
    if (oq_node_int(node, "group", 1) == 1) return ONNXQ_OK;
    return oq_node_set_int(s->graph, node, "group", (int64_t)(to - from), err);
}

static oq_status copy_node(const oq_row_split *s, const oq_node *node, size_t part, oq_node **out,
                           oq_error *err) {
    oq_value_id value;
    const char *name = *node->name ? part_name(s, node->name, part, err) : "";
    OQ_TRY(add_value(s, node->outputs[0],
                     part_name(s, oq_graph_value(s->graph, node->outputs[0])->name, part, err), &value, err));
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_add_node(s->graph, name, node->op_type, node->domain, node->inputs, node->input_count,
                             &value, 1, out, err));
    (*out)->attrs =
        oq_arena_memdup(&s->graph->model->arena, node->attrs, node->attr_count * sizeof *node->attrs, err);
    if (!(*out)->attrs) return ONNXQ_NO_MEMORY;
    (*out)->attr_count = node->attr_count;
    return ONNXQ_OK;
}

static oq_status write_part(const oq_row_split *s, size_t part, oq_value_id *end, oq_error *err) {
    oq_value_id value = s->nodes[0]->inputs[0];
    for (size_t n = 0; n < s->node_count; n++) {
        oq_node *copy;
        OQ_TRY(copy_node(s, s->nodes[n], part, &copy, err));
        OQ_TRY(oq_node_set_input(s->graph, copy, 0, value, err));
        if (oq_split_weight(s, s->nodes[n])) OQ_TRY(keep_rows(s, copy, part, err));
        value = copy->outputs[0];
    }
    *end = value;
    return ONNXQ_OK;
}

oq_status oq_split_write(const oq_row_split *s, oq_value_id *joined, oq_error *err) {
    const oq_value_id was = s->nodes[s->node_count - 1]->outputs[0];
    oq_value_id ends[OQ_MOST_ROW_PARTS];
    oq_node *concat;
    for (size_t p = 0; p < s->parts; p++) OQ_TRY(write_part(s, p, &ends[p], err));
    const char *name =
        oq_arena_printf(&s->graph->model->arena, err, "%s_reordered", oq_graph_value(s->graph, was)->name);
    OQ_TRY(add_value(s, was, name, joined, err));
    OQ_TRY(oq_graph_add_node(s->graph, "", "Concat", "", ends, s->parts, joined, 1, &concat, err));
    OQ_TRY(oq_node_set_int(s->graph, concat, "axis", 1, err));
    for (size_t n = s->node_count; n-- > 0;) oq_graph_remove_node(s->graph, s->nodes[n]);
    return ONNXQ_OK;
}

// --- readers ---

// A reader's weights seen as [outer, channels, inner]; false when it is none.
bool oq_split_reader(const oq_row_split *s, const oq_node *node, size_t *inner) {
    if (oq_split_is_dense(s, node)) {
        const oq_shape *shape = &oq_split_weight(s, node)->shape;
        *inner = (size_t)oq_shape_range_count(shape, 2, shape->rank);
        return shape->dim[1] == (int64_t)s->channels;
    }
    if (!oq_node_is(node, "Gemm") || !is_chosen(s, node) || node->inputs[0] == OQ_NONE ||
        node->inputs[1] == OQ_NONE || oq_node_int(node, "transA", 0))
        return false;
    const oq_constant *w = oq_graph_constant(s->graph, node->inputs[1]);
    const bool transposed = oq_node_int(node, "transB", 0) != 0;
    if (!w || w->dtype != ONNXQ_FLOAT || w->shape.rank != 2 || !oq_shape_count(&w->shape)) return false;
    *inner = transposed ? 1 : (size_t)w->shape.dim[1];
    return w->shape.dim[transposed ? 1 : 0] == (int64_t)s->channels;
}

// from [outer, channels, inner], to [outer, width, inner].
static void reorder(const oq_row_split *s, const oq_tensor *from, size_t inner, oq_tensor *to) {
    for (size_t i = 0; i < (size_t)oq_tensor_count(to) / inner; i++) {
        float *x = (float *)to->data + i * inner;
        const size_t c = s->order[i % s->width];
        if (c == OQ_NO_CHANNEL)
            memset(x, 0, inner * sizeof *x);
        else
            memcpy(x, (const float *)from->data + (i / s->width * s->channels + c) * inner,
                   inner * sizeof *x);
    }
}

oq_status oq_split_reorder_reader(const oq_row_split *s, oq_node *reader, oq_error *err) {
    oq_tensor from = {0}, to = {0};
    oq_value_id id;
    size_t inner;
    const char *name = oq_arena_printf(&s->graph->model->arena, err, "%s_reordered",
                                       oq_graph_value(s->graph, reader->inputs[1])->name);
    if (!name) return ONNXQ_NO_MEMORY;
    if (!oq_split_reader(s, reader, &inner)) return ONNXQ_OK;
    OQ_TRY(
        oq_constant_load(s->graph->model->mem, oq_graph_constant(s->graph, reader->inputs[1]), &from, err));
    oq_shape shape = from.shape;
    shape.dim[oq_node_is(reader, "Gemm") && !oq_node_int(reader, "transB", 0) ? 0 : 1] = (int64_t)s->width;
    const oq_status status = oq_tensor_new(s->graph->model->mem, ONNXQ_FLOAT, &shape, &to, err);
    if (status == ONNXQ_OK) reorder(s, &from, inner, &to);
    oq_tensor_release(&from);
    OQ_TRY(status);
    OQ_TRY(oq_graph_add_initializer(s->graph, name, to, &id, err));
    return oq_node_set_input(s->graph, reader, 1, id, err);
}
