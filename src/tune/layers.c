// What a quantization gives integers to: the layers of a plan, or the readers of stored weights.
#include "quant/edit.h"
#include "tune/quantize.h"

static uint64_t elements_of(const oq_constant *constant) {
    return constant ? (uint64_t)oq_shape_count(&constant->shape) : 0;
}

static oq_status new_list(const oq_quantization *q, size_t most, oq_quantized_layer **list, oq_error *err) {
    *list = oq_mem_calloc(q->model->mem, most + 1, sizeof **list, err);
    return *list ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static oq_status list_plan(const oq_quantization *q, oq_quantized_layer **list, size_t *count,
                           oq_error *err) {
    oq_plan *plan = NULL;
    OQ_TRY(oq_quantization_plan(q, NULL, NULL, &plan, NULL, err));
    const size_t most = oq_plan_layer_count(plan);
    const oq_status status = new_list(q, most, list, err);
    for (size_t l = 0; status == ONNXQ_OK && l < most; l++) {
        const oq_layer *layer = oq_plan_layer(plan, l);
        if (!layer) continue;
        (*list)[(*count)++] = (oq_quantized_layer){.node = layer->node,
                                                   .macs = oq_plan_node(plan, layer->node)->macs,
                                                   .elements = elements_of(layer->operand[0].constant) +
                                                               elements_of(layer->operand[1].constant),
                                                   .weight_bits = layer->weight_bits};
    }
    oq_plan_free(plan);
    return status;
}

// One more constant of a node; those of one node follow each other.
static void add_use(const oq_storage *s, const oq_stored_use *use, oq_quantized_layer *list, size_t *count) {
    const oq_stored *stored = &s->items[use->stored];
    if (*count && list[*count - 1].node == use->node) {
        list[*count - 1].elements += elements_of(stored->constant);
        return;
    }
    list[(*count)++] = (oq_quantized_layer){.node = use->node,
                                            .macs = oq_op_macs(s->graph, oq_graph_node(s->graph, use->node)),
                                            .elements = elements_of(stored->constant),
                                            .weight_bits = stored->grid.bits,
                                            .table = stored->table};
}

static oq_status list_storage(const oq_quantization *q, oq_quantized_layer **list, size_t *count,
                              oq_error *err) {
    oq_storage *storage = NULL;
    oq_status status = oq_storage_list(q->model->graph, &q->quant, &storage, err);
    if (status == ONNXQ_OK) status = new_list(q, storage->use_count, list, err);
    for (size_t u = 0; status == ONNXQ_OK && u < storage->use_count; u++)
        if (!storage->uses[u].reason) add_use(storage, &storage->uses[u], *list, count);
    oq_storage_free(storage);
    return status;
}

oq_status oq_quantization_layers(const oq_quantization *q, oq_quantized_layer **list, size_t *count,
                                 oq_error *err) {
    *list = NULL;
    *count = 0;
    return (q->quant.mode == OQ_MODE_WEIGHT_ONLY ? list_storage : list_plan)(q, list, count, err);
}
