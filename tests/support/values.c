// Comparison of values: strict in kind, dtype and shape; within tolerance for floats, exact for the rest.
#include "support/values.h"

#include <math.h>
#include <stdio.h>

static const char *const kinds[] = {[OQ_VALUE_NONE] = "nothing",
                                    [OQ_VALUE_TENSOR] = "a tensor",
                                    [OQ_VALUE_SEQUENCE] = "a sequence",
                                    [OQ_VALUE_OPTIONAL] = "an optional",
                                    [OQ_VALUE_MAP] = "a map"};

// NaN fits NaN only, an infinity itself only.
static bool near(double expected, double got, double rtol, double atol) {
    if (isnan(expected)) return isnan(got);
    if (isinf(expected)) return expected == got;
    return !!(fabs(got - expected) <= atol + rtol * fabs(expected));
}

static double part(const oq_tensor *tensor, int64_t index) {
    if (tensor->dtype == ONNXQ_COMPLEX64) return ((const float *)tensor->data)[index];
    if (tensor->dtype == ONNXQ_COMPLEX128) return ((const double *)tensor->data)[index];
    return oq_tensor_get_f64(tensor, index);
}

static bool floats_equal(const oq_tensor *expected, const oq_tensor *got, double rtol, double atol,
                         char *reason, size_t size) {
    const bool complex = expected->dtype == ONNXQ_COMPLEX64 || expected->dtype == ONNXQ_COMPLEX128;
    const int64_t count = oq_tensor_count(expected) * (complex ? 2 : 1);
    // Two units in the last place of bfloat16 are more than the usual tolerance.
    if (expected->dtype == ONNXQ_BFLOAT16 && rtol < 0x1p-6) rtol = 0x1p-6;
    int64_t wrong = 0, first = 0;
    for (int64_t i = count; i-- > 0;)
        if (!near(part(expected, i), part(got, i), rtol, atol)) wrong++, first = i;
    if (wrong == 0) return true;
    snprintf(reason, size, "%lld of %lld elements differ; element %lld is %.9g, expected %.9g",
             (long long)wrong, (long long)count, (long long)first, part(got, first), part(expected, first));
    return false;
}

// Integers within `atol` steps (below 1: equal), strings equal.
static bool steps_equal(const oq_tensor *expected, const oq_tensor *got, double atol, char *reason,
                        size_t size) {
    if (oq_tensor_equal(expected, got)) return true;
    if (expected->dtype == ONNXQ_STRING) {
        snprintf(reason, size, "strings differ");
        return false;
    }
    for (int64_t i = 0; i < oq_tensor_count(expected); i++) {
        const int64_t a = oq_tensor_get_i64(expected, i), b = oq_tensor_get_i64(got, i);
        const uint64_t apart = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
        if ((double)apart <= atol) continue;
        snprintf(reason, size, "element %lld is %lld, expected %lld", (long long)i, (long long)b,
                 (long long)a);
        return false;
    }
    snprintf(reason, size, "elements differ");
    return atol >= 1;
}

static bool tensors_equal(const oq_tensor *expected, const oq_tensor *got, double rtol, double atol,
                          char *reason, size_t size) {
    char a[200], b[200];
    if (expected->dtype != got->dtype || !oq_shape_equal(&expected->shape, &got->shape)) {
        snprintf(reason, size, "it is %s%s, expected %s%s", onnxq_dtype_name(got->dtype),
                 oq_shape_format(&got->shape, a, sizeof a), onnxq_dtype_name(expected->dtype),
                 oq_shape_format(&expected->shape, b, sizeof b));
        return false;
    }
    const oq_dtype_traits *traits = oq_dtype_info(expected->dtype);
    const bool complex = expected->dtype == ONNXQ_COMPLEX64 || expected->dtype == ONNXQ_COMPLEX128;
    if (traits->is_float || complex) return floats_equal(expected, got, rtol, atol, reason, size);
    return steps_equal(expected, got, atol, reason, size);
}

bool test_values_equal(const oq_value *expected, const oq_value *got, double rtol, double atol, char *reason,
                       size_t size) {
    if (expected->kind != got->kind) {
        snprintf(reason, size, "it is %s, expected %s", kinds[got->kind], kinds[expected->kind]);
        return false;
    }
    if (expected->kind == OQ_VALUE_NONE) return true;
    if (expected->kind == OQ_VALUE_TENSOR)
        return tensors_equal(&expected->tensor, &got->tensor, rtol, atol, reason, size);
    const size_t count = expected->list ? expected->list->count : 0;
    if (count != (got->list ? got->list->count : 0)) {
        snprintf(reason, size, "it has another number of items than the %zu expected", count);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!test_values_equal(&expected->list->items[i], &got->list->items[i], rtol, atol, reason, size))
            return false;
    return true;
}
