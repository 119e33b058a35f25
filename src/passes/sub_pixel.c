// Transposed convolutions as convolutions that give all places up to the next as channels of their own, which
// Transpose and Reshape then put where they belong. The moves are written with channels last, as runtimes
// keep the integers of convolutions: one Transpose remains of them there.
#include "passes/passes.h"

#include "ops/lib/sub_pixel.h"

typedef struct rewriter {
    oq_graph *graph;
    oq_stats *stats;
    oq_sub_pixel form;
    const char *name; // of the value that the moves make
} rewriter;

// `like`: the value whose statistics hold for it, or OQ_NONE.
static oq_status add_value(const rewriter *r, const char *suffix, oq_value_id like, oq_value_id *out,
                           oq_error *err) {
    const char *name = oq_arena_printf(&r->graph->model->arena, err, "%s%s", r->name, suffix);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(r->graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(r->graph, name, out, err));
    return like == OQ_NONE ? ONNXQ_OK
                           : oq_stats_repeat(r->stats, oq_graph_value(r->graph, like)->name, name, err);
}

static oq_status add_integers(const rewriter *r, const char *suffix, const int64_t *numbers, int64_t count,
                              oq_value_id *out, oq_error *err) {
    oq_tensor tensor = {0};
    const oq_shape shape = OQ_SHAPE(count);
    const char *name = oq_arena_printf(&r->graph->model->arena, err, "%s%s", r->name, suffix);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_tensor_new(r->graph->model->mem, ONNXQ_INT64, &shape, &tensor, err));
    for (int64_t i = 0; i < count; i++) ((int64_t *)tensor.data)[i] = numbers[i];
    return oq_graph_add_initializer(r->graph, name, tensor, out, err);
}

// *out may be one of the inputs' places.
static oq_status add_node(const rewriter *r, const char *op_type, const oq_value_id *inputs, size_t count,
                          const char *suffix, oq_value_id like, oq_node **node, oq_value_id *out,
                          oq_error *err) {
    oq_value_id made;
    OQ_TRY(add_value(r, suffix, like, &made, err));
    OQ_TRY(oq_graph_add_node(r->graph, "", op_type, "", inputs, count, &made, 1, node, err));
    *out = made;
    return ONNXQ_OK;
}

static oq_status transpose(const rewriter *r, const char *suffix, const int64_t *perm, size_t rank,
                           oq_value_id like, oq_value_id *value, oq_error *err) {
    oq_node *node;
    OQ_TRY(add_node(r, "Transpose", value, 1, suffix, like, &node, value, err));
    return oq_node_set_ints(r->graph, node, "perm", perm, rank, err);
}

// --- the convolution ---

static oq_status write_weights(const rewriter *r, oq_node *node, oq_error *err) {
    const oq_sub_pixel *s = &r->form;
    const oq_shape shape =
        OQ_SHAPE(s->stride[0] * s->stride[1] * s->filters, s->channels, s->taps[0], s->taps[1]);
    const char *name = oq_graph_value(r->graph, node->inputs[1])->name;
    oq_tensor from = {0}, to = {0};
    oq_value_id id;
    OQ_TRY(oq_constant_load(r->graph->model->mem, oq_graph_constant(r->graph, node->inputs[1]), &from, err));
    const oq_status status = oq_tensor_new(r->graph->model->mem, ONNXQ_FLOAT, &shape, &to, err);
    if (status == ONNXQ_OK) oq_sub_pixel_weights(s, from.data, to.data);
    oq_tensor_release(&from);
    OQ_TRY(status);
    OQ_TRY(oq_graph_add_initializer(r->graph, name, to, &id, err));
    return oq_node_set_input(r->graph, node, 1, id, err);
}

