// Softmax: exponentials that sum to 1 along an axis.
#include "ops/lib/softmax.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_softmax_run(context, OQ_SOFTMAX, err);
}

static const oq_op_version versions[] = {OQ_VERSIONS_SOFTMAX};

OQ_ONNX_OP(Softmax, versions);
