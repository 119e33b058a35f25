// BitShift: x moved by y bits; moving by the whole width or more leaves only copies of the sign bit (0 to the
// left).
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

#include <string.h>

// Widths below 64 need no care: the bits that leave the type are cut off when the element is stored, and a
// signed element comes with copies of its sign bit above.
OQ_BINARY_LOOP(left_i64, int64_t, b < 0 || b >= 64 ? 0 : (int64_t)((uint64_t)a << b))
OQ_BINARY_LOOP(left_u64, uint64_t, b >= 64 ? 0 : a << b)
OQ_BINARY_LOOP(right_i64, int64_t, b < 0 || b >= 64 ? (a < 0 ? -1 : 0) : a >> b)
OQ_BINARY_LOOP(right_u64, uint64_t, b >= 64 ? 0 : a >> b)

static const oq_binary left = {.loop = {[OQ_WORK_I64] = left_i64, [OQ_WORK_U64] = left_u64}};
static const oq_binary right = {.loop = {[OQ_WORK_I64] = right_i64, [OQ_WORK_U64] = right_u64}};

static oq_status run(oq_run_context *context, oq_error *err) {
    const char *direction = oq_node_string(context->node, "direction", "");
    if (strcmp(direction, "LEFT") == 0) return oq_binary_run(context, &left, err);
    if (strcmp(direction, "RIGHT") == 0) return oq_binary_run(context, &right, err);
    return oq_fail(err, ONNXQ_BAD_MODEL, "BitShift: attribute direction is '%s', not LEFT or RIGHT",
                   direction);
}

static const oq_type_set types_11[] = {{"T", OQ_T_INTS_UNSIGNED}, {0}};
static const oq_type_set types_28[] = {{"T", OQ_T_INTS}, {0}};
static const oq_attr_spec attrs_11[] = {{"direction", OQ_ATTR_STRING, true}, {0}};

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "X:T, Y:T -> Z:T",
     .types = types_11,
     .attrs = attrs_11,
     .infer = oq_infer_binary,
     .run = run},
    {.since = 28,
     .signature = "X:T, Y:T -> Z:T",
     .types = types_28,
     .attrs = attrs_11,
     .infer = oq_infer_binary,
     .run = run},
};

OQ_ONNX_OP(BitShift, versions);
