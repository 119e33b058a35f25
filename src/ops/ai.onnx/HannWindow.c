// HannWindow: 0.5 - 0.5 cos(2 pi n / N) for n = 0 .. size - 1.
#include "ops/lib/taper.h"

static const oq_taper taper = {0.5, 0.5, 0};

static oq_status run(oq_run_context *context, oq_error *err) { return oq_taper_run(context, &taper, err); }

static const oq_op_version versions[] = {OQ_VERSIONS_TAPER};

OQ_ONNX_OP(HannWindow, versions);
