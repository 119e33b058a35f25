// Statistics of tensors: counted in one streaming pass, merged exactly, turned into ranges; and their file.
#ifndef OQ_STATS_STATS_H
#define OQ_STATS_STATS_H

#include "base/hash.h"
#include "base/map.h"
#include "grid/grid.h"
#include "stats/levels.h"

#define OQ_STATS_BINS  2048
#define OQ_STATS_MAGIC "OQSTATS2" // a statistics file begins so

// Sums are exact in any order: each sample's double sum is added to a wide integer accumulator of this many
// 32-bit limbs.
typedef struct oq_exact_sum {
    int64_t limb[40];
} oq_exact_sum;

// Finite values between 2^-586 and 2^560 in magnitude, which sums over float32 and their squares are.
void oq_exact_sum_add(oq_exact_sum *sum, double value);
void oq_exact_sum_merge(oq_exact_sum *into, const oq_exact_sum *other);
double oq_exact_sum_get(const oq_exact_sum *sum); // rounded once
void oq_exact_sum_normalize(oq_exact_sum *sum);   // equal sums get equal limbs

// The same of fewer digits, for sums of float32 alone: finite values between 2^-149 and 2^190.
typedef struct oq_channel_sum {
    int64_t limb[15];
} oq_channel_sum;

void oq_channel_sum_add(oq_channel_sum *sum, double value);
void oq_channel_sum_merge(oq_channel_sum *into, const oq_channel_sum *other);
double oq_channel_sum_get(const oq_channel_sum *sum);
// As a wide one, normalized, and back: false when it does not fit.
void oq_channel_sum_widen(const oq_channel_sum *sum, oq_exact_sum *out);
bool oq_channel_sum_narrow(const oq_exact_sum *sum, oq_channel_sum *out);

// Power-of-two histogram: bin b counts values in [(first + b) * 2^exponent, (first + b + 1) * 2^exponent).
// The exponent is the least one at which OQ_STATS_BINS bins on multiples of the width hold min and max (and
// first fits 40 bits), and first is floor(min / width): so the histogram depends on the data alone, never on
// the order in which they came.
typedef struct oq_histogram {
    int exponent;
    int64_t first;
    uint64_t count[OQ_STATS_BINS];
    bool used;
} oq_histogram;

// Adds the finite values of x; `min` and `max` are those of all values so far, these included.
void oq_histogram_add(oq_histogram *h, const float *x, size_t n, float min, float max);
// `min` and `max` are those of both.
void oq_histogram_merge(oq_histogram *into, const oq_histogram *other, float min, float max);

// Whether it stands where values from `min` to `max` put it (unused while they are none): for data from
// files.
bool oq_histogram_is_placed(const oq_histogram *h, float min, float max);

typedef struct oq_tensor_stats {
    const char *name;
    float min, max; // +inf, -inf while empty
    uint64_t count, zero, nan, infinite;
    uint64_t first_bad_sample; // index of the first sample with NaN or infinity; UINT64_MAX
    oq_exact_sum sum, sum_squares;
    oq_histogram histogram; // not used: a range is all that is known, whatever method is asked for
    // Per channel along `axis` (-1, the default: none; set it before the first values come): min, max, sum;
    // [channels].
    int axis;
    size_t channels;
    float *channel_min, *channel_max;
    oq_channel_sum *channel_sum;
    uint64_t channel_count; // values per channel
    bool counts_levels;     // set with `axis`: the distinct values of each channel, too
    oq_levels *levels;      // [channels], or NULL
} oq_tensor_stats;

// Statistics of one model over one data set.
typedef struct oq_stats {
    oq_mem *mem;
    oq_hash model, data;
    bool synthetic; // made-up data
    bool given;     // ranges that somebody wrote down: of no known model, from no samples
    uint64_t samples;
    oq_tensor_stats **tensors;
    size_t count, capacity;
    oq_map names;
} oq_stats;

oq_status oq_stats_new(oq_mem *mem, oq_stats **out, oq_error *err);
void oq_stats_free(oq_stats *stats);                                       // NULL is allowed
oq_tensor_stats *oq_stats_find(const oq_stats *stats, const char *tensor); // NULL when it is not there
oq_status oq_stats_ensure(oq_stats *stats, const char *tensor, oq_tensor_stats **out, oq_error *err);
// What was counted of `from`, if anything, holds for `to` too: parts or moves of it, with its range. Nothing
// by channel is taken over.
oq_status oq_stats_repeat(oq_stats *stats, const char *from, const char *to, oq_error *err);
// Adds one sample's values; order of samples does not matter.
oq_status oq_stats_add(oq_tensor_stats *into, oq_mem *mem, const oq_tensor *tensor, uint64_t sample,
                       oq_error *err);
// Adds everything of `other` (same model); exact in any order.
oq_status oq_stats_merge(oq_stats *into, const oq_stats *other, oq_error *err);

// Per channel (t->channels is not 0): the largest |x|, at least `least_share` of the tensor's largest, and
// the mean of x^2, estimated: the sum of squares is known of the tensor alone; it is shared out by the
// squares of the largest values, but no channel gets less than the square of its mean. `reach` may be NULL.
void oq_stats_channel_power(const oq_tensor_stats *t, double least_share, double *reach, double *power);

oq_status oq_stats_save(const oq_stats *stats, const char *path, oq_error *err);
oq_status oq_stats_load(oq_mem *mem, const char *path, oq_stats **out, oq_error *err);
// The same, or a text of ranges: lines `TENSOR LOW HIGH`, a name that holds blanks or begins with # in double
// quotes, comments behind #. BAD_DATA names the line.
oq_status oq_stats_load_any(oq_mem *mem, const char *path, oq_stats **out, oq_error *err);

typedef enum oq_range_method {
    OQ_RANGE_AUTO, // MSE where that cuts off at most 1 % of the values, else MINMAX
    OQ_RANGE_MINMAX,
    OQ_RANGE_PERCENTILE,
    OQ_RANGE_ENTROPY,
    OQ_RANGE_MSE
} oq_range_method;
typedef struct oq_range {
    double min, max;
} oq_range;
// The range of a tensor by a method. NaN, infinity or no values: BAD_DATA naming tensor and sample.
oq_status oq_range_of(const oq_tensor_stats *tensor, oq_range_method method, double percentile,
                      const oq_grid *grid, bool symmetric, oq_range *out, oq_error *err);
// The same where no reader tells values beyond `used` (it may be infinite) from its ends: searches for the
// least squared error count no error there. The range found may still reach further.
oq_status oq_range_within(const oq_tensor_stats *tensor, oq_range_method method, double percentile,
                          const oq_grid *grid, bool symmetric, oq_range used, oq_range *out, oq_error *err);

#endif
