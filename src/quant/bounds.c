// Ranges that values cannot leave: interval arithmetic from the inputs' ranges, types and constants on.
#include "quant/bounds.h"

#include <math.h>
#include <string.h>

// Kernels round; results of exact arithmetic are widened by this share of the largest number that went in.
#define ROUNDING 1e-6

typedef struct scope {
    oq_graph *graph;
    const oq_node *node;
    oq_bound *bounds; // [values]
    bool *known;      // [values] `bounds` of a constant is worked out
    bool sharp;       // of the node at hand
} scope;

static const oq_range anything = {-INFINITY, INFINITY};

static oq_range range_make(double min, double max) {
    return (oq_range){isnan(min) ? -(double)INFINITY : min, isnan(max) ? (double)INFINITY : max};
}

static oq_range unite(oq_range a, oq_range b) { return (oq_range){fmin(a.min, b.min), fmax(a.max, b.max)}; }

static oq_range with_zero(oq_range a) { return unite(a, (oq_range){0, 0}); }

static double reach(oq_range a) { return fmax(fabs(a.min), fabs(a.max)); }

// `size`: the largest number that was added up.
static oq_range widen(oq_range a, double size) {
    return range_make(a.min - ROUNDING * size, a.max + ROUNDING * size);
}

static oq_range within(oq_range a, double low, double high) {
    return (oq_range){fmin(fmax(a.min, low), high), fmax(fmin(a.max, high), low)};
}

// --- constants and types ---

static oq_range of_type(oq_dtype dtype) {
    if (dtype == ONNXQ_UNDEFINED) return anything;
    const oq_dtype_traits *traits = oq_dtype_info(dtype);
    if (dtype == ONNXQ_BOOL) return (oq_range){0, 1};
    return traits->is_integer && traits->bits <= 16 ? (oq_range){(double)traits->min, (double)traits->max}
                                                    : anything;
}

static oq_status of_constant(const oq_graph *graph, const oq_constant *constant, oq_range *out,
                             oq_error *err) {
    const oq_dtype_traits *traits = oq_dtype_info(constant->dtype);
    oq_tensor tensor = {0};
    *out = anything;
    if (!traits->is_float && !traits->is_integer && constant->dtype != ONNXQ_BOOL) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(graph->model->mem, constant, &tensor, err));
    oq_range range = {INFINITY, -INFINITY};
    bool nan = false;
    for (int64_t i = 0, count = oq_tensor_count(&tensor); i < count; i++) {
        const double x = oq_tensor_get_f64(&tensor, i);
        nan |= isnan(x);
        range = unite(range, (oq_range){x, x});
    }
    oq_tensor_release(&tensor);
    if (!nan && range.min <= range.max) *out = range;
    return ONNXQ_OK;
}

static oq_status of_value(scope *s, oq_value_id value, oq_range *out, oq_error *err) {
    *out = anything;
    if (value == OQ_NONE) return ONNXQ_OK;
    const oq_constant *constant = oq_graph_constant(s->graph, value);
    if (constant && !s->known[value]) {
        OQ_TRY(of_constant(s->graph, constant, &s->bounds[value].range, err));
        s->known[value] = s->bounds[value].sharp = true;
    }
    *out = s->bounds[value].range;
    s->sharp &= s->bounds[value].sharp;
    return ONNXQ_OK;
}

static oq_status of_input(scope *s, size_t index, oq_range *out, oq_error *err) {
    return of_value(s, index < s->node->input_count ? s->node->inputs[index] : OQ_NONE, out, err);
}

// Elements that a reduction or a pooling adds up: of all dimensions of the input over those of the output;
// NaN where sizes are not known.
static double terms(const scope *s) {
    const oq_type *in = &oq_graph_value(s->graph, s->node->inputs[0])->type,
                  *out = &oq_graph_value(s->graph, s->node->outputs[0])->type;
    double count = 1;
    if (in->kind != OQ_TYPE_TENSOR || out->kind != OQ_TYPE_TENSOR || in->rank < 0 || out->rank < 0)
        return (double)NAN;
    for (int d = 0; d < in->rank; d++)
        count *= oq_dim_known(in->dim[d]) ? (double)in->dim[d].size : (double)NAN;
    for (int d = 0; d < out->rank; d++)
        count /= oq_dim_known(out->dim[d]) ? (double)out->dim[d].size : (double)NAN;
    return count;
}

