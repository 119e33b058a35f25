// Scale and zero point of a tensor from its own range.
#include "ops/lib/dynamic.h"

#include <math.h>

#define LANES 16

// Least and greatest of the values and 0, in lanes so that the compiler can vectorise; NaN is skipped.
static void range_of(const float *x, size_t n, float *low, float *high) {
    float least[LANES] = {0};
    float most[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            least[k] = x[i + k] < least[k] ? x[i + k] : least[k];
            most[k] = x[i + k] > most[k] ? x[i + k] : most[k];
        }
    }
    for (size_t k = 0; i < n; i++, k++) {
        least[k] = x[i] < least[k] ? x[i] : least[k];
        most[k] = x[i] > most[k] ? x[i] : most[k];
    }
    *low = 0;
    *high = 0;
    for (size_t k = 0; k < LANES; k++) {
        *low = least[k] < *low ? least[k] : *low;
        *high = most[k] > *high ? most[k] : *high;
    }
}

void oq_dynamic_parameters(const float *x, size_t n, float *scale, int32_t *zero) {
    float low = 0;
    float high = 0;
    range_of(x, n, &low, &high);
    *scale = high > low ? (high - low) / 255.0F : 1.0F;
    const float z = rintf((0.0F - low) / *scale);
    *zero = z >= 255.0F ? 255 : z > 0.0F ? (int32_t)z : 0;
}
