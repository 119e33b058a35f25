// Window functions of signal processing: a weight for each of `size` positions.
#ifndef OQ_OPS_LIB_TAPER_H
#define OQ_OPS_LIB_TAPER_H

#include "ops/lib/schema.h"

// w(n) = a - b cos(2 pi n / N) + c cos(4 pi n / N), with N = size when periodic, else size - 1.
typedef struct oq_taper {
    double a, b, c;
} oq_taper;

// Output 0 [size] from the size in input 0, in the type of the attribute output_datatype.
oq_status oq_taper_run(oq_run_context *context, const oq_taper *taper, oq_error *err);
oq_status oq_infer_taper(oq_infer_context *context, oq_error *err);
// The version table of all windows.
#define OQ_VERSIONS_TAPER                                                                                    \
    {                                                                                                        \
        .since = 17, .signature = "size:T1 -> output:T2",                                                    \
        .types = OQ_TYPES({"T1", OQ_T_INDEX}, {"T2", OQ_T_NUMERIC4}),                                        \
        .attrs = OQ_ATTRS({"periodic", OQ_ATTR_INT, false}, {"output_datatype", OQ_ATTR_INT, false}),        \
        .infer = oq_infer_taper, .run = run                                                                  \
    }

#endif