// --- functions of one number ---

static double f_relu(double x) { return fmax(x, 0); }
static double f_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double f_softsign(double x) { return isinf(x) ? copysign(1, x) : x / (1 + fabs(x)); }
static double f_softplus(double x) { return x > 30 ? x : log1p(exp(x)); }
static double f_identity(double x) { return x; }

// Functions that never fall, and what they cannot leave at all.
static const struct {
    const char *op_type;
    double (*f)(double);
    double low, high;
} rising[] = {{"Relu", f_relu, 0, INFINITY},
              {"Sigmoid", f_sigmoid, 0, 1},
              {"Tanh", tanh, -1, 1},
              {"Erf", erf, -1, 1},
              {"Softsign", f_softsign, -1, 1},
              {"Softplus", f_softplus, 0, INFINITY},
              {"Exp", exp, 0, INFINITY},
              {"Sqrt", sqrt, 0, INFINITY},
              {"Log", log, -INFINITY, INFINITY},
              {"Floor", floor, -INFINITY, INFINITY},
              {"Ceil", ceil, -INFINITY, INFINITY},
              {"Round", rint, -INFINITY, INFINITY},
              {"Atan", atan, -1.5707964, 1.5707964},
              {"Identity", f_identity, -INFINITY, INFINITY},
              {"Dropout", f_identity, -INFINITY, INFINITY}};

// Functions of which only the ends are known.
static const struct {
    const char *op_type;
    double low, high;
} ending[] = {{"Softmax", 0, 1}, {"Hardmax", 0, 1}, {"LogSoftmax", -INFINITY, 0},
              {"Sin", -1, 1},    {"Cos", -1, 1},    {"LpNormalization", -1, 1},
              {"Sign", -1, 1}};

// Functions that dip below 0 to `least` and then come near their argument from below.
static const struct {
    const char *op_type;
    double least;
} dipping[] = {{"HardSwish", -.375}, {"Gelu", -.1701}, {"Mish", -.3089}};

static oq_range of_exponential_unit(const scope *s, oq_range x) {
    const bool selu = oq_node_is(s->node, "Selu");
    const double alpha = (double)oq_node_float(s->node, "alpha", selu ? 1.6732632F : 1),
                 gamma = selu ? (double)oq_node_float(s->node, "gamma", 1.0507010F) : 1;
    if (!(alpha >= 0) || !(gamma >= 0)) return anything;
    const double most = x.max > 0 ? gamma * x.max : 0, least = x.min < 0 ? -alpha * gamma : 0;
    return widen((oq_range){least, most}, fmax(fabs(least), isinf(most) ? 0 : most));
}

static oq_range of_leaky(const scope *s, oq_range x) {
    const double alpha = (double)oq_node_float(s->node, "alpha", 0.01F);
    const oq_range left = {x.min < 0 ? alpha * x.min : 0, x.min < 0 ? alpha * fmin(x.max, 0) : 0};
    const oq_range all = {fmin(fmin(left.min, left.max), fmax(x.min, 0)),
                          fmax(fmax(left.min, left.max), fmax(x.max, 0))};
    return widen(all, isinf(reach(x)) ? 0 : reach(x));
}

static oq_range of_hard_sigmoid(const scope *s, oq_range x) {
    const double alpha = (double)oq_node_float(s->node, "alpha", 0.2F),
                 beta = (double)oq_node_float(s->node, "beta", 0.5F);
    if (!(alpha > 0)) return (oq_range){0, 1};
    return within(widen((oq_range){alpha * x.min + beta, alpha * x.max + beta}, 1), 0, 1);
}

