// What int32 accumulators and biases ask of the weights: scales raised until both fit, layers dropped where
// not.
#include "quant/plan.h"

#include <float.h>
#include <math.h>

#define INT32_TOP 2147483647.0
// A channel of zeros takes the scale at which its bias has this magnitude: 16 bits.
#define ZERO_CHANNEL_BIAS 32767.0
// A channel adds nothing to its layer where its scale has no more than this share of the largest one.
#define NOTHING 0x1p-20

static const oq_operand *activation_of(const oq_layer *layer) {
    return &layer->operand[layer->operand[0].constant ? 1 : 0];
}

// Greatest |q - zp| of an activation.
static double activation_reach(const oq_plan *plan, oq_value_id value) {
    const oq_tensor_plan *tensor = &plan->tensors[value];
    const double zero = tensor->params[0].zero_point;
    return fmax(zero - tensor->grid.qmin, tensor->grid.qmax - zero);
}

static float bias_of(const oq_layer *layer, size_t output) {
    return layer->vector && output < layer->bias_count ? layer->bias[output] : 0.0f;
}

// What the integers of a bias stand for.
static double whole_bias(const oq_plan *plan, const oq_layer *layer, size_t output, float bias) {
    return (double)bias + oq_plan_zero_shift(plan, layer, output);
}

// The scale that one output channel needs at least, so that |bias| / (s_x s_w) and the accumulator stay below
// 2^31.
static double needed_for_bias(const oq_plan *plan, const oq_layer *layer, const oq_weight *w, size_t output,
                              double sx, double reach) {
    const double bias = fabs(whole_bias(plan, layer, output, bias_of(layer, output)));
    const double own = (double)oq_weight_param(w, output).scale,
                 top = INT32_TOP - reach * (double)w->reach[output];
    if (bias == 0 || !layer->integer_bias) return own;
    if (w->reach[output] == 0 && w->per_channel) return bias / (sx * ZERO_CHANNEL_BIAS);
    // Raising shrinks the accumulator too, so that what fits beside the present one fits for certain.
    if (top > 1 && bias / (sx * own) >= top)
        return bias / (sx * top) * (1 + 4 * (double)FLT_EPSILON) + FLT_MIN;
    return own;
}

static float output_scale(const oq_plan *plan, const oq_layer *layer) {
    return layer->integer ? plan->tensors[layer->output].made.scale : 1.0f;
}

// The scale that one output channel needs at least, so that its products with s_x, and those divided by s_y,
// are normal numbers: channels that died in training hold weights of 1e-38 and less. 0 for a channel that
// counts beside the others, whose largest scale is `top`.
static double needed_for_product(const oq_plan *plan, const oq_layer *layer, const oq_weight *w,
                                 size_t output, double sx, double top) {
    const double factor = w->factor ? (double)w->factor[w->per_channel ? output : 0] : 1;
    const double least = (double)FLT_MIN * (1 + 4 * (double)FLT_EPSILON) *
                         fmax(1, (double)output_scale(plan, layer)) / (sx * factor);
    return least <= NOTHING * top ? least : 0;
}

static double largest_scale(const oq_weight *w) {
    double top = 0;
    for (size_t output = 0; output < w->outputs; output++)
        if (w->reach[output]) top = fmax(top, (double)oq_weight_param(w, output).scale);
    return top;
}

static oq_status raise_scales(oq_plan *plan, oq_layer *layer, oq_operand *operand, double sx, double reach,
                              oq_error *err) {
    const oq_weight *w = operand->weight;
    float *scale = oq_mem_calloc(plan->mem, oq_weight_params(w) + 1, sizeof *scale, err);
    if (!scale) return ONNXQ_NO_MEMORY;
    bool raised = false;
    const double top = largest_scale(w);
    for (size_t c = 0; c < oq_weight_params(w); c++) scale[c] = w->params[c].scale;
    for (size_t output = 0; output < w->outputs; output++) {
        const double needed = needed_for_bias(plan, layer, w, output, sx, reach);
        float *own = &scale[w->per_channel ? output : 0];
        if (needed > (double)*own || (w->per_channel && w->reach[output] == 0)) *own = (float)needed;
        *own = (float)fmax((double)*own, needed_for_product(plan, layer, w, output, sx, top));
    }
    for (size_t c = 0; c < oq_weight_params(w); c++) raised |= scale[c] != w->params[c].scale;
    const oq_status status = raised ? oq_weight_rescale(plan, w, scale, &operand->weight, err) : ONNXQ_OK;
    oq_mem_free(plan->mem, scale);
    return status;
}

static bool is_normal(float x) { return x >= FLT_MIN && x <= FLT_MAX; }

// Accumulator and bias of one output channel below 2^31.
static bool sums_fit(const oq_plan *plan, const oq_layer *layer, const oq_weight *w, size_t output, double sx,
                     double reach, float bias) {
    const float product = (float)sx * oq_weight_param(w, output).scale;
    const double integer =
        layer->integer_bias ? fabs(whole_bias(plan, layer, output, bias)) / (double)product : 0;
    return reach * (double)w->reach[output] + integer <= INT32_TOP;
}

