// Gelu: x * Phi(x) with the normal distribution function: by erf, or by the tanh approximation.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/smooth.h"
#include "ops/lib/unary.h"

#include <math.h>
#include <string.h>

// 0.5 * x * (1 + erf(x / sqrt(2)))
static void erf_block(const float *x, float *y, size_t n, float a, float b) {
    float t[OQ_BLOCK];
    (void)a, (void)b;
    for (size_t i = 0; i < n; i++) t[i] = x[i] * 0.70710678118654752440f;
    oq_rows_erf(t, t, n);
    for (size_t i = 0; i < n; i++) y[i] = 0.5f * x[i] * (1 + t[i]);
}
OQ_UNARY_BLOCKS(erf_f32, erf_block)

// 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
static void tanh_block(const float *x, float *y, size_t n, float a, float b) {
    float t[OQ_BLOCK];
    (void)a, (void)b;
    for (size_t i = 0; i < n; i++) t[i] = 0.79788456080286535588f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
    oq_rows_tanh(t, t, n);
    for (size_t i = 0; i < n; i++) y[i] = 0.5f * x[i] * (1 + t[i]);
}
OQ_UNARY_BLOCKS(tanh_f32, tanh_block)

OQ_UNARY_LOOP(erf_f64, double, 0.5 * x * (1 + erf(x * 0.70710678118654752440)))
OQ_UNARY_LOOP(tanh_f64, double, 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))))

static const oq_unary by_erf = {.loop = {[OQ_WORK_F32] = erf_f32, [OQ_WORK_F64] = erf_f64}};
static const oq_unary by_tanh = {.loop = {[OQ_WORK_F32] = tanh_f32, [OQ_WORK_F64] = tanh_f64}};

static oq_status run(oq_run_context *context, oq_error *err) {
    const char *approximate = oq_node_string(context->node, "approximate", "none");
    const bool tanh_form = strcmp(approximate, "tanh") == 0;
    if (!tanh_form && strcmp(approximate, "none") != 0)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Gelu: attribute approximate is '%s', not none or tanh",
                       approximate);
    return oq_unary_run(context, tanh_form ? &by_tanh : &by_erf, 0, 0, err);
}

static const oq_type_set types_20[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_20[] = {{"approximate", OQ_ATTR_STRING, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 20,
     .signature = "X:T -> Y:T",
     .types = types_20,
     .attrs = attrs_20,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(Gelu, versions);
