// The options of quantization: defaults, contradictions, and which nodes they choose.
#include "quant/plan.h"

#include <string.h>

oq_quant_options oq_quant_defaults(void) {
    return (oq_quant_options){.format = OQ_FORMAT_QOPERATOR,
                              .weight_bits = 8,
                              .activation_bits = 8,
                              .per_channel = true,
                              .weight_signed = true,
                              .method = OQ_RANGE_AUTO,
                              .percentile = 99.99};
}

// QuantizeLinear came with opset 10, its axis with 13.
int64_t oq_quant_minimum_opset(const oq_quant_options *options) {
    return options->format == OQ_FORMAT_QDQ && options->per_channel ? 13 : 10;
}

oq_status oq_options_check(const oq_quant_options *options, oq_error *err) {
    if (options->weight_bits != 8 || options->activation_bits != 8)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "static quantization to %d-bit weights and %d-bit activations is not "
                       "available; use 8 bits for both",
                       options->weight_bits, options->activation_bits);
    // Integer kernels exist for u8 x s8, u8 x u8 and s8 x s8 alone.
    if (options->activation_signed && !options->weight_signed)
        return oq_fail(err, ONNXQ_USAGE,
                       "int8 activations need int8 weights: runtimes have no kernel for int8 x "
                       "uint8; choose int8 weights or uint8 activations");
    if (options->method == OQ_RANGE_PERCENTILE && !(options->percentile > 50 && options->percentile <= 100))
        return oq_fail(err, ONNXQ_USAGE, "percentile %g is not in (50, 100]", options->percentile);
    return ONNXQ_OK;
}

// A glob on the node's name, or on its operator when it starts with "op:".
static bool matches(const char *glob, const oq_node *node, const char *label) {
    if (strncmp(glob, "op:", 3) == 0) return oq_glob_match(glob + 3, node->op_type);
    return oq_glob_match(glob, label);
}

static bool any_matches(const char *const *globs, size_t count, const oq_node *node) {
    char buffer[300];
    const char *label = oq_node_label(node, buffer, sizeof buffer);
    for (size_t i = 0; i < count; i++)
        if (matches(globs[i], node, label)) return true;
    return false;
}

bool oq_options_exclude(const oq_quant_options *options, const oq_node *node) {
    return any_matches(options->exclude, options->exclude_count, node);
}

const oq_node_override *oq_options_override(const oq_quant_options *options, oq_node_id node) {
    for (size_t i = 0; i < options->override_count; i++)
        if (options->overrides[i].node == node) return &options->overrides[i];
    return NULL;
}

bool oq_options_choose(const oq_quant_options *options, const oq_node *node, const char **reason) {
    const oq_node_override *override = oq_options_override(options, node->id);
    if (override && override->leave_float) {
        *reason = override->leave_float;
        return false;
    }
    if (oq_options_exclude(options, node)) {
        *reason = "excluded by name or operator";
        return false;
    }
    if (options->include_count && !any_matches(options->include, options->include_count, node)) {
        *reason = "not among the included nodes";
        return false;
    }
    bool listed = options->op_type_count == 0;
    for (size_t i = 0; i < options->op_type_count; i++)
        listed |= strcmp(options->op_types[i], node->op_type) == 0;
    if (!listed) *reason = "its operator is not among the chosen ones";
    return listed;
}
