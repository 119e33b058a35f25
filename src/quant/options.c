// The options of quantization: defaults, contradictions, and which nodes they choose.
#include "quant/plan.h"

#include <string.h>

oq_quant_options oq_quant_defaults(void) {
    return (oq_quant_options){.format = OQ_FORMAT_QOPERATOR,
                              .weight_bits = 8,
                              .activation_bits = 8,
                              .per_channel = true,
                              .weight_signed = true,
                              .whole_blocks = true,
                              .elementwise = true,
                              .method = OQ_RANGE_AUTO,
                              .percentile = 99.99};
}

// The opset of one pair of widths. QuantizeLinear came with 10, Clip of integers with 12, an axis of
// QuantizeLinear with 13, its 16- and 4-bit types with 21, its 2-bit types with 25.
static int64_t opset_of(const oq_quant_options *options, int weight_bits, int activation_bits) {
    const bool wide = weight_bits > 8 || activation_bits > 8, dynamic = options->mode == OQ_MODE_DYNAMIC;
    const bool sub_byte = options->format == OQ_FORMAT_QDQ || dynamic || wide;
    if (sub_byte && weight_bits == 2) return 25;
    if (wide || (sub_byte && weight_bits <= 4) || options->group_size) return 21;
    if (dynamic) return 11; // DynamicQuantizeLinear
    if (options->per_channel) return 13;
    return activation_bits < 8 ? 12 : 10;
}

int64_t oq_quant_minimum_opset(const oq_quant_options *options) {
    int64_t opset = opset_of(options, options->weight_bits, options->activation_bits);
    for (size_t i = 0; i < options->override_count; i++) {
        int weight_bits, activation_bits;
        if (options->overrides[i].leave_float) continue;
        oq_options_widths(options, options->overrides[i].node, &weight_bits, &activation_bits);
        const int64_t own = opset_of(options, weight_bits, activation_bits);
        if (own > opset) opset = own;
    }
    return opset;
}

static oq_status check_bits(int bits, const char *what, oq_error *err) {
    if (bits >= 2 && bits <= 16) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_USAGE, "%s can have 2 to 16 bits, not %d", what, bits);
}

// DynamicQuantizeLinear gives uint8 and nothing else, MatMulInteger takes 8 bits.
static oq_status check_dynamic(const oq_quant_options *options, int weight_bits, int activation_bits,
                               oq_error *err) {
    if (options->mode != OQ_MODE_DYNAMIC) return ONNXQ_OK;
    if (activation_bits != 8 || options->activation_signed || options->activation_symmetric)
        return oq_fail(err, ONNXQ_USAGE,
                       "dynamic mode has 8-bit unsigned asymmetric activations: DynamicQuantizeLinear gives "
                       "no others");
    if (weight_bits <= 8) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_USAGE, "dynamic mode has weights of at most 8 bits, not %d", weight_bits);
}

bool oq_quant_stores_narrow(const oq_quant_options *options) {
    bool narrow = options->weight_bits < OQ_WHOLE_RANGE_BITS;
    for (size_t i = 0; i < options->override_count; i++) {
        const int bits = options->overrides[i].weight_bits;
        narrow |= bits != 0 && bits < OQ_WHOLE_RANGE_BITS;
    }
    return narrow;
}

