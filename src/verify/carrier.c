// Pairs the values of two models: by name, and through the QuantizeLinear and DequantizeLinear around
// integers.
#include "verify/carrier.h"

#include <stdlib.h>
#include <string.h>

typedef struct finder {
    oq_mem *mem;
    oq_graph *reference, *model;
    oq_carriers *out;
    size_t *position; // [values of the reference] in topological order
} finder;

// Where scale and zero point of an integer value stand among the inputs of a node.
typedef struct place {
    const char *op_type;
    size_t value, scale, zero; // `value` of results: an index beyond all inputs
} place;

enum { RESULT = 99 };
static const place places[] = {
    {"DequantizeLinear", 0, 1, 2},   {"QuantizeLinear", RESULT, 1, 2}, {"QLinearConv", RESULT, 6, 7},
    {"QLinearMatMul", RESULT, 6, 7}, {"QLinearAdd", RESULT, 6, 7},     {"QLinearMul", RESULT, 6, 7},
    {"QLinearConv", 0, 1, 2},        {"QLinearMatMul", 0, 1, 2},       {"QLinearMatMul", 3, 4, 5}};

static bool is_float_tensor(const oq_gvalue *value) {
    return value->type.kind == OQ_TYPE_TENSOR && oq_dtype_info(value->type.dtype)->is_float;
}

// Integers that QuantizeLinear makes.
static bool is_integer_tensor(const oq_gvalue *value) {
    const oq_dtype_traits *traits = oq_dtype_info(value->type.dtype);
    return value->type.kind == OQ_TYPE_TENSOR && traits->is_integer && traits->bits <= 16 &&
           !value->initializer;
}

// The float activation of the reference with that name, or OQ_NONE.
static oq_value_id in_reference(const finder *f, const char *name) {
    const oq_value_id id = oq_graph_find(f->reference, name);
    if (id == OQ_NONE) return OQ_NONE;
    const oq_gvalue *value = oq_graph_value(f->reference, id);
    return is_float_tensor(value) && !value->initializer ? id : OQ_NONE;
}

static const oq_node *consumer_is(const finder *f, const oq_gvalue *value, const char *op_type) {
    for (size_t i = 0; i < value->use_count; i++) {
        const oq_node *node = oq_graph_node(f->model, value->uses[i].node);
        if (value->uses[i].input == 0 && oq_node_is(node, op_type)) return node;
    }
    return NULL;
}

static oq_value_id reference_of(const finder *f, const oq_gvalue *value) {
    static const char suffix[] = "_quantized";
    const size_t length = strlen(value->name), tail = sizeof suffix - 1;
    oq_value_id id = OQ_NONE;
    const oq_node *node = consumer_is(f, value, "DequantizeLinear");
    if (node) id = in_reference(f, oq_graph_value(f->model, node->outputs[0])->name);
    node = value->producer == OQ_NONE ? NULL : oq_graph_node(f->model, value->producer);
    if (id == OQ_NONE && node && oq_node_is(node, "QuantizeLinear"))
        id = in_reference(f, oq_graph_value(f->model, node->inputs[0])->name);
    if (id != OQ_NONE || length <= tail || strcmp(value->name + length - tail, suffix) != 0) return id;
    char *name = oq_mem_alloc(f->mem, length + 1, NULL);
    if (!name) return OQ_NONE;
    memcpy(name, value->name, length - tail);
    name[length - tail] = 0;
    id = in_reference(f, name);
    oq_mem_free(f->mem, name);
    return id;
}

// The parameters that `node` names for a value at `input` (or its result): false when it names none.
static bool named_by(const oq_node *node, size_t input, oq_value_id *scale, oq_value_id *zero) {
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const place *p = &places[i];
        if (p->value != input || strcmp(node->op_type, p->op_type) != 0) continue;
        if (node->input_count <= p->scale) return false;
        *scale = node->inputs[p->scale];
        *zero = node->input_count > p->zero ? node->inputs[p->zero] : OQ_NONE;
        return *scale != OQ_NONE;
    }
    return false;
}

