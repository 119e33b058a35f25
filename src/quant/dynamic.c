// Dynamic mode: which products run on integers when the ranges of activations are found at run time, by one
// DynamicQuantizeLinear for each activation.
#include "quant/plan.h"

// DynamicQuantizeLinear gives uint8 integers and any zero point.
#define ACTIVATION_REACH 255.0

// The user named convolutions. Otherwise they stay float: in the runtimes at hand integer convolutions of
// sums that are scaled afterwards take several times as long as float ones.
static bool is_asked_for(const oq_quant_options *options) {
    return options->op_type_count || options->include_count;
}

static const char *unfit(const oq_plan *plan, const oq_layer *layer) {
    const bool convolution = layer->shape == OQ_LAYER_CONV;
    if (convolution && !is_asked_for(&plan->options))
        return "integer convolutions of dynamic mode are slower than float ones: name them with --ops or "
               "--include";
    if (layer->transposed) return OQ_NO_TRANSPOSED_CONVOLUTION;
    if (layer->operand[0].constant) return "its constant factor stands on the left";
    if (!layer->operand[1].constant) return "both factors are computed at run time";
    if (convolution && plan->options.weight_asymmetric && plan->options.per_channel)
        return "ConvInteger takes one zero point of weights";
    return NULL;
}

static bool sums_fit(const oq_weight *w) {
    for (size_t output = 0; output < w->outputs; output++)
        if (ACTIVATION_REACH * (double)w->reach[output] > 2147483647.0) return false;
    return true;
}

static oq_status fit(oq_plan *plan, oq_layer *layer, oq_error *err) {
    const oq_value_id x = layer->operand[0].value;
    bool finite;
    layer->clip_node = OQ_NONE;
    layer->output = layer->sum;
    layer->dropped = unfit(plan, layer);
    if (layer->dropped) return ONNXQ_OK;
    OQ_TRY(oq_weight_make(plan, layer, &layer->operand[1], &layer->operand[1].weight, &finite, err));
    if (!finite)
        layer->dropped = "its weights hold NaN or infinity";
    else if (!sums_fit(layer->operand[1].weight))
        layer->dropped = "its sums may overflow the int32 accumulator";
    if (!layer->dropped)
        plan->tensors[x] = (oq_tensor_plan){.quantized = true,
                                            .grid = oq_grid_make(8, false, false),
                                            .carrier = ONNXQ_UINT8,
                                            .axis = -1,
                                            .shared = OQ_NONE};
    return ONNXQ_OK;
}

oq_status oq_plan_dynamic(oq_plan *plan, oq_error *err) {
    for (size_t v = 0; v < plan->value_count; v++) plan->leader[v] = (oq_value_id)v;
    for (size_t l = 0; l < plan->layer_count; l++) OQ_TRY(fit(plan, &plan->layers[l], err));
    return ONNXQ_OK;
}
