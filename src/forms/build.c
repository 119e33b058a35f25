// Values, nodes and constants of the rewrites.
#include "forms/build.h"

#include <string.h>

oq_value_id oq_form_input(const oq_node *node, size_t index) {
    return index < node->input_count ? node->inputs[index] : OQ_NONE;
}

oq_dtype oq_form_dtype(oq_graph *graph, oq_value_id value) {
    if (value == OQ_NONE) return ONNXQ_UNDEFINED;
    const oq_constant *constant = oq_graph_constant(graph, value);
    const oq_type *type = &oq_graph_value(graph, value)->type;
    return constant ? constant->dtype : type->kind == OQ_TYPE_TENSOR ? type->dtype : ONNXQ_UNDEFINED;
}

int64_t oq_form_elements(oq_graph *graph, oq_value_id value) {
    const oq_constant *constant = oq_graph_constant(graph, value);
    oq_shape shape;
    if (constant) return oq_shape_count(&constant->shape);
    const oq_type *type = &oq_graph_value(graph, value)->type;
    return type->kind == OQ_TYPE_TENSOR && oq_type_static(type, &shape) ? oq_shape_count(&shape) : -1;
}

static bool load(oq_graph *graph, oq_value_id value, oq_tensor *out) {
    const oq_constant *constant = value == OQ_NONE ? NULL : oq_graph_constant(graph, value);
    oq_error ignored = {0};
    return constant && oq_constant_load(graph->model->mem, constant, out, &ignored) == ONNXQ_OK;
}

bool oq_form_number(oq_graph *graph, oq_value_id value, double *out) {
    oq_tensor tensor;
    if (!load(graph, value, &tensor)) return false;
    const bool one = oq_tensor_count(&tensor) == 1;
    if (one) *out = oq_tensor_get_f64(&tensor, 0);
    oq_tensor_release(&tensor);
    return one;
}

bool oq_form_same(oq_graph *graph, oq_value_id a, oq_value_id b) {
    oq_tensor x, y;
    if (a == b) return true;
    if (!load(graph, a, &x)) return false;
    bool same = load(graph, b, &y);
    if (same) {
        same = x.dtype == y.dtype && oq_tensor_bytes(&x) == oq_tensor_bytes(&y) &&
               memcmp(x.data, y.data, oq_tensor_bytes(&x)) == 0;
        oq_tensor_release(&y);
    }
    oq_tensor_release(&x);
    return same;
}

static const char *joined(oq_graph *graph, oq_value_id value, const char *suffix, oq_error *err) {
    return oq_arena_printf(&graph->model->arena, err, "%s%s", oq_graph_value(graph, value)->name, suffix);
}

oq_status oq_form_value(oq_graph *graph, oq_value_id like, const char *suffix, oq_dtype dtype,
                        oq_value_id *out, oq_error *err) {
    const char *base = joined(graph, like, suffix, err), *name;
    if (!base) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, base, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, out, err));
    const oq_type *type = &oq_graph_value(graph, like)->type;
    if (type->kind != OQ_TYPE_TENSOR) return ONNXQ_OK;
    oq_graph_value(graph, *out)->type = *type;
    if (dtype != ONNXQ_UNDEFINED) oq_graph_value(graph, *out)->type.dtype = dtype;
    return ONNXQ_OK;
}

oq_status oq_form_node(oq_graph *graph, const char *name, const char *op_type, const oq_value_id *inputs,
                       size_t count, oq_value_id output, oq_node **out, oq_error *err) {
    oq_node *ignored;
    while (count && inputs[count - 1] == OQ_NONE) count--;
    return oq_graph_add_node(graph, name, op_type, "", inputs, count, &output, 1, out ? out : &ignored, err);
}

oq_status oq_form_make(oq_graph *graph, const char *op_type, const oq_value_id *inputs, size_t count,
                       oq_value_id like, const char *suffix, oq_dtype dtype, oq_value_id *out, oq_node **node,
                       oq_error *err) {
    OQ_TRY(oq_form_value(graph, like, suffix, dtype, out, err));
    return oq_form_node(graph, "", op_type, inputs, count, *out, node, err);
}

static oq_status add_tensor(oq_graph *graph, oq_value_id like, const char *suffix, oq_tensor tensor,
                            oq_value_id *out, oq_error *err) {
    const char *name = joined(graph, like, suffix, err);
    if (name) return oq_graph_add_initializer(graph, name, tensor, out, err);
    oq_tensor_release(&tensor);
    return ONNXQ_NO_MEMORY;
}

oq_status oq_form_scalar(oq_graph *graph, oq_value_id like, const char *suffix, oq_dtype dtype, double number,
                         oq_value_id *out, oq_error *err) {
    const oq_shape scalar = {.rank = 0};
    oq_tensor tensor;
    OQ_TRY(oq_tensor_new(graph->model->mem, dtype, &scalar, &tensor, err));
    oq_store_f64(dtype, &number, tensor.data, 1);
    return add_tensor(graph, like, suffix, tensor, out, err);
}

