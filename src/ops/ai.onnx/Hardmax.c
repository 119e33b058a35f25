// Hardmax: 1 at the first greatest element along an axis, 0 elsewhere.
#include "ops/lib/softmax.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_softmax_run(context, OQ_HARDMAX, err);
}

static const oq_op_version versions[] = {OQ_VERSIONS_SOFTMAX};

OQ_ONNX_OP(Hardmax, versions);
