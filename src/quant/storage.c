// Weight-only quantization: finds the weights, cuts them into blocks, makes parameters and integers.
#include "quant/storage.h"

#include "quant/plan.h"

#define FIT_EXPONENT 2.4 // of the rounding error that the range search minimises

// --- blocks ---

// True when every axis but these two has one index: then one scale a channel is one vector along an axis.
static bool is_matrix(const oq_shape *shape, const oq_weight_axes *axes) {
    int64_t others = 1;
    for (int d = 0; d < shape->rank; d++)
        if (d != axes->channel && d != axes->reduction) others *= shape->dim[d];
    return others == 1;
}

// DequantizeLinear has scales along one axis, or blocks along one axis and a scale for each index of the
// others. A stack of matrices has a scale per column of each as one block along the sum.
static oq_granularity by_channel(const oq_shape *shape, const oq_weight_axes *axes) {
    if (axes->taps || is_matrix(shape, axes))
        return (oq_granularity){.kind = OQ_PER_CHANNEL, .axis = axes->channel};
    return (oq_granularity){
        .kind = OQ_PER_GROUP, .axis = axes->reduction, .group_size = shape->dim[axes->reduction]};
}

// Groups along the sum; the taps of a kernel are in one sum with its input channels. A sum no longer than a
// group is one.
static void cut(const oq_quant_options *options, const oq_weight_axes *axes, oq_stored *out) {
    const oq_shape *from = &out->constant->shape;
    oq_shape flat = *from;
    out->shape = *from;
    out->granularity = (oq_granularity){.kind = OQ_PER_TENSOR};
    if (!options->per_channel || axes->channel < 0) return;
    out->granularity = by_channel(from, axes);
    if (axes->taps && axes->channel == 0)
        flat = OQ_SHAPE(from->dim[0], oq_shape_range_count(from, 1, from->rank));
    if (!options->group_size || flat.dim[axes->reduction] <= options->group_size) return;
    out->shape = flat;
    out->granularity =
        (oq_granularity){.kind = OQ_PER_GROUP, .axis = axes->reduction, .group_size = options->group_size};
}

static bool same_granularity(const oq_granularity *a, const oq_granularity *b) {
    return a->kind == b->kind &&
           (a->kind == OQ_PER_TENSOR || (a->axis == b->axis && a->group_size == b->group_size));
}

// --- finding ---

static oq_status add_use(oq_storage *s, const oq_stored_use *use, oq_error *err) {
    OQ_TRY(oq_mem_reserve(s->mem, (void **)&s->uses, s->use_count, &s->use_capacity, sizeof *s->uses, err));
    s->uses[s->use_count++] = *use;
    return ONNXQ_OK;
}

// The entry for a constant: an earlier one when that is read in the same way.
static oq_status add_stored(oq_storage *s, const oq_stored *want, size_t *index, oq_error *err) {
    for (*index = 0; *index < s->count; (*index)++) {
        const oq_stored *other = &s->items[*index];
        if (other->value == want->value && other->grid.bits == want->grid.bits &&
            same_granularity(&other->granularity, &want->granularity))
            return ONNXQ_OK;
    }
    OQ_TRY(oq_mem_reserve(s->mem, (void **)&s->items, s->count, &s->capacity, sizeof *s->items, err));
    s->items[s->count++] = *want;
    return ONNXQ_OK;
}

static oq_status describe(const oq_storage *s, const oq_node *node, size_t input, const oq_weight_axes *axes,
                          oq_stored *out, oq_error *err) {
    const oq_quant_options *o = &s->options;
    int bits, unused;
    oq_options_widths(o, node->id, &bits, &unused);
    *out =
        (oq_stored){.value = node->inputs[input],
                    .constant = oq_graph_constant(s->graph, node->inputs[input]),
                    .grid = oq_grid_make(bits, o->weight_signed, o->weight_signed && !o->weight_asymmetric)};
    out->carrier = oq_grid_carrier(&out->grid, true);
    cut(o, axes, out);
    return oq_layout_make(&out->shape, &out->granularity, &out->layout, &out->params_shape, err);
}

static oq_status consider_input(oq_storage *s, const oq_node *node, const oq_rule *rule, size_t input,
                                bool *found, oq_error *err) {
    oq_weight_axes axes;
    oq_stored stored;
    oq_stored_use use = {.node = node->id, .input = input};
    const oq_constant *constant =
        node->inputs[input] == OQ_NONE ? NULL : oq_graph_constant(s->graph, node->inputs[input]);
    if (!constant || !rule->weight_axes(node, input, &constant->shape, &axes)) return ONNXQ_OK;
    *found = true;
    if (constant->dtype != ONNXQ_FLOAT)
        use.reason = "its weights are not float32";
    else if (!oq_shape_count(&constant->shape))
        use.reason = "its weights have no elements";
    if (!use.reason) {
        OQ_TRY(describe(s, node, input, &axes, &stored, err));
        OQ_TRY(add_stored(s, &stored, &use.stored, err));
    }
    return add_use(s, &use, err);
}