static bool of_one(scope *s, oq_range x, oq_range *out) {
    const oq_node *node = s->node;
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++)
        if (oq_node_is(node, rising[i].op_type)) {
            const oq_range y = range_make(rising[i].f(x.min), rising[i].f(x.max));
            *out = within(widen(y, isinf(reach(y)) ? 0 : reach(y)), rising[i].low, rising[i].high);
            s->sharp |= isfinite(rising[i].low) && isfinite(rising[i].high);
            return true;
        }
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (oq_node_is(node, ending[i].op_type)) {
            *out = (oq_range){ending[i].low, ending[i].high};
            s->sharp = true;
            return true;
        }
    for (size_t i = 0; i < sizeof dipping / sizeof *dipping; i++)
        if (oq_node_is(node, dipping[i].op_type)) {
            *out = (oq_range){x.min < 0 ? dipping[i].least : 0, fmax(x.max, 0)};
            return true;
        }
    *out = anything;
    if (oq_node_is(node, "Abs"))
        *out = (oq_range){x.min > 0 ? x.min : x.max < 0 ? -x.max : 0, reach(x)};
    else if (oq_node_is(node, "Neg"))
        *out = (oq_range){-x.max, -x.min};
    else if (oq_node_is(node, "LeakyRelu"))
        *out = of_leaky(s, x);
    else if (oq_node_is(node, "HardSigmoid"))
        *out = of_hard_sigmoid(s, x), s->sharp = true;
    else if (oq_node_is(node, "Elu") || oq_node_is(node, "Celu") || oq_node_is(node, "Selu"))
        *out = of_exponential_unit(s, x);
    else if (oq_node_is(node, "ThresholdedRelu"))
        *out = with_zero(x);
    else
        return false;
    return true;
}

// --- functions of several numbers ---

static oq_range product(oq_range a, oq_range b) {
    const double ends[] = {a.min * b.min, a.min * b.max, a.max * b.min, a.max * b.max};
    oq_range out = {INFINITY, -INFINITY};
    for (int i = 0; i < 4; i++) {
        if (isnan(ends[i])) return anything; // 0 times infinity
        out = unite(out, (oq_range){ends[i], ends[i]});
    }
    return out;
}

static oq_range add(oq_range a, oq_range b) { return range_make(a.min + b.min, a.max + b.max); }
static oq_range subtract(oq_range a, oq_range b) { return range_make(a.min - b.max, a.max - b.min); }
static oq_range lesser(oq_range a, oq_range b) { return (oq_range){fmin(a.min, b.min), fmin(a.max, b.max)}; }
static oq_range greater(oq_range a, oq_range b) { return (oq_range){fmax(a.min, b.min), fmax(a.max, b.max)}; }
static oq_range divide(oq_range a, oq_range b) {
    return b.min > 0 || b.max < 0 ? product(a, (oq_range){1 / b.max, 1 / b.min}) : anything;
}

// Taken over all inputs, from `from` on.
static const struct {
    const char *op_type;
    oq_range (*combine)(oq_range, oq_range);
    size_t from;
    bool exact;
} several[] = {{"Add", add, 0, false},    {"Sub", subtract, 0, false}, {"Mul", product, 0, false},
               {"Div", divide, 0, false}, {"Sum", add, 0, false},      {"Min", lesser, 0, true},
               {"Max", greater, 0, true}, {"Concat", unite, 0, true},  {"Where", unite, 1, true},
               {"Mean", unite, 0, false}};

// x g(x) with a sigmoid g: SiLU and HardSwish, which no product of ranges knows to come near 0 and x.
static bool of_gate(scope *s, oq_range *out, oq_error *err, oq_status *status) {
    const oq_node *node = s->node;
    oq_range x;
    if (!oq_node_is(node, "Mul") || !oq_rule_is_gated(s->graph, node)) return false;
    for (size_t i = 0; i < 2; i++) {
        const oq_node_id id = oq_graph_value(s->graph, node->inputs[i])->producer;
        const oq_node *gate = id == OQ_NONE ? NULL : oq_graph_node(s->graph, id);
        if (!gate || !oq_node_is(gate, "Sigmoid") || gate->inputs[0] != node->inputs[1 - i]) continue;
        *status = of_value(s, node->inputs[1 - i], &x, err);
        *out = (oq_range){x.min < 0 ? -.27847 : 0, fmax(x.max, 0)};
        return true;
    }
    return false;
}

