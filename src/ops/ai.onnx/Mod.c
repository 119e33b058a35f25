// Mod: the remainder of a division: with the sign of the divisor, or of the dividend where fmod is 1.
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

#include <math.h>

// a - floor(a / b) * b; a zero takes the sign of b. fmod is exact, so any libm gives the same bits.
static inline double floor_mod(double a, double b) {
    const double r = fmod(a, b);
    if (r == 0) return copysign(0, b);
    return (r < 0) != (b < 0) ? r + b : r;
}
static inline float floor_modf(float a, float b) {
    const float r = fmodf(a, b);
    if (r == 0) return copysignf(0, b);
    return (r < 0) != (b < 0) ? r + b : r;
}
// By 0 the remainder is 0; by -1 too, where hardware would trap on the least integer.
static inline int64_t remainder_i64(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
static inline int64_t floor_mod_i64(int64_t a, int64_t b) {
    const int64_t r = remainder_i64(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

OQ_BINARY_LOOP(f32, float, floor_modf(a, b))
OQ_BINARY_LOOP(f64, double, floor_mod(a, b))
OQ_BINARY_LOOP(i64, int64_t, floor_mod_i64(a, b))
OQ_BINARY_LOOP(u64, uint64_t, b ? a % b : 0)
OQ_BINARY_LOOP(cut_f32, float, fmodf(a, b))
OQ_BINARY_LOOP(cut_f64, double, fmod(a, b))
OQ_BINARY_LOOP(cut_i64, int64_t, remainder_i64(a, b))

static const oq_binary by_floor = OQ_BINARY_NUMBERS;
static const oq_binary by_cut = {
    .loop = {[OQ_WORK_F32] = cut_f32, [OQ_WORK_F64] = cut_f64, [OQ_WORK_I64] = cut_i64, [OQ_WORK_U64] = u64}};

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_binary_run(context, oq_node_int(context->node, "fmod", 0) ? &by_cut : &by_floor, err);
}

static const oq_type_set types_10[] = {{"T", OQ_T_NUMERIC3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_NUMERIC4}, {0}};
static const oq_attr_spec attrs_10[] = {{"fmod", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 10,
     .signature = "A:T, B:T -> C:T",
     .types = types_10,
     .attrs = attrs_10,
     .infer = oq_infer_binary,
     .run = run},
    {.since = 13,
     .signature = "A:T, B:T -> C:T",
     .types = types_13,
     .attrs = attrs_10,
     .infer = oq_infer_binary,
     .run = run},
    {.since = 28,
     .signature = "A:T, B:T -> C:T",
     .types = types_13,
     .attrs = attrs_10,
     .infer = oq_infer_binary,
     .run = run},
};

OQ_ONNX_OP(Mod, versions);