// The node that names the parameters of integers: a reader before their maker, since a scale per channel
// stands at a DequantizeLinear; or of the integers that they were moved from.
static const oq_node *find_params(const finder *f, oq_value_id id, oq_value_id *scale, oq_value_id *zero) {
    for (size_t moved = 0; id != OQ_NONE && moved < f->model->node_count; moved++) {
        const oq_gvalue *value = oq_graph_value(f->model, id);
        const oq_node *reader = consumer_is(f, value, "DequantizeLinear");
        if (reader && named_by(reader, 0, scale, zero)) return reader;
        const oq_node *maker = value->producer == OQ_NONE ? NULL : oq_graph_node(f->model, value->producer);
        if (maker && named_by(maker, RESULT, scale, zero)) return maker;
        for (size_t i = 0; i < value->use_count; i++) {
            const oq_node *node = oq_graph_node(f->model, value->uses[i].node);
            if (named_by(node, (size_t)value->uses[i].input, scale, zero)) return node;
        }
        if (!maker || !maker->input_count || maker->inputs[0] == OQ_NONE) return NULL;
        const oq_gvalue *from = oq_graph_value(f->model, maker->inputs[0]);
        id = from->type.dtype == value->type.dtype && !from->initializer ? maker->inputs[0] : OQ_NONE;
    }
    return NULL;
}

// Numbers of a constant, or none: *count 0.
static oq_status load_numbers(const finder *f, oq_value_id id, double **out, size_t *count, oq_error *err) {
    const oq_constant *constant = id == OQ_NONE ? NULL : oq_graph_constant(f->model, id);
    *count = 0;
    *out = NULL;
    if (!constant || constant->shape.rank > 1) return ONNXQ_OK;
    oq_tensor tensor;
    OQ_TRY(oq_constant_load(f->mem, constant, &tensor, err));
    const size_t n = (size_t)oq_tensor_count(&tensor);
    *out = oq_mem_calloc(f->mem, n, sizeof **out, err);
    if (*out) oq_load_f64(tensor.dtype, tensor.data, *out, *count = n);
    oq_tensor_release(&tensor);
    return *out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

// Fills the parameters; none when they are not constant, in blocks, or no numbers to divide by.
static oq_status load_params(const finder *f, oq_carrier *c, const oq_node *node, oq_value_id scale,
                             oq_value_id zero, oq_error *err) {
    double *scales = NULL, *zeros = NULL;
    size_t scale_count, zero_count;
    oq_status status;
    OQ_TRY_DONE(load_numbers(f, scale, &scales, &scale_count, err));
    OQ_TRY_DONE(load_numbers(f, zero, &zeros, &zero_count, err));
    if (!scale_count || (zero != OQ_NONE && zero_count != scale_count)) goto done;
    c->axis = (int)oq_node_int(node, "axis", 1);
    c->params = oq_mem_calloc(f->mem, scale_count, sizeof *c->params, err);
    if (!c->params) {
        status = ONNXQ_NO_MEMORY;
        goto done;
    }
    c->channels = scale_count;
    for (size_t i = 0; i < scale_count; i++) {
        c->params[i] = (oq_qparam){(float)scales[i], zeros ? (int32_t)zeros[i] : 0};
        if (!(scales[i] > 0)) c->channels = 0;
    }
done:
    oq_mem_free(f->mem, scales);
    oq_mem_free(f->mem, zeros);
    return status;
}

// Channels that the value has and the reference's does not, all else being the same.
static int64_t more_channels(const finder *f, const oq_carrier *carrier) {
    const oq_type *was = &oq_graph_value(f->reference, carrier->reference)->type,
                  *is = &oq_graph_value(f->model, carrier->model)->type;
    if (was->kind != OQ_TYPE_TENSOR || was->rank != is->rank || was->rank < 2) return 0;
    if (!oq_dim_known(was->dim[1]) || !oq_dim_known(is->dim[1])) return 0;
    return is->dim[1].size > was->dim[1].size ? is->dim[1].size - was->dim[1].size : 0;
}

static void add(const finder *f, const oq_carrier *carrier) {
    oq_carrier *own = &f->out->items[f->out->count];
    *own = *carrier;
    own->more = more_channels(f, carrier);
    f->out->of[carrier->model] = (int32_t)f->out->count++;
}

static oq_status add_integers(const finder *f, oq_error *err) {
    for (size_t i = 0; i < f->model->value_count; i++) {
        const oq_gvalue *value = oq_graph_value(f->model, (oq_value_id)i);
        if (value->dead || value->producer == OQ_NONE || !is_integer_tensor(value)) continue;
        oq_value_id scale, zero;
        const oq_value_id reference = reference_of(f, value);
        const oq_node *node = reference == OQ_NONE ? NULL : find_params(f, (oq_value_id)i, &scale, &zero);
        if (!node || !oq_graph_value(f->reference, reference)) continue;
        const oq_dtype_traits *traits = oq_dtype_info(value->type.dtype);
        oq_carrier c = {.reference = reference, .model = (oq_value_id)i, .integer = true};
        c.dtype = value->type.dtype;
        c.grid = oq_grid_make(traits->bits, traits->is_signed, false);
        OQ_TRY(load_params(f, &c, node, scale, zero, err));
        if (c.channels)
            add(f, &c);
        else
            oq_mem_free(f->mem, c.params);
    }
    return ONNXQ_OK;
}

// Whether all that reads a float are QuantizeLinear nodes whose integers are listed.
static bool leads_to_integers(const finder *f, const oq_gvalue *value) {
    for (size_t i = 0; i < value->use_count; i++) {
        const oq_node *node = oq_graph_node(f->model, value->uses[i].node);
        if (!oq_node_is(node, "QuantizeLinear") || f->out->of[node->outputs[0]] < 0) return false;
    }
    return value->use_count && !value->is_output;
}

static void add_floats(const finder *f) {
    for (size_t i = 0; i < f->model->value_count; i++) {
        const oq_gvalue *value = oq_graph_value(f->model, (oq_value_id)i);
        if (value->dead || value->initializer || !is_float_tensor(value)) continue;
        const oq_carrier c = {.reference = in_reference(f, value->name), .model = (oq_value_id)i};
        if (c.reference == OQ_NONE) continue;
        const bool made = value->producer != OQ_NONE;
        // What is dequantized is seen as integers, and given as such, so that integer kernels stay whole.
        if (made && (oq_graph_producer_is(f->model, (oq_value_id)i, "DequantizeLinear") ||
                     leads_to_integers(f, value)))
            continue;
        add(f, &c);
    }
}

static oq_status find_positions(finder *f, oq_error *err) {
    oq_node_id *order = NULL;
    size_t nodes, at = f->reference->input_count;
    f->position = oq_mem_calloc(f->mem, f->reference->value_count + 1, sizeof *f->position, err);
    if (!f->position) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_order(f->reference, &order, &nodes, err));
    for (size_t i = 0; i < f->reference->input_count; i++) f->position[f->reference->inputs[i]] = i;
    for (size_t i = 0; i < nodes; i++) {
        const oq_node *node = oq_graph_node(f->reference, order[i]);
        for (size_t k = 0; k < node->output_count; k++)
            if (node->outputs[k] != OQ_NONE) f->position[node->outputs[k]] = at++;
    }
    oq_mem_free(f->reference->model->mem, order);
    return ONNXQ_OK;
}

