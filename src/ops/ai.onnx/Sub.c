// Sub: the difference of two tensors, broadcast; integers wrap.
#include "kernels/rows.h"
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_ROWS(f32, OQ_ROWS_SUB)
OQ_BINARY_LOOP(f64, double, a - b)
OQ_BINARY_LOOP(i64, int64_t, oq_wrap_sub(a, b))
OQ_BINARY_LOOP(u64, uint64_t, a - b)

// Sizes computed by the model itself (Shape arithmetic).
static oq_dim dims(oq_dim a, oq_dim b) {
    int64_t y;
    return oq_dim_is_number(b, &y) && y != INT64_MIN ? oq_dim_add(a, -y) : OQ_DIM_ANONYMOUS;
}
OQ_INFER_SIZES(dims)

static const oq_binary formula = OQ_BINARY_NUMBERS;
OQ_BINARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSIONS_ARITHMETIC};

OQ_ONNX_OP(Sub, versions);
