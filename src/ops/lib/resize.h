// Resampling along axes: Resize and Upsample.
#ifndef OQ_OPS_LIB_RESIZE_H
#define OQ_OPS_LIB_RESIZE_H

#include "ops/lib/lists.h"

typedef enum oq_resize_mode { OQ_RESIZE_NEAREST, OQ_RESIZE_LINEAR, OQ_RESIZE_CUBIC } oq_resize_mode;
typedef enum oq_resize_coordinate {
    OQ_RESIZE_HALF_PIXEL,
    OQ_RESIZE_HALF_PIXEL_SYMMETRIC,
    OQ_RESIZE_PYTORCH_HALF_PIXEL,
    OQ_RESIZE_ALIGN_CORNERS,
    OQ_RESIZE_ASYMMETRIC,
    OQ_RESIZE_TF_HALF_PIXEL, // tf_half_pixel_for_nn, of opset 11 and 12 only
    OQ_RESIZE_CROP           // tf_crop_and_resize
} oq_resize_coordinate;
typedef enum oq_resize_round {
    OQ_RESIZE_PREFER_FLOOR,
    OQ_RESIZE_PREFER_CEIL,
    OQ_RESIZE_FLOOR,
    OQ_RESIZE_CEIL,
    OQ_RESIZE_SIMPLE // Resize-10 and Upsample: floor when growing, ceil when shrinking
} oq_resize_round;

typedef struct oq_resize_options {
    oq_resize_mode mode;
    oq_resize_coordinate coordinate;
    oq_resize_round round;
    bool antialias, exclude_outside;
    float cubic_a, extrapolation;
} oq_resize_options;

// One axis: its sizes, the factor between them, and for CROP the part of the input in 0..1.
typedef struct oq_resize_axis {
    int64_t in, out;
    double scale, roi_start, roi_end;
} oq_resize_axis;

// Options from the attributes of Resize-11 and later.
oq_status oq_resize_read_options(const oq_node *node, oq_resize_options *out, oq_error *err);
// Output 0 = data resampled along every axis; axes[d] for each axis of the data.
oq_status oq_resize(oq_run_context *context, const oq_tensor *data, const oq_resize_options *options,
                    const oq_resize_axis axes[OQ_MAX_RANK], oq_error *err);
// floor(size * scale) in float32, as the standard's own inference computes it; false when it is no size.
bool oq_resize_scaled(int64_t size, float scale, int64_t *out);
// Kernel and inference of Upsample and Resize-10, whose scales are input 1 or attributes.
oq_status oq_run_upsample(oq_run_context *context, oq_error *err);
oq_status oq_infer_upsample(oq_infer_context *context, oq_error *err);

#endif