typedef struct placed {
    size_t position;
    oq_carrier carrier;
} placed;

static int compare_places(const void *a, const void *b) {
    const placed *x = a, *y = b;
    if (x->position != y->position) return x->position < y->position ? -1 : 1;
    return x->carrier.model < y->carrier.model ? -1 : x->carrier.model > y->carrier.model;
}

static oq_status sort(const finder *f, oq_error *err) {
    oq_carriers *c = f->out;
    placed *list = oq_mem_calloc(f->mem, c->count, sizeof *list, err);
    if (!list) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < c->count; i++) list[i] = (placed){f->position[c->items[i].reference], c->items[i]};
    qsort(list, c->count, sizeof *list, compare_places);
    for (size_t i = 0; i < c->count; i++) {
        c->items[i] = list[i].carrier;
        c->of[c->items[i].model] = (int32_t)i;
    }
    oq_mem_free(f->mem, list);
    return ONNXQ_OK;
}

oq_status oq_carriers_find(oq_mem *mem, oq_graph *reference, oq_graph *model, oq_carriers *out,
                           oq_error *err) {
    *out = (oq_carriers){.mem = mem};
    finder f = {.mem = mem, .reference = reference, .model = model, .out = out};
    out->items = oq_mem_calloc(mem, model->value_count, sizeof *out->items, err);
    out->of = oq_mem_calloc(mem, model->value_count, sizeof *out->of, err);
    oq_status status = ONNXQ_NO_MEMORY;
    if (!out->items || !out->of) goto done;
    for (size_t i = 0; i < model->value_count; i++) out->of[i] = -1;
    OQ_TRY_DONE(find_positions(&f, err));
    OQ_TRY_DONE(add_integers(&f, err));
    add_floats(&f);
    status = sort(&f, err);
done:
    oq_mem_free(mem, f.position);
    if (status != ONNXQ_OK) oq_carriers_release(out);
    return status;
}