// The same for each place between.
static oq_status write_bias(const rewriter *r, oq_node *node, oq_error *err) {
    const int64_t filters = r->form.filters, count = r->form.stride[0] * r->form.stride[1] * filters;
    const oq_shape shape = OQ_SHAPE(count);
    oq_tensor from = {0}, to = {0};
    oq_value_id id;
    if (node->input_count < 3 || node->inputs[2] == OQ_NONE) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(r->graph->model->mem, oq_graph_constant(r->graph, node->inputs[2]), &from, err));
    const oq_status status = oq_tensor_new(r->graph->model->mem, ONNXQ_FLOAT, &shape, &to, err);
    for (int64_t i = 0; status == ONNXQ_OK && i < count; i++)
        ((float *)to.data)[i] = ((const float *)from.data)[i % filters];
    oq_tensor_release(&from);
    OQ_TRY(status);
    OQ_TRY(oq_graph_add_initializer(r->graph, oq_graph_value(r->graph, node->inputs[2])->name, to, &id, err));
    return oq_node_set_input(r->graph, node, 2, id, err);
}

// The node keeps its id and name, by which users and plans know it.
static oq_status become_convolution(const rewriter *r, oq_node *node, oq_error *err) {
    static const char *const old[] = {"output_padding", "strides", "dilations", "group", "auto_pad"};
    const oq_sub_pixel *s = &r->form;
    const int64_t pads[4] = {s->taps[0] - 1, s->taps[1] - 1, s->taps[0] - 1, s->taps[1] - 1};
    OQ_TRY(write_weights(r, node, err));
    OQ_TRY(write_bias(r, node, err));
    node->op_type = "Conv";
    for (size_t i = 0; i < sizeof old / sizeof *old; i++) oq_node_remove_attr(node, old[i]);
    OQ_TRY(oq_node_set_ints(r->graph, node, "pads", pads, 4, err));
    return oq_node_set_ints(r->graph, node, "kernel_shape", s->taps, 2, err);
}

// --- the moves ---

// The shape [N, stride rows, stride columns, filters] of what comes of `conv` [N, .., rows, columns].
static oq_status whole_shape(const rewriter *r, oq_value_id conv, oq_value_id *out, oq_error *err) {
    const oq_sub_pixel *s = &r->form;
    const oq_type *type = &oq_graph_value(r->graph, conv)->type;
    oq_value_id in[4], sizes;
    oq_node *node;
    if (oq_dim_known(type->dim[2]) && oq_dim_known(type->dim[3]))
        return add_integers(
            r, "_shape",
            (int64_t[]){0, type->dim[2].size * s->stride[0], type->dim[3].size * s->stride[1], s->filters}, 4,
            out, err);
    OQ_TRY(add_node(r, "Shape", &conv, 1, "_sizes", OQ_NONE, &node, &in[0], err));
    OQ_TRY(add_integers(r, "_from", (int64_t[]){2}, 1, &in[1], err));
    OQ_TRY(add_integers(r, "_to", (int64_t[]){4}, 1, &in[2], err));
    OQ_TRY(add_node(r, "Slice", in, 3, "_spatial", OQ_NONE, &node, &in[0], err));
    OQ_TRY(add_integers(r, "_stride", s->stride, 2, &in[1], err));
    OQ_TRY(add_node(r, "Mul", in, 2, "_whole", OQ_NONE, &node, &sizes, err));
    in[1] = sizes;
    OQ_TRY(add_integers(r, "_batch", (int64_t[]){0}, 1, &in[0], err));
    OQ_TRY(add_integers(r, "_filters", &s->filters, 1, &in[2], err));
    OQ_TRY(add_node(r, "Concat", in, 3, "_shape", OQ_NONE, &node, out, err));
    return oq_node_set_int(r->graph, node, "axis", 0, err);
}

// Rows and columns that are no output; [N, rows, columns, filters].
static oq_status cut(const rewriter *r, oq_value_id like, oq_value_id *value, oq_error *err) {
    const oq_sub_pixel *s = &r->form;
    oq_value_id in[4] = {*value};
    oq_node *node;
    int64_t end[2];
    for (int axis = 0; axis < 2; axis++) end[axis] = s->cut_end[axis] ? -s->cut_end[axis] : INT64_MAX;
    if (!s->cut_begin[0] && !s->cut_begin[1] && !s->cut_end[0] && !s->cut_end[1]) return ONNXQ_OK;
    OQ_TRY(add_integers(r, "_begin", s->cut_begin, 2, &in[1], err));
    OQ_TRY(add_integers(r, "_end", end, 2, &in[2], err));
    OQ_TRY(add_integers(r, "_axes", (int64_t[]){1, 2}, 2, &in[3], err));
    return add_node(r, "Slice", in, 4, "_cut", like, &node, value, err);
}

