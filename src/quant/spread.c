// Parameters per channel for the output of a convolution that only float operators read. The integer kernels
// know one scale and zero point of an output, but a scale for each channel of the weights: they make y_c s /
// s_c with weights multiplied by s / s_c, and zero points through the int32 bias; DequantizeLinear along the
// axis gives y_c back.
#include "quant/plan.h"

#include <math.h>

// Worth another form where the mean squared step falls below this share: a bit or more is gained.
#define WORTHWHILE 0.25
// Values that each channel must have shown: its range is known less well than that of the whole tensor.
#define LEAST_VALUES 512
// Channels that are (nearly) always 0 are treated as if they reached this share of the whole range.
#define LEAST_SHARE 1e-3

double oq_plan_zero_shift(const oq_plan *plan, const oq_layer *layer, size_t output) {
    const oq_tensor_plan *tensor = &plan->tensors[layer->output];
    if (!layer->integer || tensor->axis < 0) return 0;
    const oq_qparam own = tensor->params[output];
    return ((double)own.zero_point - tensor->made.zero_point) * (double)own.scale;
}

// --- who reads the integers ---

// Runtimes make these operators, between DequantizeLinear and QuantizeLinear, integer ones that know scales
// per tensor alone; ONNX Runtime 1.31 does so without looking at the scale's shape, and then fails.
static bool is_fused(const oq_plan *plan, const oq_node *node) {
    static const char *const fused[] = {
        "Add",        "Mul",       "Concat",   "Where",       "Split",
        "Sigmoid",    "LeakyRelu", "Softmax",  "AveragePool", "GlobalAveragePool",
        "ReduceMean", "ReduceMax", "ReduceMin"};
    bool known = false, quantized = false, integers = true;
    for (size_t i = 0; i < sizeof fused / sizeof *fused; i++) known |= oq_node_is(node, fused[i]);
    for (size_t k = 0; k < node->output_count; k++)
        quantized |= node->outputs[k] != OQ_NONE && plan->integer[node->outputs[k]];
    for (size_t i = 0; i < node->input_count; i++)
        integers &= node->inputs[i] == OQ_NONE || oq_plan_made_integer(plan, node->inputs[i]);
    return known && quantized && integers;
}

// Whether float operators alone read `value` and what passthrough nodes make of it, with the channels along
// an axis that is known: then tensors[..].axis holds it for each of them.
static bool follow(oq_plan *plan, oq_value_id value, int axis, bool set) {
    const oq_gvalue *v = oq_graph_value(plan->graph, value);
    if (set) plan->tensors[value].axis = axis;
    for (size_t u = 0; u < v->use_count; u++) {
        const oq_node *node = oq_graph_node(plan->graph, v->uses[u].node);
        if (!oq_plan_integer_use(plan, v->uses[u])) {
            if (is_fused(plan, node)) return false;
            continue;
        }
        if (!plan->moving[node->id]) return false;
        const oq_rule *rule = plan->rules[node->id];
        const int behind = rule->axis_behind ? rule->axis_behind(plan->graph, node, axis) : -1;
        if (behind < 0 || node->output_count != 1 || !follow(plan, node->outputs[0], behind, set))
            return false;
    }
    return true;
}

static bool fits(oq_plan *plan, const oq_layer *layer, const oq_tensor_stats *stats) {
    const oq_constant *weight = layer->operand[1].constant;
    if (layer->dropped || !layer->integer || layer->wide || layer->shape != OQ_LAYER_CONV || !weight)
        return false;
    if (!plan->options.per_channel || !layer->operand[1].channels ||
        plan->tensors[layer->output].shared != OQ_NONE)
        return false;
    // DequantizeLinear has an axis from opset 13 on.
    if (oq_model_opset(plan->graph->model, "") < 13) return false;
    return stats && stats->axis == 1 && stats->channels > 1 && stats->channel_count >= LEAST_VALUES &&
           (int64_t)stats->channels == weight->shape.dim[0] && follow(plan, layer->output, 1, false);
}

// --- ranges ---

// One end of a channel's range: its own extreme, no further than the whole range goes; half way (in orders of
// magnitude) back to that, because samples that were not seen may reach further.
static double end_of(double own, double whole) {
    if (!(whole > 0)) return 0;
    return whole * sqrt(fmin(fmax(own / whole, LEAST_SHARE), 1));
}

// What the channels' ranges lie in. A search over the whole tensor's histogram cuts off what few channels
// reach; here they do not cost the others anything.
static oq_range whole_range(const oq_plan *plan, const oq_layer *layer, const oq_tensor_stats *stats) {
    oq_range range = oq_plan_limits(plan, layer->output);
    if (plan->options.method != OQ_RANGE_AUTO) return plan->range[layer->output];
    range.min = fmin(fmax(range.min, (double)stats->min), 0);
    range.max = fmax(fmin(range.max, (double)stats->max), 0);
    return range;
}

// *better says whether the parameters are worth it; they must also stand for the layer's clip.
static oq_status make_params(const oq_plan *plan, const oq_layer *layer, const oq_tensor_stats *stats,
                             oq_qparam *params, bool *better, oq_error *err) {
    const oq_grid *grid = &plan->tensors[layer->output].grid;
    const oq_range whole = whole_range(plan, layer, stats);
    const bool room = oq_plan_has_headroom(plan, layer->output);
    const oq_range most = room ? oq_plan_with_headroom(plan, layer->output, &whole) : whole;
    oq_qparam one;
    double squares = 0;
    *better = true;
    OQ_TRY(oq_plan_param_of(plan, grid, &most, stats->name, &one, err));
    for (size_t c = 0; c < stats->channels; c++) {
        oq_range range = {-end_of(-(double)stats->channel_min[c], -whole.min),
                          end_of((double)stats->channel_max[c], whole.max)};
        if (room) range = oq_plan_with_headroom(plan, layer->output, &range);
        OQ_TRY(oq_plan_param_of(plan, grid, &range, stats->name, &params[c], err));
        squares += (double)params[c].scale * (double)params[c].scale;
        if (layer->clip_node != OQ_NONE)
            *better &= oq_plan_clip_is_exact(grid, params[c], layer->low, layer->high);
    }
    *better &= squares < WORTHWHILE * (double)one.scale * (double)one.scale * (double)stats->channels;
    return ONNXQ_OK;
}

static void set_params(oq_plan *plan, oq_value_id leader, const oq_qparam *params, size_t channels) {
    for (size_t v = 0; v < plan->value_count; v++) {
        if (!plan->integer[v] || oq_plan_leader(plan, (oq_value_id)v) != leader) continue;
        plan->tensors[v].params = params;
        plan->tensors[v].channels = channels;
    }
}

oq_status oq_plan_spread(oq_plan *plan, oq_error *err) {
    for (size_t l = 0; l < plan->layer_count; l++) {
        const oq_layer *layer = &plan->layers[l];
        const oq_tensor_stats *stats =
            oq_stats_find(plan->stats, oq_graph_value(plan->graph, layer->output)->name);
        if (!fits(plan, layer, stats)) continue;
        bool better;
        oq_qparam *params = oq_arena_calloc(&plan->arena, stats->channels, sizeof *params, err);
        if (!params) return ONNXQ_NO_MEMORY;
        OQ_TRY(make_params(plan, layer, stats, params, &better, err));
        if (!better) continue;
        follow(plan, layer->output, 1, true);
        set_params(plan, layer->output, params, stats->channels);
    }
    return ONNXQ_OK;
}
