// Window functions of signal processing: a weight for each of `size` positions.
#include "ops/lib/taper.h"

#include "ops/lib/convert.h"
#include "ops/lib/infer.h"

#include <inttypes.h>
#include <math.h>

oq_status oq_taper_run(oq_run_context *context, const oq_taper *taper, oq_error *err) {
    const oq_tensor *size;
    oq_tensor *y;
    OQ_TRY(oq_need(context, 0, &size, err));
    const int64_t dtype = oq_node_int(context->node, "output_datatype", ONNXQ_FLOAT);
    const int64_t count = oq_tensor_count(size) == 1 ? oq_tensor_get_i64(size, 0) : -1;
    if (count < 0 || dtype <= 0 || dtype >= ONNXQ_DTYPE_COUNT || oq_work_of((oq_dtype)dtype) == OQ_WORK_NONE)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s needs one size of at least 0 and a data type of numbers",
                       context->node->op_type);
    const int64_t steps = oq_node_int(context->node, "periodic", 1) ? count : count - 1;
    OQ_TRY(oq_out(context, 0, (oq_dtype)dtype, &(oq_shape){.rank = 1, .dim = {count}}, &y, err));
    const size_t bytes = oq_dtype_bytes((oq_dtype)dtype);
    for (int64_t n = 0; n < count; n++) {
        // A symmetric window of one position is its own middle.
        const double phase = steps ? 2 * M_PI * (double)n / (double)steps : M_PI;
        const double weight = taper->a - taper->b * cos(phase) + taper->c * cos(2 * phase);
        oq_convert_block(ONNXQ_DOUBLE, &weight, (oq_dtype)dtype, oq_at_mutable(y->data, (size_t)n, bytes), 1,
                         &(oq_convert_options){.saturate = true});
    }
    return ONNXQ_OK;
}

oq_status oq_infer_taper(oq_infer_context *context, oq_error *err) {
    oq_dtype dtype = ONNXQ_UNDEFINED;
    size_t count;
    OQ_TRY(oq_infer_dtype_attr(context, "output_datatype", ONNXQ_FLOAT, &dtype, err));
    const oq_dim *size = oq_infer_elements(context, 0, &count);
    const oq_dim dim = size && count == 1 ? oq_dim_as_size(size[0]) : OQ_DIM_ANONYMOUS;
    oq_infer_set(context, 0, dtype, 1, &dim);
    return ONNXQ_OK;
}