oq_status oq_form_reshaped(oq_graph *graph, oq_value_id value, const oq_shape *shape, oq_value_id *out,
                           oq_error *err) {
    const oq_constant *constant = oq_graph_constant(graph, value);
    *out = value;
    if (oq_shape_equal(&constant->shape, shape)) return ONNXQ_OK;
    oq_tensor tensor;
    OQ_TRY(oq_constant_load(graph->model->mem, constant, &tensor, err));
    tensor.shape = *shape;
    return add_tensor(graph, value, "_reshaped", tensor, out, err);
}

// The DequantizeLinear of an operand that is there already.
static const oq_node *find_dequantized(const oq_graph *graph, const oq_form_operand *operand) {
    const oq_gvalue *value = oq_graph_value(graph, operand->q);
    for (size_t i = 0; i < value->use_count; i++) {
        const oq_node *node = oq_graph_node(graph, value->uses[i].node);
        if (oq_node_is(node, "DequantizeLinear") && oq_form_input(node, 0) == operand->q &&
            oq_form_input(node, 1) == operand->scale && oq_form_input(node, 2) == operand->zero &&
            (!operand->several || oq_node_int(node, "axis", 1) == operand->axis))
            return node;
    }
    return NULL;
}

oq_status oq_form_dequantized(oq_graph *graph, const oq_form_operand *operand, oq_value_id *out,
                              oq_error *err) {
    oq_node *node;
    const oq_node *made = find_dequantized(graph, operand);
    if (made) {
        *out = made->outputs[0];
        return ONNXQ_OK;
    }
    OQ_TRY(oq_form_make(graph, "DequantizeLinear", (oq_value_id[]){operand->q, operand->scale, operand->zero},
                        3, operand->q, "_dequantized", ONNXQ_FLOAT, out, &node, err));
    return operand->several ? oq_node_set_int(graph, node, "axis", operand->axis, err) : ONNXQ_OK;
}

oq_status oq_form_zero(oq_graph *graph, const oq_form_operand *operand, oq_dtype dtype, oq_value_id *out,
                       oq_error *err) {
    *out = operand->zero;
    if (operand->zero != OQ_NONE) return ONNXQ_OK;
    const oq_constant *scale = oq_graph_constant(graph, operand->scale);
    oq_tensor zeros;
    OQ_TRY(oq_tensor_new(graph->model->mem, dtype, &scale->shape, &zeros, err));
    memset(zeros.data, 0, oq_tensor_bytes(&zeros));
    return add_tensor(graph, operand->q, "_zero_point", zeros, out, err);
}

oq_status oq_form_copy_attrs(oq_graph *graph, const oq_node *from, oq_node *to, const char *const *without,
                             oq_error *err) {
    to->attrs = oq_arena_calloc(&graph->model->arena, from->attr_count + 1, sizeof *to->attrs, err);
    if (!to->attrs) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < from->attr_count; i++) {
        bool wanted = true;
        for (size_t k = 0; without && without[k]; k++)
            wanted = wanted && strcmp(without[k], from->attrs[i].name) != 0;
        if (wanted) to->attrs[to->attr_count++] = from->attrs[i];
    }
    return ONNXQ_OK;
}

oq_status oq_forms_leave(oq_forms *forms, oq_graph *graph, const oq_node *node, const char *reason,
                         oq_error *err) {
    char label[160];
    forms->mem = graph->model->mem;
    OQ_TRY(oq_mem_reserve(forms->mem, (void **)&forms->left, forms->left_count, &forms->left_capacity,
                          sizeof *forms->left, err));
    const char *name = oq_arena_strdup(&graph->model->arena, oq_node_label(node, label, sizeof label), err);
    if (!name) return ONNXQ_NO_MEMORY;
    forms->left[forms->left_count++] = (oq_form_left){name, node->op_type, reason};
    return ONNXQ_OK;
}

void oq_forms_release(oq_forms *forms) {
    if (forms->mem) oq_mem_free(forms->mem, forms->left);
    *forms = (oq_forms){0};
}

// Operators of which each makes, takes or computes on quantized integers, by the beginning of the name.
bool oq_forms_is_quantized(const oq_graph *graph) {
    static const char *const begins[] = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantize",
                                         "QLinear",        "MatMulInteger",    "ConvInteger",
                                         "QGemm",          "QAttention",       "MatMulNBits"};
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_node *node = graph->nodes[i];
        if (node->dead || (*node->domain && strcmp(node->domain, "com.microsoft") != 0)) continue;
        for (size_t k = 0; k < sizeof begins / sizeof *begins; k++)
            if (strncmp(node->op_type, begins[k], strlen(begins[k])) == 0) return true;
    }
    return false;
}

oq_status oq_forms_rewrite(oq_graph *graph, oq_form_rewrite *rewrite, void *context, oq_forms *forms,
                           oq_error *err) {
    oq_node_id *order = NULL;
    size_t count;
    OQ_TRY(oq_pass_fold_quantized(graph, err));
    OQ_TRY(oq_graph_order(graph, &order, &count, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++) {
        oq_node *node = oq_graph_node(graph, order[i]);
        if (!node->dead) status = rewrite(graph, node, context, forms, err);
    }
    oq_mem_free(graph->model->mem, order);
    return status == ONNXQ_OK ? oq_graph_sweep(graph, true, err) : status;
}
