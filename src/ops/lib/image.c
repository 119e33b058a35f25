// Image files: which format it is, and the bytes of all of them.
#include "ops/lib/image.h"

#include <string.h>

#define MOST_PIXELS ((size_t)1 << 28)

uint32_t oq_image_number(oq_image_bytes *b, int size) {
    const uint8_t *bytes = oq_image_take(b, (size_t)size);
    uint32_t number = 0;
    for (int i = 0; bytes && i < size; i++)
        number |= (uint32_t)bytes[i] << 8 * (b->big_endian ? size - 1 - i : i);
    return number;
}

const uint8_t *oq_image_take(oq_image_bytes *b, size_t count) {
    if (b->bad || b->at > b->count || count > b->count - b->at) {
        b->bad = true;
        return NULL;
    }
    b->at += count;
    return b->data + b->at - count;
}

oq_status oq_image_new(oq_run_context *context, size_t height, size_t width, size_t channels, oq_image *out,
                       oq_error *err) {
    *out = (oq_image){.height = height, .width = width, .channels = channels};
    if (!height || !width || height > MOST_PIXELS / width) return ONNXQ_OK;
    out->pixels = oq_scratch(context, height * width * channels, err);
    return out->pixels ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

typedef struct format {
    const char *name, *magic;
    size_t at, length; // of the magic in the file
    // NULL: known by name only.
    oq_status (*decode)(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err);
} format;

static const format formats[] = {
    {"BMP", "BM", 0, 2, oq_image_bmp},
    {"PNG", "\x89PNG\r\n\x1a\n", 0, 8, oq_image_png},
    {"JPEG", "\xff\xd8\xff", 0, 3, oq_image_jpeg},
    {"TIFF", "II*\0", 0, 4, oq_image_tiff},
    {"TIFF", "MM\0*", 0, 4, oq_image_tiff},
    {"PGM", "P5", 0, 2, oq_image_pnm},
    {"PPM", "P6", 0, 2, oq_image_pnm},
    {"PBM as text", "P1", 0, 2, NULL},
    {"PGM as text", "P2", 0, 2, NULL},
    {"PPM as text", "P3", 0, 2, NULL},
    {"PBM", "P4", 0, 2, NULL},
    {"JPEG 2000", "jP  ", 4, 4, NULL},
    {"JPEG 2000", "\xff\x4f\xff\x51", 0, 4, NULL},
    {"WebP", "WEBP", 8, 4, NULL},
};

oq_status oq_image_decode(oq_run_context *context, const uint8_t *data, size_t count, oq_image *out,
                          oq_error *err) {
    *out = (oq_image){0};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const format *f = &formats[i];
        if (count < f->at + f->length || memcmp(data + f->at, f->magic, f->length) != 0) continue;
        if (!f->decode)
            return oq_fail(err, ONNXQ_UNSUPPORTED,
                           "images in the format %s are not decoded: BMP, JPEG, PNG, TIFF, PGM and PPM are",
                           f->name);
        return f->decode(context, (oq_image_bytes){.data = data, .count = count}, out, err);
    }
    return ONNXQ_OK;
}