void oq_carriers_release(oq_carriers *carriers) {
    if (!carriers->mem) return;
    for (size_t i = 0; i < carriers->count; i++) oq_mem_free(carriers->mem, carriers->items[i].params);
    oq_mem_free(carriers->mem, carriers->items);
    oq_mem_free(carriers->mem, carriers->of);
    *carriers = (oq_carriers){0};
}

static oq_status layout_of(const oq_carrier *c, const oq_shape *shape, oq_layout *out, oq_error *err) {
    const oq_granularity granularity = {.kind = c->channels > 1 ? OQ_PER_CHANNEL : OQ_PER_TENSOR,
                                        .axis = c->axis};
    OQ_TRY(oq_layout_make(shape, &granularity, out, NULL, err));
    return c->channels == 1 || oq_layout_params(out) == c->channels
               ? ONNXQ_OK
               : oq_fail(err, ONNXQ_BAD_MODEL, "a value has %zu channels and %zu scales",
                         oq_layout_params(out), c->channels);
}

// A copy with another number of channels: the first ones are kept, further ones are 0.
static oq_status with_channels(oq_mem *mem, const oq_tensor *from, int64_t channels, oq_tensor *out,
                               oq_error *err) {
    oq_shape shape = from->shape;
    shape.dim[1] = channels;
    OQ_TRY(oq_tensor_new(mem, from->dtype, &shape, out, err));
    const size_t inner = (size_t)oq_shape_range_count(&shape, 2, shape.rank) * oq_dtype_bytes(from->dtype),
                 was = (size_t)from->shape.dim[1] * inner, is = (size_t)channels * inner;
    const char *source = from->data;
    char *target = out->data;
    if (is) memset(target, 0, (size_t)shape.dim[0] * is);
    for (int64_t n = 0; is && n < shape.dim[0]; n++, source += was, target += is)
        memcpy(target, source, was < is ? was : is);
    return ONNXQ_OK;
}

oq_status oq_carrier_cut(const oq_carrier *carrier, oq_mem *mem, const oq_tensor *from, oq_tensor *out,
                         oq_error *err) {
    if (carrier->more && from->shape.rank > 1 && from->shape.dim[1] > carrier->more)
        return with_channels(mem, from, from->shape.dim[1] - carrier->more, out, err);
    *out = oq_tensor_retain(from);
    return ONNXQ_OK;
}

oq_status oq_carrier_widen(const oq_carrier *carrier, oq_mem *mem, const oq_tensor *from, oq_tensor *out,
                           oq_error *err) {
    if (carrier->more && from->shape.rank > 1)
        return with_channels(mem, from, from->shape.dim[1] + carrier->more, out, err);
    *out = oq_tensor_retain(from);
    return ONNXQ_OK;
}

oq_status oq_carrier_dequantize(const oq_carrier *carrier, oq_mem *mem, const oq_tensor *q, oq_tensor *out,
                                oq_error *err) {
    oq_layout layout;
    oq_tensor all = {0};
    oq_status status;
    OQ_TRY(layout_of(carrier, &q->shape, &layout, err));
    OQ_TRY_DONE(oq_tensor_new(mem, ONNXQ_FLOAT, &q->shape, &all, err));
    oq_layout_dequantize(&layout, carrier->params, q->dtype, q->data, all.data);
    OQ_TRY_DONE(oq_carrier_cut(carrier, mem, &all, out, err));
done:
    oq_tensor_release(&all);
    return status;
}

oq_status oq_carrier_quantize(const oq_carrier *carrier, oq_mem *mem, const oq_tensor *x, oq_tensor *out,
                              oq_error *err) {
    oq_layout layout;
    oq_tensor wide = {0}, floats = {0};
    oq_status status;
    OQ_TRY_DONE(oq_carrier_widen(carrier, mem, x, &wide, err));
    OQ_TRY_DONE(layout_of(carrier, &wide.shape, &layout, err));
    OQ_TRY_DONE(oq_tensor_new(mem, ONNXQ_FLOAT, &wide.shape, &floats, err));
    oq_load_f32(wide.dtype, wide.data, floats.data, (size_t)oq_tensor_count(&wide));
    OQ_TRY_DONE(oq_tensor_new(mem, carrier->dtype, &wide.shape, out, err));
    oq_layout_quantize(&layout, &carrier->grid, carrier->params, floats.data, carrier->dtype, out->data);
done:
    oq_tensor_release(&wide);
    oq_tensor_release(&floats);
    return status;
}
