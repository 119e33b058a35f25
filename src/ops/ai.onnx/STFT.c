// STFT: Fourier transforms of overlapping frames of a signal, each weighted by a window.
#include "ops/lib/dft.h"
#include "ops/lib/infer.h"

enum { SIGNAL, STEP, WINDOW, LENGTH };

typedef struct frames {
    int64_t step, length, count;
} frames;

static oq_status read_frames(const oq_run_context *context, frames *f, oq_error *err) {
    const oq_tensor *signal = oq_in(context, SIGNAL);
    const oq_tensor *window = oq_in(context, WINDOW);
    const oq_tensor *length = oq_in(context, LENGTH);
    const int rank = signal->shape.rank;
    const int64_t parts = rank == 3 ? signal->shape.dim[2] : 1;
    if ((rank != 2 && rank != 3) || (parts != 1 && parts != 2)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "the signal of STFT must have shape [batch, length, 1 or 2]");
    }
    if (oq_tensor_count(oq_in(context, STEP)) != 1 || (length && oq_tensor_count(length) != 1)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "frame_step and frame_length of STFT must be scalars");
    }
    f->step = oq_tensor_get_i64(oq_in(context, STEP), 0);
    f->length = length   ? oq_tensor_get_i64(length, 0)
                : window ? oq_tensor_count(window)
                         : signal->shape.dim[1];
    if (f->step < 1 || f->length < 1 || f->length > signal->shape.dim[1] ||
        (window && oq_tensor_count(window) != f->length)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "frames of %lld elements every %lld do not fit signal or window",
                       (long long)f->length, (long long)f->step);
    }
    f->count = (signal->shape.dim[1] - f->length) / f->step + 1;
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *signal = oq_in(context, SIGNAL);
    const oq_tensor *window = oq_in(context, WINDOW);
    frames f = {0};
    oq_dft dft;
    OQ_TRY(read_frames(context, &f, err));
    const int64_t bins = oq_node_int(context->node, "onesided", 1) ? f.length / 2 + 1 : f.length;
    const size_t parts = signal->shape.rank == 3 ? (size_t)signal->shape.dim[2] : 1;
    const size_t size = (size_t)signal->shape.dim[1];
    const oq_shape shape = OQ_SHAPE(signal->shape.dim[0], f.count, bins, 2);
    const void *values = NULL;
    const void *weights = NULL;
    void *frame = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, signal, OQ_WORK_F64, &values, err));
    if (window) OQ_TRY(oq_array_in(context, window, OQ_WORK_F64, &weights, err));
    OQ_TRY(oq_scratch_array(context, (size_t)f.length, 2 * sizeof(double), &frame, err));
    OQ_TRY(oq_dft_plan(context, (size_t)f.length, false, false, &dft, err));
    OQ_TRY(oq_array_out(context, 0, signal->dtype, &shape, OQ_WORK_F64, &y, err));
    for (int64_t i = 0; i < shape.dim[0] * f.count; i++) {
        const size_t first = (size_t)(i / f.count) * size + (size_t)(i % f.count * f.step);
        const double *from = (const double *)values + first * parts;
        for (size_t k = 0; k < (size_t)f.length * parts; k++) {
            ((double *)frame)[k] = from[k] * (weights ? ((const double *)weights)[k / parts] : 1);
        }
        oq_dft_run(&dft, frame, (size_t)f.length, parts, parts == 2, (double *)y.data + i * bins * 2,
                   (size_t)bins, 2);
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    int64_t step = 0;
    int64_t length = -1;
    const oq_dim size = oq_infer_dim(context, SIGNAL, 1);
    (void)err;
    oq_dim dims[4] = {oq_infer_dim(context, SIGNAL, 0), OQ_DIM_ANONYMOUS, OQ_DIM_ANONYMOUS, oq_dim_of(2)};
    if (oq_infer_given(context, LENGTH)) {
        (void)oq_infer_int(context, LENGTH, &length);
    } else {
        length = oq_infer_given(context, WINDOW) ? oq_infer_length(context, WINDOW) : size.size;
    }
    if (length > 0) {
        dims[2] = oq_dim_of(oq_node_int(context->node, "onesided", 1) ? length / 2 + 1 : length);
        if (oq_dim_known(size) && size.size >= length && oq_infer_int(context, STEP, &step) && step > 0) {
            dims[1] = oq_dim_of((size.size - length) / step + 1);
        }
    }
    oq_infer_set(context, 0, oq_infer_dtype(context, SIGNAL), 4, dims);
    return ONNXQ_OK;
}

static const oq_type_set types[] = {{"T1", OQ_T_FLOATS4}, {"T2", OQ_T_INDEX}, {0}};
static const oq_attr_spec attrs[] = {{"onesided", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 17,
     .signature = "signal:T1, frame_step:T2, window?:T1, frame_length?:T2 -> output:T1",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_ONNX_OP(STFT, versions);
