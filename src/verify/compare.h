// Comparison of one tensor of both models on one sample.
#ifndef OQ_VERIFY_COMPARE_H
#define OQ_VERIFY_COMPARE_H

#include "verify/verify.h"

// What one sample adds for one output.
typedef struct oq_output_sample {
    oq_difference difference;
    double cosine;
    uint64_t rows, same;
    uint64_t judged, right_reference, right_model; // rows with a label, and those whose top element it is
    bool classifies;
    bool probabilities; // every row of the reference is a distribution over the last axis
    double divergence;  // then the sum over the rows of KL(reference || model) in nats
} oq_output_sample;

void oq_difference_add(oq_difference *into, const oq_difference *more);
// Elements of both as numbers; where shapes differ, those of the first against 0, and the difference says so.
// Only the first `real` of `rows` entries of axis 0 count when that axis has `rows` entries (a batch filled
// up with repetitions).
void oq_compare_tensors(const oq_tensor *y, const oq_tensor *z, size_t real, size_t rows, oq_difference *out);
// `count` elements from `first` of tensors of one shape.
void oq_compare_elements(const oq_tensor *y, const oq_tensor *z, size_t first, size_t count,
                         oq_difference *out);
// `labels`: one for each of the `real` samples, or NULL; they count when there is one row a sample.
void oq_compare_output(const oq_tensor *y, const oq_tensor *z, size_t real, size_t rows,
                       const int64_t *labels, oq_output_sample *out);
// The same for values of any kind: sequences, optionals and maps count as all their tensors together, without
// classes. Differing kinds or lengths are BAD_MODEL.
oq_status oq_compare_values(const oq_value *y, const oq_value *z, size_t real, size_t rows,
                            const int64_t *labels, const char *name, oq_output_sample *out, oq_error *err);

#endif
