// 8-bit weights of a recurrent node (DynamicQuantizeLSTM): what they multiply is quantized by its own range.
#ifndef OQ_OPS_LIB_RECURRENT_8_H
#define OQ_OPS_LIB_RECURRENT_8_H

#include "ops/lib/qparam.h"

// W or R: bytes [directions, depth, columns], with parameters per direction, or per direction and column.
typedef struct oq_recurrent_8 {
    const oq_tensor *q;
    oq_qparams params;
    size_t directions, depth, columns;
    void *packed;  // of one direction
    uint8_t *a;    // [rows, depth] quantized
    int32_t *sums; // [rows, columns]
} oq_recurrent_8;

// Parameters are inputs `scale` and `zero`; at most `rows` rows are multiplied at a time.
oq_status oq_recurrent_8_open(oq_run_context *context, const oq_tensor *q, size_t scale, size_t zero,
                              size_t rows, oq_recurrent_8 *out, oq_error *err);
// Makes ready for one direction.
void oq_recurrent_8_pack(const oq_recurrent_8 *f, size_t direction);
// out [rows, columns] = a [rows, depth] times the direction that was packed last.
void oq_recurrent_8_multiply(const oq_recurrent_8 *f, size_t direction, const float *a, size_t rows,
                             float *out, oq_pool *pool);

#endif