oq_status oq_options_check(const oq_quant_options *options, oq_error *err) {
    OQ_TRY(check_bits(options->weight_bits, "weights", err));
    OQ_TRY(check_bits(options->activation_bits, "activations", err));
    OQ_TRY(check_dynamic(options, options->weight_bits, options->activation_bits, err));
    for (size_t i = 0; i < options->override_count; i++) {
        int weight_bits, activation_bits;
        oq_options_widths(options, options->overrides[i].node, &weight_bits, &activation_bits);
        OQ_TRY(check_bits(weight_bits, "weights", err));
        OQ_TRY(check_bits(activation_bits, "activations", err));
        OQ_TRY(check_dynamic(options, weight_bits, activation_bits, err));
    }
    if (options->embedding_bits) OQ_TRY(check_bits(options->embedding_bits, "tables", err));
    if (options->group_size < 0)
        return oq_fail(err, ONNXQ_USAGE, "a group has at least one weight, not %lld",
                       (long long)options->group_size);
    if (options->group_size && !options->per_channel)
        return oq_fail(err, ONNXQ_USAGE,
                       "one scale for a whole tensor and scales for groups contradict each other");
    if (options->group_size && (options->mode == OQ_MODE_DYNAMIC ||
                                (options->mode == OQ_MODE_STATIC && options->format != OQ_FORMAT_QDQ)))
        return oq_fail(
            err, ONNXQ_USAGE,
            "integer operators have one scale for each sum, so weights in groups need the format qdq "
            "or weight-only mode");
    // Integer kernels exist for u8 x s8, u8 x u8 and s8 x s8 alone.
    if (options->activation_signed && !options->weight_signed)
        return oq_fail(err, ONNXQ_USAGE,
                       "int8 activations need int8 weights: runtimes have no kernel for int8 x "
                       "uint8; choose int8 weights or uint8 activations");
    if (options->method == OQ_RANGE_PERCENTILE && !(options->percentile > 50 && options->percentile <= 100))
        return oq_fail(err, ONNXQ_USAGE, "percentile %g is not in (50, 100]", options->percentile);
    return ONNXQ_OK;
}

oq_grid oq_options_weight_grid(const oq_quant_options *options, int bits, bool is_signed, bool matrix) {
    const bool whole = matrix && bits < OQ_WHOLE_RANGE_BITS;
    return oq_grid_make(bits, is_signed, is_signed && !options->weight_asymmetric && !whole);
}

// A glob on the node's name, or on its operator when it starts with "op:".
static bool matches_node(const char *glob, const oq_node *node) {
    char buffer[300];
    if (strncmp(glob, "op:", 3) == 0) return oq_glob_match(glob + 3, node->op_type);
    return oq_glob_match(glob, oq_node_label(node, buffer, sizeof buffer));
}

static oq_status check_matched(const oq_graph *graph, const oq_layer_choice *choice, oq_error *err) {
    for (size_t n = 0; n < graph->node_count; n++)
        if (!graph->nodes[n]->dead && matches_node(choice->glob, graph->nodes[n])) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_USAGE,
                   "no layer is called '%s'; 'onnxq inspect' lists the layers, and 'op:Conv' means all of an "
                   "operator",
                   choice->glob);
}

oq_status oq_quant_override(const oq_graph *graph, const oq_layer_choice *choices, size_t choice_count,
                            oq_node_override **list, size_t *count, oq_error *err) {
    *count = 0;
    *list = NULL;
    for (size_t c = 0; c < choice_count; c++) OQ_TRY(check_matched(graph, &choices[c], err));
    *list = oq_mem_calloc(graph->model->mem, graph->node_count + 1, sizeof **list, err);
    if (!*list) return ONNXQ_NO_MEMORY;
    for (size_t n = 0; n < graph->node_count; n++) {
        const oq_node *node = graph->nodes[n];
        for (size_t c = choice_count; !node->dead && c-- > 0;) {
            if (!matches_node(choices[c].glob, node)) continue;
            (*list)[(*count)++] =
                (oq_node_override){.node = node->id,
                                   .weight_bits = choices[c].weight_bits,
                                   .activation_bits = choices[c].activation_bits,
                                   .leave_float = choices[c].leave_float ? "asked to stay float" : NULL};
            break;
        }
    }
    return ONNXQ_OK;
}

static bool any_matches(const char *const *globs, size_t count, const oq_node *node) {
    for (size_t i = 0; i < count; i++)
        if (matches_node(globs[i], node)) return true;
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

void oq_options_widths(const oq_quant_options *options, oq_node_id node, int *weight_bits,
                       int *activation_bits) {
    const oq_node_override *own = oq_options_override(options, node);
    *weight_bits = own && own->weight_bits ? own->weight_bits : options->weight_bits;
    *activation_bits = own && own->activation_bits ? own->activation_bits : options->activation_bits;
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