static oq_status of_several(scope *s, oq_range *out, bool *found, oq_error *err) {
    oq_status status = ONNXQ_OK;
    if ((*found = of_gate(s, out, err, &status))) return status;
    for (size_t i = 0; i < sizeof several / sizeof *several && !*found; i++) {
        double size = 0;
        if (!oq_node_is(s->node, several[i].op_type)) continue;
        for (size_t k = several[i].from; k < s->node->input_count; k++) {
            oq_range x;
            OQ_TRY(of_input(s, k, &x, err));
            *out = k == several[i].from ? x : several[i].combine(*out, x);
            size = fmax(size, fmax(reach(x), reach(*out)));
        }
        if (!several[i].exact && isfinite(size)) *out = widen(*out, size);
        *found = true;
    }
    // The same number twice has no negative product.
    const oq_node *node = s->node;
    if (oq_node_is(node, "Mul") && node->input_count == 2 && node->inputs[0] == node->inputs[1])
        out->min = fmax(out->min, 0);
    return ONNXQ_OK;
}

// --- what only moves, selects or averages ---

static bool moves(const scope *s) {
    static const char *const others[] = {
        "MaxPool",         "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
        "ReduceMean",      "ReduceMax",   "ReduceMin",         "GatherElements",
        "GatherND",        "TopK",        "Compress",          "Trilu",
        "ReverseSequence", "Pad"};
    const oq_rule *rule = oq_rule_find(s->node);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (oq_node_is(s->node, others[i])) return true;
    return rule && rule->kind == OQ_RULE_PASSTHROUGH && !rule->all_inputs &&
           (!rule->moves || rule->moves(s->graph, s->node));
}

static oq_status of_mover(scope *s, oq_range *out, bool *found, oq_error *err) {
    const oq_node *node = s->node;
    *found = moves(s);
    if (!*found) return ONNXQ_OK;
    OQ_TRY(of_input(s, 0, out, err));
    // Parts that stand for nothing.
    if (oq_node_is(node, "Trilu") || oq_node_is(node, "AveragePool")) *out = with_zero(*out);
    if (oq_node_is(node, "AveragePool") || oq_node_is(node, "GlobalAveragePool") ||
        oq_node_is(node, "ReduceMean"))
        *out = isfinite(reach(*out)) ? widen(*out, reach(*out)) : *out;
    if (!oq_node_is(node, "Pad")) return ONNXQ_OK;
    oq_range value = {0, 0};
    if (node->input_count > 2 && node->inputs[2] != OQ_NONE) OQ_TRY(of_input(s, 2, &value, err));
    if (oq_node_attr(node, "value")) value.min = value.max = (double)oq_node_float(node, "value", 0);
    *out = unite(*out, value);
    return ONNXQ_OK;
}

// --- sums ---

static oq_status of_reduction(scope *s, oq_range *out, bool *found, oq_error *err) {
    const oq_node *node = s->node;
    const bool sum = oq_node_is(node, "ReduceSum"), squares = oq_node_is(node, "ReduceSumSquare"),
               length = oq_node_is(node, "ReduceL2"), sizes = oq_node_is(node, "ReduceL1");
    oq_range x;
    *found = sum || squares || length || sizes;
    if (!*found) return ONNXQ_OK;
    OQ_TRY(of_input(s, 0, &x, err));
    s->sharp = false;
    const double count = terms(s), most = reach(x);
    *out = sum ? range_make(count * x.min, count * x.max)
               : range_make(0, squares  ? count * most * most
                               : length ? sqrt(count) * most
                                        : count * most);
    if (isfinite(reach(*out))) *out = widen(*out, reach(*out));
    if (!sum) out->min = 0;
    return ONNXQ_OK;
}

static bool is_padded(const oq_node *node) {
    size_t count;
    const int64_t *pads = oq_node_ints(node, "pads", &count);
    for (size_t i = 0; i < count; i++)
        if (pads[i]) return true;
    const char *mode = oq_node_string(node, "auto_pad", "NOTSET");
    return strcmp(mode, "NOTSET") != 0 && strcmp(mode, "VALID") != 0;
}

// Constant weights: element i goes into output (i / step) % outputs.
typedef struct weights {
    oq_tensor tensor;
    size_t step, outputs;
} weights;