bool oq_plan_bias_fits(const oq_plan *plan, const oq_layer *layer, size_t output, float bias) {
    const oq_value_id other = activation_of(layer)->value;
    const oq_weight *w = layer->operand[layer->operand[0].constant ? 0 : 1].weight;
    return sums_fit(plan, layer, w, output, (double)plan->tensors[other].params[0].scale,
                    activation_reach(plan, other), bias);
}

// Every output channel: its sums, and products of scales that float32 can hold.
static const char *check_outputs(const oq_plan *plan, const oq_layer *layer, const oq_weight *w, float sx,
                                 double reach) {
    const float sy = output_scale(plan, layer);
    for (size_t output = 0; output < w->outputs; output++) {
        const float product = sx * oq_weight_scale(w, w->per_channel ? output : 0);
        if (!is_normal(product) || !is_normal(product / sy))
            return "the product of its scales is not a normal float32 number";
        if (!sums_fit(plan, layer, w, output, (double)sx, reach, bias_of(layer, output)))
            return "its sums may overflow the int32 accumulator";
    }
    return NULL;
}

// Zero points per channel go through the bias.
static oq_status add_zero_bias(oq_plan *plan, oq_layer *layer, oq_error *err) {
    if (layer->vector || !layer->integer || plan->tensors[layer->output].axis < 0) return ONNXQ_OK;
    layer->bias_count = plan->tensors[layer->output].channels;
    layer->bias = oq_arena_calloc(&plan->arena, layer->bias_count, sizeof *layer->bias, err);
    layer->vector = true;
    return layer->bias ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static oq_status fit_weight(oq_plan *plan, oq_layer *layer, oq_error *err) {
    oq_operand *constant = &layer->operand[layer->operand[0].constant ? 0 : 1];
    const oq_value_id other = activation_of(layer)->value;
    const float sx = plan->tensors[other].params[0].scale;
    const double reach = activation_reach(plan, other);
    bool finite;
    OQ_TRY(oq_weight_make(plan, layer, constant, &constant->weight, &finite, err));
    if (!finite) {
        layer->dropped = "its weights hold NaN or infinity";
        return ONNXQ_OK;
    }
    if (layer->wide) return ONNXQ_OK; // sums are float
    OQ_TRY(oq_plan_fit_pairs(plan, layer, constant, err));
    OQ_TRY(raise_scales(plan, layer, constant, (double)sx, reach, err));
    layer->dropped = check_outputs(plan, layer, constant->weight, sx, reach);
    return ONNXQ_OK;
}

// Two activations: K is known from either's shape, if at all.
static const char *check_activations(const oq_plan *plan, const oq_layer *layer) {
    int64_t k = 0;
    for (int i = 0; i < 2; i++) {
        const oq_type *type = &oq_graph_value(plan->graph, layer->operand[i].value)->type;
        if (type->kind != OQ_TYPE_TENSOR || type->rank < 1) continue;
        const bool last = type->rank == 1 || (i == 0) != layer->operand[i].transposed;
        const oq_dim dim = type->dim[type->rank - (last ? 1 : 2)];
        if (oq_dim_known(dim) && dim.size > k) k = dim.size;
    }
    const oq_value_id a = layer->operand[0].value, b = layer->operand[1].value;
    const float product = plan->tensors[a].params[0].scale * plan->tensors[b].params[0].scale;
    const float sy = layer->integer ? plan->tensors[layer->output].params[0].scale : 1.0f;
    if (!is_normal(product) || !is_normal(product / sy))
        return "the product of its scales is not a normal float32 number";
    return activation_reach(plan, a) * activation_reach(plan, b) * (double)k > INT32_TOP
               ? "its sums may overflow the int32 accumulator"
               : NULL;
}

oq_status oq_plan_weights(oq_plan *plan, bool *changed, oq_error *err) {
    for (size_t l = 0; l < plan->layer_count; l++) {
        oq_layer *layer = &plan->layers[l];
        if (layer->dropped) continue;
        OQ_TRY(add_zero_bias(plan, layer, err));
        const bool matrices = oq_plan_rank(plan, layer->operand[0].value) == 2 &&
                              oq_plan_rank(plan, layer->operand[1].value) == 2;
        // Runtimes join a matrix product of rank 2 and an Add to Gemm, and run that in float unless the bias
        // is int32.
        const bool convolution = layer->shape == OQ_LAYER_CONV && (layer->integer || !layer->line);
        layer->integer_bias = layer->vector && !layer->wide &&
                              (convolution || (plan->options.format == OQ_FORMAT_QDQ && matrices &&
                                               layer->operand[1].constant));
        if (layer->operand[0].constant || layer->operand[1].constant)
            OQ_TRY(fit_weight(plan, layer, err));
        else if (!layer->wide)
            layer->dropped = check_activations(plan, layer);
        *changed |= layer->dropped != NULL;
    }
    return ONNXQ_OK;
}
