// Add: the sum of two tensors, broadcast; integers wrap.
#include "kernels/rows.h"
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_ROWS(f32, OQ_ROWS_ADD)
OQ_BINARY_LOOP(f64, double, a + b)
OQ_BINARY_LOOP(i64, int64_t, oq_wrap_add(a, b))
OQ_BINARY_LOOP(u64, uint64_t, a + b)

// Sizes computed by the model itself (Shape arithmetic).
static oq_dim dims(oq_dim a, oq_dim b) {
    int64_t x, y;
    const bool a_known = oq_dim_is_number(a, &x), b_known = oq_dim_is_number(b, &y);
    return b_known ? oq_dim_add(a, y) : a_known ? oq_dim_add(b, x) : OQ_DIM_ANONYMOUS;
}
OQ_INFER_SIZES(dims)

static const oq_binary formula = OQ_BINARY_NUMBERS;
OQ_BINARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSIONS_ARITHMETIC};

OQ_ONNX_OP(Add, versions);