// The output channels of a product's constant factor. A transposed convolution adds up at most all of its
// kernel, with gaps elsewhere; its group is the outer index.
static bool describe_weights(const oq_node *node, weights *w) {
    const oq_shape *shape = &w->tensor.shape;
    const size_t count = (size_t)oq_tensor_count(&w->tensor);
    if (shape->rank < 2 || !count) return false;
    if (oq_node_is(node, "Conv")) {
        *w = (weights){w->tensor, count / (size_t)shape->dim[0], (size_t)shape->dim[0]};
    } else if (oq_node_is(node, "ConvTranspose")) {
        if (oq_node_int(node, "group", 1) != 1) return false;
        w->step = (size_t)oq_shape_range_count(shape, 2, shape->rank), w->outputs = (size_t)shape->dim[1];
    } else {
        const bool rows = oq_node_is(node, "Gemm") && oq_node_int(node, "transB", 0);
        if (shape->rank != 2) return false;
        w->step = rows ? (size_t)shape->dim[1] : 1, w->outputs = (size_t)shape->dim[rows ? 0 : 1];
    }
    return true;
}

// What sums of x over the weights can be, whatever x is in each term; `sums` [2][outputs] is scratch.
static oq_range sum_range(const weights *w, oq_range x, double *sums, double *size) {
    double *low = sums, *high = sums + w->outputs;
    const size_t count = (size_t)oq_tensor_count(&w->tensor);
    memset(sums, 0, 2 * w->outputs * sizeof *sums);
    for (size_t i = 0; i < count; i++) {
        const double weight = oq_tensor_get_f64(&w->tensor, (int64_t)i);
        const size_t output = i / w->step % w->outputs;
        low[output] += weight * (weight > 0 ? x.min : x.max);
        high[output] += weight * (weight > 0 ? x.max : x.min);
        *size = fmax(*size, fmax(fabs(low[output]), fabs(high[output])));
    }
    oq_range out = {INFINITY, -INFINITY};
    for (size_t c = 0; c < w->outputs; c++) out = unite(out, (oq_range){low[c], high[c]});
    return out;
}

static oq_status of_sums(scope *s, weights *w, oq_range x, oq_range *out, oq_error *err) {
    oq_mem *mem = s->graph->model->mem;
    oq_range bias = {0, 0};
    double size = 0;
    const bool gemm = oq_node_is(s->node, "Gemm");
    if (s->node->input_count > 2 && s->node->inputs[2] != OQ_NONE) OQ_TRY(of_input(s, 2, &bias, err));
    double *sums = oq_mem_calloc(mem, 2 * w->outputs + 1, sizeof *sums, err);
    if (!sums) return ONNXQ_NO_MEMORY;
    const double alpha = gemm ? (double)oq_node_float(s->node, "alpha", 1) : 1,
                 beta = gemm ? (double)oq_node_float(s->node, "beta", 1) : 1;
    *out = product(sum_range(w, x, sums, &size), (oq_range){alpha, alpha});
    *out = add(*out, product(bias, (oq_range){beta, beta}));
    const double terms = (double)oq_tensor_count(&w->tensor) / (double)w->outputs;
    if (isfinite(reach(*out))) *out = widen(*out, (size * fabs(alpha) + reach(*out)) * fmax(1, sqrt(terms)));
    oq_mem_free(mem, sums);
    return ONNXQ_OK;
}

static oq_status of_product(scope *s, oq_range *out, bool *found, oq_error *err) {
    const oq_node *node = s->node;
    const bool windows = oq_node_is(node, "Conv") || oq_node_is(node, "ConvTranspose");
    oq_range x;
    weights w = {0};
    *found = windows || oq_node_is(node, "Gemm") || oq_node_is(node, "MatMul");
    *out = anything;
    if (!*found || node->input_count < 2 || node->inputs[1] == OQ_NONE) return ONNXQ_OK;
    const oq_constant *constant = oq_graph_constant(s->graph, node->inputs[1]);
    OQ_TRY(of_input(s, 0, &x, err));
    s->sharp = false;
    if (!constant || !isfinite(reach(x)) || !oq_dtype_info(constant->dtype)->is_float) return ONNXQ_OK;
    if (is_padded(node) || oq_node_is(node, "ConvTranspose")) x = with_zero(x);
    OQ_TRY(oq_constant_load(s->graph->model->mem, constant, &w.tensor, err));
    const oq_status status = describe_weights(node, &w) ? of_sums(s, &w, x, out, err) : ONNXQ_OK;
    oq_tensor_release(&w.tensor);
    return status;
}

// --- normalizations ---