// [N, (i, j, m), rows, columns] -> [N, rows, columns, i, (j, m)] -> [N, (rows, i), (columns, j), m]
static oq_status move(const rewriter *r, oq_value_id conv, oq_value_id like, oq_value_id y, oq_error *err) {
    const oq_sub_pixel *s = &r->form;
    const int64_t apart[5] = {0, 0, 0, s->stride[0], s->stride[1] * s->filters};
    oq_value_id in[2] = {conv};
    oq_node *node;
    OQ_TRY(transpose(r, "_last", (int64_t[]){0, 2, 3, 1}, 4, like, &in[0], err));
    OQ_TRY(add_integers(r, "_apart_shape", apart, 5, &in[1], err));
    OQ_TRY(add_node(r, "Reshape", in, 2, "_apart", like, &node, &in[0], err));
    OQ_TRY(transpose(r, "_between", (int64_t[]){0, 1, 3, 2, 4}, 5, like, &in[0], err));
    OQ_TRY(whole_shape(r, conv, &in[1], err));
    OQ_TRY(add_node(r, "Reshape", in, 2, "_joined", like, &node, &in[0], err));
    OQ_TRY(cut(r, like, &in[0], err));
    OQ_TRY(oq_graph_add_node(r->graph, "", "Transpose", "", in, 1, &y, 1, &node, err));
    return oq_node_set_ints(r->graph, node, "perm", (int64_t[]){0, 3, 1, 2}, 4, err);
}

// --- the whole ---

// A Relu or Clip right behind goes with the convolution, which can take it in there.
static oq_node *clip_behind(const rewriter *r, const oq_node *node) {
    oq_node *clip = oq_graph_only_consumer(r->graph, node->outputs[0]);
    if (!clip || clip->region != OQ_NONE || clip->inputs[0] != node->outputs[0] ||
        !(oq_node_is(clip, "Relu") || oq_node_is(clip, "Clip")))
        return NULL;
    for (size_t i = 1; i < clip->input_count; i++)
        if (clip->inputs[i] != OQ_NONE && !oq_graph_constant(r->graph, clip->inputs[i])) return NULL;
    return clip;
}

static oq_status rewrite(rewriter *r, oq_node *node, oq_error *err) {
    oq_node *clip = clip_behind(r, node), *last = clip ? clip : node;
    const oq_value_id sum = node->outputs[0], y = last->outputs[0];
    oq_value_id conv, clipped;
    r->name = oq_graph_value(r->graph, y)->name;
    OQ_TRY(become_convolution(r, node, err));
    OQ_TRY(add_value(r, "_places", sum, &conv, err));
    OQ_TRY(oq_node_set_output(r->graph, node, 0, conv, err));
    if (clip) {
        OQ_TRY(add_value(r, "_clipped", y, &clipped, err));
        OQ_TRY(oq_node_set_output(r->graph, clip, 0, clipped, err));
        OQ_TRY(oq_node_set_input(r->graph, clip, 0, conv, err));
    }
    OQ_TRY(oq_infer_graph(r->graph, err)); // the sizes of what is moved
    return move(r, last->outputs[0], y, y, err);
}

oq_status oq_pass_sub_pixel(oq_graph *graph, const bool *chosen, oq_stats *stats, size_t *count,
                            oq_error *err) {
    const size_t nodes = graph->node_count;
    rewriter r = {.graph = graph, .stats = stats};
    *count = 0;
    for (size_t n = 0; n < nodes; n++) {
        if (graph->nodes[n]->dead || !chosen[n] || !oq_sub_pixel_read(graph, graph->nodes[n], &r.form))
            continue;
        OQ_TRY(rewrite(&r, graph->nodes[n], err));
        ++*count;
    }
    return ONNXQ_OK;
}
