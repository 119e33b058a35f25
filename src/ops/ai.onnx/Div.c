// Div: the quotient of two tensors, broadcast; integers are cut towards zero, and 0 when divided by 0.
#include "kernels/rows.h"
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_ROWS(f32, OQ_ROWS_DIV)
OQ_BINARY_LOOP(f64, double, a / b)
OQ_BINARY_LOOP(i64, int64_t, oq_wrap_div(a, b))
OQ_BINARY_LOOP(u64, uint64_t, b ? a / b : 0)

// Sizes computed by the model itself (Shape arithmetic).
static oq_dim dims(oq_dim a, oq_dim b) {
    int64_t x, y;
    if (!oq_dim_is_number(b, &y)) return OQ_DIM_ANONYMOUS;
    return oq_dim_is_number(a, &x) ? oq_dim_number(oq_wrap_div(x, y)) : oq_dim_divide(a, y);
}
OQ_INFER_SIZES(dims)

static const oq_binary formula = OQ_BINARY_NUMBERS;
OQ_BINARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSIONS_ARITHMETIC};

OQ_ONNX_OP(Div, versions);