// Elements that a normalization takes the mean of, or NaN.
static double normalized(const scope *s) {
    const oq_type *type = &oq_graph_value(s->graph, s->node->inputs[0])->type;
    if (type->kind != OQ_TYPE_TENSOR || type->rank < 1) return (double)NAN;
    int64_t axis = oq_node_is(s->node, "LayerNormalization") ? oq_node_int(s->node, "axis", -1) : 2;
    double count = 1;
    if (axis < 0) axis += type->rank;
    for (int d = (int)axis; d < type->rank; d++)
        count *= oq_dim_known(type->dim[d]) ? (double)type->dim[d].size : (double)NAN;
    return count;
}

// Of n numbers with mean 0 and mean square 1, none is beyond sqrt(n - 1).
static oq_status of_normalization(scope *s, oq_range *out, bool *found, oq_error *err) {
    const oq_node *node = s->node;
    *found = oq_node_is(node, "LayerNormalization") || oq_node_is(node, "InstanceNormalization");
    *out = anything;
    if (!*found) return ONNXQ_OK;
    oq_range scale, bias = {0, 0};
    OQ_TRY(of_input(s, 1, &scale, err));
    if (node->input_count > 2 && node->inputs[2] != OQ_NONE) OQ_TRY(of_input(s, 2, &bias, err));
    s->sharp = false;
    const double most = sqrt(fmax(normalized(s) - 1, 0)) * reach(scale);
    if (!isnan(normalized(s)) && isfinite(most + reach(bias)))
        *out = widen(add((oq_range){-most, most}, bias), most + reach(bias));
    return ONNXQ_OK;
}

// (x - mean) scale / sqrt(variance + epsilon) + bias, of one channel after the other.
static oq_status of_batch_norm(scope *s, oq_range *out, bool *found, oq_error *err) {
    const oq_node *node = s->node;
    oq_tensor part[4] = {{0}};
    oq_range x;
    *found = oq_node_is(node, "BatchNormalization");
    *out = anything;
    if (!*found || oq_node_int(node, "training_mode", 0) || node->input_count < 5) return ONNXQ_OK;
    OQ_TRY(of_input(s, 0, &x, err));
    bool whole = isfinite(reach(x));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < 4 && whole && status == ONNXQ_OK; i++) {
        const oq_constant *constant = oq_graph_constant(s->graph, node->inputs[i + 1]);
        whole = constant && oq_dtype_info(constant->dtype)->is_float;
        if (whole) status = oq_constant_load(s->graph->model->mem, constant, &part[i], err);
        whole = whole && status == ONNXQ_OK && oq_tensor_count(&part[i]) == oq_tensor_count(&part[0]);
    }
    const double epsilon = (double)oq_node_float(node, "epsilon", 1e-5F);
    oq_range all = {INFINITY, -INFINITY};
    for (int64_t c = 0; whole && c < oq_tensor_count(&part[0]); c++) {
        const double factor = oq_tensor_get_f64(&part[0], c) / sqrt(oq_tensor_get_f64(&part[3], c) + epsilon),
                     shift = oq_tensor_get_f64(&part[1], c) - oq_tensor_get_f64(&part[2], c) * factor;
        const oq_range y = add(product(x, (oq_range){factor, factor}), (oq_range){shift, shift});
        all = unite(all, widen(y, fabs(factor) * reach(x) + fabs(shift)));
    }
    if (whole && all.min <= all.max) *out = all;
    for (size_t i = 0; i < 4; i++) oq_tensor_release(&part[i]);
    return status;
}

// --- the rest ---

