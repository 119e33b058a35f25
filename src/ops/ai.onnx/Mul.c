// Mul: the product of two tensors, broadcast; integers wrap.
#include "kernels/rows.h"
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_ROWS(f32, OQ_ROWS_MUL)
OQ_BINARY_LOOP(f64, double, a *b)
OQ_BINARY_LOOP(i64, int64_t, oq_wrap_mul(a, b))
OQ_BINARY_LOOP(u64, uint64_t, a *b)

// Sizes computed by the model itself (Shape arithmetic).
static oq_dim dims(oq_dim a, oq_dim b) { return oq_dim_multiply(a, b); }
OQ_INFER_SIZES(dims)

static const oq_binary formula = OQ_BINARY_NUMBERS;
OQ_BINARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSIONS_ARITHMETIC};

OQ_ONNX_OP(Mul, versions);
