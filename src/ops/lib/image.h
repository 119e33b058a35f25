// Image files as pixels of 8 bits: what ImageDecoder reads.
#ifndef OQ_OPS_LIB_IMAGE_H
#define OQ_OPS_LIB_IMAGE_H

#include "ops/lib/array.h"

// [height, width, channels], in scratch of the context. No pixels (NULL): the bytes are damaged.
typedef struct oq_image {
    size_t height, width;
    size_t channels; // 1: gray, 3: red, green, blue
    uint8_t *pixels;
} oq_image;

// The bytes of a file, read from the front; once something lies beyond the end, `bad` stays set and all is 0.
typedef struct oq_image_bytes {
    const uint8_t *data;
    size_t count, at;
    bool big_endian, bad;
} oq_image_bytes;

uint32_t oq_image_number(oq_image_bytes *b, int size); // of 1, 2 or 4 bytes
// The next `count` bytes, or NULL.
const uint8_t *oq_image_take(oq_image_bytes *b, size_t count);

// Room for the pixels of an image. Sizes of 0, or above 2^28 pixels, count as damaged: then out->pixels is
// NULL.
oq_status oq_image_new(oq_run_context *context, size_t height, size_t width, size_t channels, oq_image *out,
                       oq_error *err);

// Any of the formats below by its first bytes. Formats and variants that are not read are UNSUPPORTED.
oq_status oq_image_decode(oq_run_context *context, const uint8_t *data, size_t count, oq_image *out,
                          oq_error *err);

oq_status oq_image_bmp(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err);
oq_status oq_image_pnm(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err);
oq_status oq_image_tiff(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err);
oq_status oq_image_png(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err);
oq_status oq_image_jpeg(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err);

#endif
