// Numbers to and from decimal text, for Cast with strings.
#ifndef OQ_OPS_LIB_CONVERT_TEXT_H
#define OQ_OPS_LIB_CONVERT_TEXT_H

#include "ops/lib/convert.h"

// Output 0 = the numbers that the strings of `x` show, as `dtype`. A text that is no number is an error.
oq_status oq_convert_from_strings(oq_run_context *context, const oq_tensor *x, oq_dtype dtype,
                                  const oq_convert_options *options, oq_error *err);
// Output 0 = the shortest decimal text that reads back to each number of `x`; True and False for bool.
oq_status oq_convert_to_strings(oq_run_context *context, const oq_tensor *x, oq_error *err);

#endif