static oq_status consider(oq_storage *s, const oq_node *node, oq_error *err) {
    const oq_rule *rule = oq_rule_find(node);
    oq_stored_use none = {.node = node->id};
    bool found = false;
    if (!rule || !rule->weight_axes) return ONNXQ_OK;
    if (!oq_options_choose(&s->options, node, &none.reason)) return add_use(s, &none, err);
    for (size_t i = 0; i < node->input_count; i++) OQ_TRY(consider_input(s, node, rule, i, &found, err));
    none.reason = "it has no constant weights";
    return found ? ONNXQ_OK : add_use(s, &none, err);
}

static oq_status find(oq_storage *s, oq_error *err) {
    oq_node_id *order = NULL;
    size_t count;
    OQ_TRY(oq_graph_order(s->graph, &order, &count, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++)
        status = consider(s, oq_graph_node(s->graph, order[i]), err);
    oq_mem_free(s->mem, order);
    return status;
}

static oq_status new_storage(oq_graph *graph, const oq_quant_options *options, oq_storage **out,
                             oq_error *err) {
    OQ_TRY(oq_options_check(options, err));
    oq_mem *mem = graph->model->mem;
    oq_storage *s = *out = oq_mem_calloc(mem, 1, sizeof *s, err);
    if (!s) return ONNXQ_NO_MEMORY;
    s->mem = mem;
    oq_arena_init(&s->arena, mem);
    s->graph = graph;
    s->options = *options;
    return find(s, err);
}

void oq_storage_free(oq_storage *storage) {
    if (!storage) return;
    for (size_t i = 0; i < storage->count; i++) oq_tensor_release(&storage->items[i].q);
    oq_mem_free(storage->mem, storage->items);
    oq_mem_free(storage->mem, storage->uses);
    oq_arena_release(&storage->arena);
    oq_mem_free(storage->mem, storage);
}

// DequantizeLinear came with 10, its axis with 13, blocks and 16- and 4-bit types with 21, 2-bit types
// with 25.
static int64_t opset_of(const oq_stored *stored) {
    if (oq_dtype_info(stored->carrier)->bits == 2) return 25;
    if (oq_dtype_info(stored->carrier)->bits != 8 || stored->granularity.kind == OQ_PER_GROUP) return 21;
    return stored->granularity.kind == OQ_PER_CHANNEL ? 13 : 10;
}

oq_status oq_storage_opset(oq_graph *graph, const oq_quant_options *options, int64_t *opset, oq_error *err) {
    oq_storage *s = NULL;
    *opset = 1;
    const oq_status status = new_storage(graph, options, &s, err);
    for (size_t i = 0; status == ONNXQ_OK && i < s->count; i++)
        if (opset_of(&s->items[i]) > *opset) *opset = opset_of(&s->items[i]);
    oq_storage_free(s);
    return status;
}

// --- numbers ---

static oq_status quantize(const oq_storage *s, oq_stored *stored, const float *x, oq_error *err) {
    // At 8 bits and more the whole range is best as a rule; below, the largest weights cost the others too
    // much.
    const oq_fit fit = {.symmetric = !s->options.weight_asymmetric,
                        .exponent = stored->grid.bits < 8 ? FIT_EXPONENT : 0};
    size_t bad;
    if (oq_layout_find_bad(&stored->layout, x, &bad)) {
        stored->dropped = "its weights hold NaN or infinity";
        return ONNXQ_OK;
    }
    OQ_TRY(oq_layout_fit(s->mem, &stored->layout, &stored->grid, &fit, x,
                         oq_graph_value(s->graph, stored->value)->name, stored->params, err));
    OQ_TRY(oq_tensor_new(s->mem, stored->carrier, &stored->shape, &stored->q, err));
    oq_layout_quantize(&stored->layout, &stored->grid, stored->params, x, stored->carrier, stored->q.data);
    return ONNXQ_OK;
}

static oq_status make(oq_storage *s, oq_stored *stored, oq_error *err) {
    oq_tensor data = {0};
    stored->params =
        oq_arena_calloc(&s->arena, oq_layout_params(&stored->layout), sizeof *stored->params, err);
    if (!stored->params) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_constant_load(s->mem, stored->constant, &data, err));
    const oq_status status = quantize(s, stored, data.data, err);
    oq_tensor_release(&data);
    return status;
}

oq_status oq_storage_make(oq_graph *graph, const oq_quant_options *options, oq_storage **out, oq_error *err) {
    *out = NULL;
    oq_storage *s = NULL;
    oq_status status = new_storage(graph, options, &s, err);
    for (size_t i = 0; status == ONNXQ_OK && i < s->count; i++) status = make(s, &s->items[i], err);
    if (status == ONNXQ_OK)
        *out = s;
    else
        oq_storage_free(s);
    return status;
}

// --- sizes ---

uint64_t oq_stored_bytes_before(const oq_stored *stored) { return oq_constant_bytes(stored->constant); }

uint64_t oq_stored_bytes_after(const oq_stored *stored) {
    if (stored->dropped) return oq_stored_bytes_before(stored);
    const size_t params = oq_layout_params(&stored->layout);
    const size_t zeros = oq_stored_has_zeros(stored) ? oq_packed_bytes(stored->carrier, params) : 0;
    return oq_packed_bytes(stored->carrier, (size_t)oq_shape_count(&stored->constant->shape)) + zeros +
           params * sizeof(float);
}
