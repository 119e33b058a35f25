// Folding of per-channel scale and shift (BatchNormalization, Mul, Add, Sub, Div by constants) into the
// product before it.
#include "passes/affine.h"

// New weights, each multiplied by the scale of its output channel.
static oq_status scale_weight(const oq_product *p, const oq_affine *map, oq_error *err) {
    oq_mem *mem = p->graph->model->mem;
    const size_t inner = (size_t)p->blocks.dim[3], per_group = (size_t)p->blocks.dim[2];
    const size_t groups = (size_t)p->blocks.dim[1], outer = (size_t)p->blocks.dim[0];
    oq_tensor scaled = {0};
    double *row = oq_mem_calloc(mem, inner, sizeof *row, err);
    if (!row) return ONNXQ_NO_MEMORY;
    oq_status status;
    OQ_TRY_DONE(oq_tensor_new(mem, p->weight.dtype, &p->weight.shape, &scaled, err));
    const size_t bytes = inner * oq_dtype_bytes(scaled.dtype);
    for (size_t i = 0; i < outer * per_group; i++) {
        // Without groups the block is [outer, channel, inner]; with groups the outer index tells the group.
        const size_t group = p->by_outer_group ? i / per_group / (outer / groups) : 0;
        const double scale = map->scale[group * per_group + i % per_group];
        oq_load_f64(scaled.dtype, (const uint8_t *)p->weight.data + i * bytes, row, inner);
        for (size_t k = 0; k < inner; k++) row[k] *= scale;
        oq_store_f64(scaled.dtype, row, (uint8_t *)scaled.data + i * bytes, inner);
    }
    status = oq_swap_constant(p->graph, p->node, 1, scaled, err);
done:
    oq_mem_free(mem, row);
    return status;
}

// Lets the product give what `node` gave.
static oq_status take_over(const oq_product *p, oq_node *node, oq_error *err) {
    const oq_value_id result = node->outputs[0];
    oq_graph_remove_node(p->graph, node);
    return oq_node_set_output(p->graph, p->node, 0, result, err);
}

static oq_status fold_behind(const oq_product *p, oq_node *node, const oq_affine *map, bool *changed,
                             oq_error *err) {
    oq_product_bias b;
    OQ_TRY(oq_product_load_bias(p, &b, err));
    oq_status status = ONNXQ_OK;
    if (!b.foldable) goto done;
    const bool shifts = oq_affine_shifts(map);
    for (size_t i = 0; i < b.rows * p->out.count; i++) {
        const size_t c = i % p->out.count;
        b.values[i] = b.values[i] * map->scale[c] + map->shift[c];
    }
    OQ_TRY_DONE(scale_weight(p, map, err));
    if (b.present || shifts) OQ_TRY_DONE(oq_product_put_bias(p, &b, err));
    OQ_TRY_DONE(take_over(p, node, err));
    *changed = true;
done:
    oq_mem_free(p->graph->model->mem, b.values);
    return status;
}

// MatMul has no bias: a scale goes into the weights, a shift stays as an Add. A lone Add is left as it is.
static oq_status fold_behind_matmul(const oq_product *p, oq_node *node, const oq_affine *map, bool *changed,
                                    oq_error *err) {
    const bool batch_norm = oq_node_is(node, "BatchNormalization");
    if (!batch_norm && oq_affine_shifts(map)) return ONNXQ_OK;
    oq_graph *graph = p->graph;
    OQ_TRY(scale_weight(p, map, err));
    *changed = true;
    if (!oq_affine_shifts(map)) return take_over(p, node, err);
    oq_value_id shift = OQ_NONE, result = node->outputs[0];
    const oq_shape shape = OQ_SHAPE((int64_t)p->out.count);
    oq_tensor tensor = {0};
    OQ_TRY(oq_tensor_of_f64(graph, p->weight.dtype, &shape, map->shift, &tensor, err));
    OQ_TRY(
        oq_graph_add_initializer(graph, oq_graph_value(graph, node->inputs[2])->name, tensor, &shift, err));
    const oq_value_id inputs[] = {p->node->outputs[0], shift};
    oq_node *add = NULL;
    const char *name = node->name;
    oq_graph_remove_node(graph, node);
    return oq_graph_add_node(graph, name, "Add", "", inputs, 2, &result, 1, &add, err);
}

static oq_status fold_next(oq_graph *graph, oq_node *node, bool *changed, oq_error *err) {
    oq_node *next = node->output_count ? oq_graph_only_consumer(graph, node->outputs[0]) : NULL;
    oq_product p;
    oq_affine map = {0};
    bool found = false;
    if (!next || next->output_count < 1 || next->outputs[0] == OQ_NONE) return ONNXQ_OK;
    OQ_TRY(oq_product_load(graph, node, &p, &found, err));
    if (!found) return ONNXQ_OK;
    oq_status status;
    OQ_TRY_DONE(oq_affine_read(graph, next, node->outputs[0], &p.out, &map, &found, err));
    if (found && oq_node_is(node, "MatMul"))
        status = fold_behind_matmul(&p, next, &map, changed, err);
    else if (found)
        status = fold_behind(&p, next, &map, changed, err);
done:
    oq_affine_release(&map);
    oq_tensor_release(&p.weight);
    return status;
}

oq_status oq_pass_fold_batch_norm(oq_graph *graph, oq_error *err) {
    bool any = false;
    for (size_t i = 0; i < graph->node_count; i++) {
        bool changed = true;
        while (changed && !graph->nodes[i]->dead && oq_is_product(graph->nodes[i])) {
            changed = false;
            OQ_TRY(fold_next(graph, graph->nodes[i], &changed, err));
            any = any || changed;
        }
    }
    return any ? oq_graph_sweep(graph, false, err) : ONNXQ_OK;
}