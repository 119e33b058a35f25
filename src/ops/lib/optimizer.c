// One step of an optimizer for any number of tensors.
#include "ops/lib/optimizer.h"

enum { FIRST = 2 }; // R and T come before

static oq_status read_number(const oq_run_context *context, size_t i, double *out, oq_error *err) {
    const oq_tensor *tensor;
    OQ_TRY(oq_need(context, i, &tensor, err));
    if (oq_tensor_count(tensor) != 1)
        return oq_fail(err, ONNXQ_BAD_DATA, "input %zu of %s must be one number", i, context->node->op_type);
    *out = oq_tensor_get_f64(tensor, 0);
    return ONNXQ_OK;
}

// Tensor `k` of `count`: its values, gradient and states are inputs `count` apart.
static oq_status step_tensor(oq_run_context *context, size_t k, size_t count, size_t states,
                             oq_optimizer_formula formula, const oq_optimizer_step *step, oq_error *err) {
    const oq_tensor *in[2 + OQ_OPTIMIZER_STATES] = {NULL};
    oq_tensor *out[1 + OQ_OPTIMIZER_STATES] = {NULL};
    double values[2 + OQ_OPTIMIZER_STATES][OQ_BLOCK]; // x, g, states
    for (size_t i = 0; i < 2 + states; i++) {
        OQ_TRY(oq_need(context, FIRST + i * count + k, &in[i], err));
        if (!oq_shape_equal(&in[i]->shape, &in[0]->shape) || in[i]->dtype != in[0]->dtype)
            return oq_fail(err, ONNXQ_BAD_DATA, "inputs %zu and %zu of %s differ in shape or type", FIRST + k,
                           FIRST + i * count + k, context->node->op_type);
    }
    for (size_t i = 0; i < 1 + states; i++)
        OQ_TRY(oq_out(context, i * count + k, in[0]->dtype, &in[0]->shape, &out[i], err));
    const size_t elements = (size_t)oq_tensor_count(in[0]), bytes = oq_dtype_bytes(in[0]->dtype);
    for (size_t at = 0; at < elements; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, elements - at);
        for (size_t i = 0; i < 2 + states; i++)
            oq_load_f64(in[i]->dtype, oq_at(in[i]->data, at, bytes), values[i], n);
        for (size_t e = 0; e < n; e++) {
            double s[OQ_OPTIMIZER_STATES] = {0};
            for (size_t i = 0; i < states; i++) s[i] = values[2 + i][e];
            formula(step, values[1][e], &values[0][e], s);
            for (size_t i = 0; i < states; i++) values[2 + i][e] = s[i];
        }
        for (size_t i = 0; i < 1 + states; i++)
            oq_store_f64(out[i]->dtype, values[i ? 1 + i : 0], oq_at_mutable(out[i]->data, at, bytes), n);
    }
    return ONNXQ_OK;
}

// How many tensors there are: inputs and outputs must both be a multiple of them.
static bool tensors_of(size_t inputs, size_t outputs, size_t states, size_t *count) {
    if (inputs < FIRST || (inputs - FIRST) % (2 + states) != 0) return false;
    *count = (inputs - FIRST) / (2 + states);
    return outputs == *count * (1 + states);
}

static oq_status wrong_count(const oq_node *node, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s cannot divide its %zu inputs and %zu outputs among tensors",
                   node->op_type, node->input_count, node->output_count);
}

oq_status oq_optimizer_run(oq_run_context *context, size_t states, oq_optimizer_formula formula,
                           const void *self, oq_error *err) {
    oq_optimizer_step step = {.self = self};
    size_t count;
    OQ_TRY(read_number(context, 0, &step.rate, err));
    OQ_TRY(read_number(context, 1, &step.count, err));
    if (!tensors_of(context->input_count, context->output_count, states, &count))
        return wrong_count(context->node, err);
    for (size_t k = 0; k < count; k++) OQ_TRY(step_tensor(context, k, count, states, formula, &step, err));
    return ONNXQ_OK;
}

oq_status oq_infer_optimizer(oq_infer_context *context, size_t states, oq_error *err) {
    size_t count;
    if (!tensors_of(context->input_count, context->output_count, states, &count))
        return wrong_count(context->node, err);
    for (size_t k = 0; k < count; k++) {
        oq_infer_same(context, k, FIRST + k);
        for (size_t s = 0; s < states; s++)
            oq_infer_same(context, (1 + s) * count + k, FIRST + (2 + s) * count + k);
    }
    return ONNXQ_OK;
}
