// Conversion of elements between any two dtypes, as Cast does it.
#ifndef OQ_OPS_LIB_CONVERT_H
#define OQ_OPS_LIB_CONVERT_H

#include "ops/lib/work.h"

// Attributes of Cast that concern the small floats.
typedef struct oq_convert_options {
    bool saturate;             // float8 kinds: beyond the greatest value gives it, not NaN or infinity
    oq_e8m0_rounding rounding; // float8e8m0
} oq_convert_options;

// saturate and round_mode of a Cast or CastLike node.
oq_status oq_convert_options_of(const oq_node *node, oq_convert_options *out, oq_error *err);
// Output 0 = input 0 converted to `dtype`. Numbers: floats to integers towards zero (out of range: the
// nearest end, then the low bits of small types), integers to integers by their low bits, all to bool by !=
// 0. Strings are read and written as decimal numbers.
oq_status oq_convert_run(oq_run_context *context, oq_dtype dtype, const oq_convert_options *options,
                         oq_error *err);
// n numbers (no strings) between two dtypes.
void oq_convert_block(oq_dtype from, const void *x, oq_dtype to, void *y, size_t n,
                      const oq_convert_options *options);
// For the version tables of Cast and CastLike.
#define OQ_CAST_TYPES_13 (OQ_T_NUMERIC4 | OQ_T(BOOL) | OQ_T(STRING))
#define OQ_CAST_ATTRS_19                                                                                     \
    { "saturate", OQ_ATTR_INT, false }
#define OQ_CAST_ATTRS_24                                                                                     \
    OQ_CAST_ATTRS_19, { "round_mode", OQ_ATTR_STRING, false }

#endif
