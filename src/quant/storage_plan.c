// Stored weights as the layers of a plan, for whoever improves them by looking at data: no activation is
// carried as integers, and every node computes in float.
#include "quant/plan.h"
#include "quant/storage.h"

// A matrix, or the kernels of a convolution: [M, C/group * k...]. Those of a transposed one lie the other
// way.
static bool has_rows(const oq_stored *stored, const oq_layer *layer) {
    if (layer->transposed) return false;
    return layer->shape == OQ_LAYER_CONV || stored->constant->shape.rank == 2;
}

static size_t uses_of(const oq_storage *s, size_t stored) {
    size_t count = 0;
    for (size_t u = 0; u < s->use_count; u++) count += !s->uses[u].reason && s->uses[u].stored == stored;
    return count;
}

const char *oq_storage_nearest(const oq_storage *storage, const oq_stored_use *use) {
    const oq_node *node = oq_graph_node(storage->graph, use->node);
    const oq_rule *rule = oq_rule_find(node);
    const oq_stored *stored = &storage->items[use->stored];
    if (stored->table) return "rows of a table are looked up, not multiplied";
    if (!rule->describe) return "samples are looked at for sums of Conv, Gemm and MatMul alone";
    if (use->reader != use->node) return "a Transpose stands before it";
    if (uses_of(storage, use->stored) > 1) return "several nodes read these weights";
    if (!oq_node_is(node, "Conv") && stored->constant->shape.rank != 2) return "it is no single matrix";
    return NULL;
}

// The integers in the order of the constant: rows are output channels, or columns are.
static oq_weight describe(const oq_storage *s, size_t index, bool convolution) {
    const oq_stored *stored = &s->items[index];
    const oq_shape *shape = &stored->constant->shape;
    const bool by_row = convolution || stored->reduction == 1;
    oq_weight w = {.value = stored->value,
                   .alpha = 1,
                   .grid = stored->grid,
                   .carrier = stored->carrier,
                   .shape = stored->shape,
                   .blocks = 1,
                   .rows = shape->dim[0],
                   .columns = oq_shape_range_count(shape, 1, shape->rank),
                   .per_channel = stored->granularity.kind != OQ_PER_TENSOR,
                   .stored = index,
                   .common = uses_of(s, index) > 1,
                   .axis = -1};
    w.step[by_row ? 1 : 2] = 1;
    w.outputs = (size_t)(by_row ? w.rows : w.columns);
    if (stored->granularity.kind == OQ_PER_GROUP) w.group = (size_t)stored->granularity.group_size;
    return w;
}

static oq_status new_weight(oq_plan *plan, const oq_storage *s, size_t index, bool convolution,
                            oq_weight **out, oq_error *err) {
    const oq_stored *stored = &s->items[index];
    const oq_weight want = describe(s, index, convolution);
    oq_weight *w = *out = oq_arena_memdup(&plan->arena, &want, sizeof want, err);
    if (!w) return ONNXQ_NO_MEMORY;
    // Of its own: adopting an edited weight must not change what reverting goes back to.
    w->params =
        oq_arena_memdup(&plan->arena, stored->params, oq_weight_params(w) * sizeof *stored->params, err);
    if (!w->params) return ONNXQ_NO_MEMORY;
    w->reach = oq_arena_calloc(&plan->arena, w->outputs + 1, sizeof *w->reach, err);
    if (!w->reach) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_mem_reserve(plan->mem, (void **)&plan->weights, plan->weight_count, &plan->weight_capacity,
                          sizeof(oq_weight *), err));
    w->q = oq_tensor_retain(&stored->q);
    plan->weights[plan->weight_count++] = w;
    return ONNXQ_OK;
}

static oq_status add_layer(oq_plan *plan, const oq_storage *s, const oq_stored_use *use, oq_error *err) {
    const oq_node *node = oq_graph_node(plan->graph, use->node);
    const oq_rule *rule = oq_rule_find(node);
    const oq_stored *stored = &s->items[use->stored];
    const char *reason = NULL;
    oq_layer layer;
    if (use->reason || stored->dropped || stored->table || use->reader != use->node || use->input > 1 ||
        !rule->describe)
        return ONNXQ_OK;
    OQ_TRY(rule->describe(plan->graph, node, &plan->arena, &layer, &reason, err));
    if (reason || !has_rows(stored, &layer)) return ONNXQ_OK;
    if (layer.alpha != 1 || layer.beta != 1) layer.vector = false; // no bias that is added as it is
    layer.alpha = 1;                                               // the node multiplies by it
    layer.wide = true;
    OQ_TRY(new_weight(plan, s, use->stored, layer.shape == OQ_LAYER_CONV, &layer.operand[use->input].weight,
                      err));
    OQ_TRY(oq_mem_reserve(plan->mem, (void **)&plan->layers, plan->layer_count, &plan->layer_capacity,
                          sizeof *plan->layers, err));
    // Not in plan->layer_of, which tells that operands are taken as integers.
    plan->producer_layer[layer.output] = (int32_t)plan->layer_count;
    plan->layers[plan->layer_count++] = layer;
    return ONNXQ_OK;
}

oq_status oq_storage_plan(const oq_storage *storage, oq_plan **out, oq_error *err) {
    oq_plan *plan;
    *out = NULL;
    oq_status status = oq_plan_open(storage->graph, &storage->options, &plan, err);
    for (size_t v = 0; status == ONNXQ_OK && v < plan->value_count; v++) plan->producer_layer[v] = -1;
    for (size_t u = 0; status == ONNXQ_OK && u < storage->use_count; u++)
        status = add_layer(plan, storage, &storage->uses[u], err);
    if (status == ONNXQ_OK)
        *out = plan;
    else
        oq_plan_free(plan);
    return status;
}

static oq_status adopt_bias(oq_storage *s, const oq_layer *layer, oq_error *err) {
    if (!oq_layer_bias_edited(layer)) return ONNXQ_OK;
    const float *bias = oq_arena_memdup(&s->arena, layer->bias, layer->bias_count * sizeof *bias, err);
    if (!bias) return ONNXQ_NO_MEMORY;
    s->biases[s->bias_count++] = (oq_stored_bias){layer->node, bias, layer->bias_count};
    return ONNXQ_OK;
}

oq_status oq_storage_adopt(oq_storage *storage, const oq_plan *plan, oq_error *err) {
    storage->bias_count = 0;
    storage->biases = oq_arena_calloc(&storage->arena, plan->layer_count + 1, sizeof *storage->biases, err);
    if (!storage->biases) return ONNXQ_NO_MEMORY;
    for (size_t l = 0; l < plan->layer_count; l++) {
        const oq_layer *layer = &plan->layers[l];
        const oq_weight *w = layer->operand[layer->operand[0].weight ? 0 : 1].weight;
        oq_stored *stored = &storage->items[w->stored];
        oq_tensor_release(&stored->q);
        stored->q = oq_tensor_retain(&w->q);
        for (size_t i = 0; i < oq_weight_params(w); i++) stored->params[i] = w->params[i];
        OQ_TRY(adopt_bias(storage, layer, err));
    }
    return ONNXQ_OK;
}
