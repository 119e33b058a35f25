// HammingWindow: 25/46 - 21/46 cos(2 pi n / N) for n = 0 .. size - 1.
#include "ops/lib/taper.h"

static const oq_taper taper = {25.0 / 46.0, 21.0 / 46.0, 0};

static oq_status run(oq_run_context *context, oq_error *err) { return oq_taper_run(context, &taper, err); }

static const oq_type_set types_17[] = {{"T1", OQ_T_INDEX}, {"T2", OQ_T_NUMERIC4}, {0}};
static const oq_attr_spec attrs_17[] = {
    {"periodic", OQ_ATTR_INT, false}, {"output_datatype", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 17,
     .signature = "size:T1 -> output:T2",
     .types = types_17,
     .attrs = attrs_17,
     .infer = oq_infer_taper,
     .run = run},
};

OQ_ONNX_OP(HammingWindow, versions);
