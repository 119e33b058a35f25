// Trilu: the upper or lower triangle of each matrix, the rest zero.
#include "ops/lib/lists.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"

#include <string.h>

static int64_t clamp(int64_t value, int64_t high) { return value < 0 ? 0 : value > high ? high : value; }

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    int64_t k;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_int_input(context, 1, 0, &k, err));
    const oq_shape *shape = &data->shape;
    if (shape->rank < 2) return oq_fail(err, ONNXQ_BAD_MODEL, "Trilu of an input of rank %d", shape->rank);
    const bool upper = oq_node_int(context->node, "upper", 1) != 0;
    const int64_t rows = shape->dim[shape->rank - 2], columns = shape->dim[shape->rank - 1];
    const int64_t matrices = oq_shape_range_count(shape, 0, shape->rank - 2);
    k = k < -rows ? -rows : k > columns ? columns : k; // beyond that nothing changes
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, shape, &data, 1, err));
    const size_t line = (size_t)columns * m.element;
    for (int64_t r = 0; line && r < matrices * rows; ++r) {
        // Columns [from, to) stay: those from the diagonal on, or those up to it.
        const int64_t diagonal = r % rows + k;
        const int64_t from = upper ? clamp(diagonal, columns) : 0,
                      to = upper ? columns : clamp(diagonal + 1, columns);
        unsigned char *row = m.to + (size_t)r * line;
        oq_move_fill(row, m.element, (size_t)from, m.zero);
        memcpy(row + (size_t)from * m.element, m.from[0] + (size_t)r * line + (size_t)from * m.element,
               (size_t)(to - from) * m.element);
        oq_move_fill(row + (size_t)to * m.element, m.element, (size_t)(columns - to), m.zero);
    }
    return oq_mover_close(&m, err);
}

static const oq_op_version versions[] = {
    {.since = 14,
     .signature = "input:T, k?:int64 -> output:T",
     .types = OQ_TYPES({"T", OQ_T_ALL13}),
     .attrs = OQ_ATTRS({"upper", OQ_ATTR_INT, false}),
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(Trilu, versions);
