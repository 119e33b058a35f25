// Comparison of run-time values with what is expected, as strict as official test cases need it.
#ifndef OQ_TESTS_VALUES_H
#define OQ_TESTS_VALUES_H

#include "tensor/tensor.h"

// True when `got` is what is expected: same kind, dtype and shape; floats and complex parts within
// atol + rtol * |expected| (bfloat16 at least 2^-6 relative), NaN only where NaN is expected, integers
// within atol where that is 1 or more, all else exactly. Otherwise false with the reason in `reason`.
bool test_values_equal(const oq_value *expected, const oq_value *got, double rtol, double atol, char *reason,
                       size_t size);

#endif
