// ImageDecoder: the pixels of an image file; bytes that cannot be decoded give no pixels.
#include "ops/lib/image.h"
#include "ops/lib/schema.h"

#include <string.h>

typedef enum layout { RGB, BGR, GRAYSCALE } layout;

static oq_status read_layout(const oq_node *node, layout *out, oq_error *err) {
    static const char *const names[] = {[RGB] = "RGB", [BGR] = "BGR", [GRAYSCALE] = "Grayscale"};
    const char *name = oq_node_string(node, "pixel_format", "RGB");
    for (*out = RGB; *out <= GRAYSCALE; ++*out)
        if (!strcmp(name, names[*out])) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "pixel_format '%s' is none of RGB, BGR and Grayscale", name);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    layout order;
    OQ_TRY(read_layout(context->node, &order, err));
    const oq_dim dims[] = {OQ_DIM_ANONYMOUS, OQ_DIM_ANONYMOUS, oq_dim_of(order == GRAYSCALE ? 1 : 3)};
    oq_infer_set(context, 0, ONNXQ_UINT8, 3, dims);
    return ONNXQ_OK;
}

// Luma of ITU-R BT.601 in 16 bits of fraction.
static uint8_t luma(const uint8_t *rgb) {
    return (uint8_t)((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16);
}

static void write_pixel(const oq_image *image, const uint8_t *from, layout order, uint8_t *to) {
    const size_t blue = image->channels - 1; // gray stands for all three
    if (order == GRAYSCALE) {
        *to = image->channels == 1 ? *from : luma(from);
        return;
    }
    to[order == RGB ? 0 : 2] = from[0];
    to[1] = from[blue / 2];
    to[order == RGB ? 2 : 0] = from[blue];
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *stream;
    oq_tensor *y;
    oq_image image;
    layout order;
    OQ_TRY(oq_need(context, 0, &stream, err));
    OQ_TRY(read_layout(context->node, &order, err));
    OQ_TRY(oq_image_decode(context, stream->data, (size_t)oq_tensor_count(stream), &image, err));
    const size_t channels = order == GRAYSCALE ? 1 : 3;
    if (!image.pixels) image.height = image.width = 0;
    const oq_shape shape = OQ_SHAPE((int64_t)image.height, (int64_t)image.width, (int64_t)channels);
    OQ_TRY(oq_out(context, 0, ONNXQ_UINT8, &shape, &y, err));
    for (size_t i = 0; i < image.height * image.width; i++)
        write_pixel(&image, image.pixels + i * image.channels, order, (uint8_t *)y->data + i * channels);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 20,
     .signature = "encoded_stream:T1 -> image:T2",
     .types = OQ_TYPES({"T1", OQ_T(UINT8)}, {"T2", OQ_T(UINT8)}),
     .attrs = OQ_ATTRS({"pixel_format", OQ_ATTR_STRING, false}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(ImageDecoder, versions);