static oq_status of_others(scope *s, oq_range *out, bool *found, oq_error *err) {
    const oq_node *node = s->node;
    double low, high;
    *found = true;
    if (oq_node_is(node, "Clip") && oq_node_clip_bounds(s->graph, node, &low, &high)) {
        OQ_TRY(of_input(s, 0, out, err));
        *out = within(*out, low, high);
        s->sharp |= isfinite(low) && isfinite(high);
    } else if (oq_node_is(node, "Cast")) {
        OQ_TRY(of_input(s, 0, out, err));
        const oq_dtype to = oq_value_dtype(s->graph, node->outputs[0]);
        if (!oq_dtype_info(to)->is_float)
            *out = anything; // cut off, or worse
        else if (isfinite(reach(*out)))
            *out = widen(*out, to == ONNXQ_FLOAT || to == ONNXQ_DOUBLE ? 0 : 1e4 * reach(*out));
    } else if (oq_node_is(node, "OneHot")) {
        OQ_TRY(of_input(s, 2, out, err));
    } else if (oq_node_is(node, "Pow") && node->input_count > 1) {
        oq_range x, y;
        OQ_TRY(of_input(s, 0, &x, err));
        OQ_TRY(of_input(s, 1, &y, err));
        const bool square = y.min == 2 && y.max == 2;
        *out = square
                   ? widen((oq_range){0, reach(x) * reach(x)}, isfinite(reach(x)) ? reach(x) * reach(x) : 0)
                   : anything;
        if (square) out->min = 0;
    } else {
        *found = false;
    }
    return ONNXQ_OK;
}

static oq_status of_node(scope *s, oq_range *out, oq_error *err) {
    static oq_status (*const families[])(scope *, oq_range *, bool *, oq_error *) = {
        of_several, of_mover, of_reduction, of_product, of_normalization, of_batch_norm, of_others};
    oq_range x;
    bool found = false;
    *out = anything;
    if (!s->node->input_count || s->node->domain[0]) return ONNXQ_OK;
    OQ_TRY(of_input(s, 0, &x, err));
    if (of_one(s, x, out)) return ONNXQ_OK;
    for (size_t i = 0; i < sizeof families / sizeof *families && !found; i++)
        OQ_TRY(families[i](s, out, &found, err));
    if (!found) *out = anything;
    return ONNXQ_OK;
}

// Integers wrap around and divide with a remainder: only what hands them on keeps their range.
static bool hands_on(const scope *s) {
    return oq_node_is(s->node, "OneHot") || oq_node_is(s->node, "Concat") || oq_node_is(s->node, "Where") ||
           oq_node_is(s->node, "Min") || oq_node_is(s->node, "Max") || oq_node_is(s->node, "Clip") ||
           moves(s);
}

static oq_bound of_output(const scope *s, size_t index, oq_range range) {
    const oq_dtype dtype = oq_value_dtype(s->graph, s->node->outputs[index]);
    const oq_range type = of_type(dtype);
    // Further outputs are indices, masks or states; those of Split are parts like the first.
    const bool described = (index == 0 || oq_node_is(s->node, "Split")) &&
                           (dtype == ONNXQ_UNDEFINED || oq_dtype_info(dtype)->is_float || hands_on(s));
    return described ? (oq_bound){within(range, type.min, type.max), s->sharp} : (oq_bound){type, true};
}

static oq_status propagate(scope *s, const oq_node_id *order, size_t count, oq_error *err) {
    for (size_t i = 0; i < count; i++) {
        s->node = oq_graph_node(s->graph, order[i]);
        s->sharp = true;
        oq_range range;
        OQ_TRY(of_node(s, &range, err));
        for (size_t k = 0; k < s->node->output_count; k++) {
            const oq_value_id output = s->node->outputs[k];
            if (output != OQ_NONE && !s->known[output]) s->bounds[output] = of_output(s, k, range);
        }
    }
    return ONNXQ_OK;
}

oq_status oq_graph_bounds(oq_graph *graph, oq_bound *bounds, oq_error *err) {
    oq_node_id *order = NULL;
    size_t count = 0;
    scope s = {.graph = graph, .bounds = bounds};
    oq_mem *mem = graph->model->mem;
    s.known = oq_mem_calloc(mem, graph->value_count + 1, sizeof *s.known, err);
    if (!s.known) return ONNXQ_NO_MEMORY;
    for (size_t v = 0; v < graph->value_count; v++) {
        const oq_gvalue *value = oq_graph_value(graph, (oq_value_id)v);
        bounds[v] = (oq_bound){of_type(value->type.dtype), true};
        if (value->is_input && value->bounded)
            bounds[v].range = within(bounds[v].range, value->low, value->high);
    }
    oq_status status = oq_graph_order(graph, &order, &count, err);
    if (status == ONNXQ_OK) status = propagate(&s, order, count, err);
    oq_mem_free(mem, order);
    oq_mem_free(mem, s.known);
    return status;
}
