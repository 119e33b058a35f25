// Image formats that hold pixels as they are: BMP, PGM and PPM, TIFF without compression.
#include "ops/lib/image.h"

#include <string.h>

// --- BMP: rows from the last to the first (with a negative height from the first), padded to 4 bytes ---

typedef struct bmp {
    uint32_t start, width, height, bits, compression;
    bool top_down;
    const uint8_t *palette; // blue, green, red, 0
    size_t colors;
} bmp;

static void read_bmp_header(oq_image_bytes *b, bmp *h) {
    b->at = 10;
    h->start = oq_image_number(b, 4);
    const uint32_t header = oq_image_number(b, 4);
    h->width = oq_image_number(b, 4);
    h->height = oq_image_number(b, 4);
    h->top_down = h->height >> 31;
    if (h->top_down) h->height = 0 - h->height;
    oq_image_number(b, 2); // planes
    h->bits = oq_image_number(b, 2);
    h->compression = oq_image_number(b, 4);
    oq_image_take(b, 12);
    h->colors = oq_image_number(b, 4);
    if (header < 40 || header > 124 || (h->width >> 31)) b->bad = true;
    if (h->bits != 8) return;
    if (!h->colors || h->colors > 256) h->colors = 256;
    b->at = 14 + (size_t)header;
    h->palette = oq_image_take(b, h->colors * 4);
}

static void read_bmp_row(const bmp *h, const uint8_t *from, uint8_t *to) {
    for (size_t x = 0; x < h->width; x++, to += 3) {
        const uint8_t *color = from + x * (h->bits / 8);
        if (h->palette) color = h->palette + 4 * (from[x] < h->colors ? from[x] : 0);
        to[0] = color[2], to[1] = color[1], to[2] = color[0];
    }
}

oq_status oq_image_bmp(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err) {
    bmp h = {0};
    read_bmp_header(&b, &h);
    if (b.bad) return ONNXQ_OK;
    if (h.compression || (h.bits != 8 && h.bits != 24 && h.bits != 32))
        return oq_fail(err, ONNXQ_UNSUPPORTED, "BMP images of %u bits%s are not decoded", h.bits,
                       h.compression ? " with compression" : "");
    const size_t stride = ((size_t)h.width * h.bits + 31) / 32 * 4;
    b.at = h.start;
    const uint8_t *rows = h.height <= SIZE_MAX / (stride + 1) ? oq_image_take(&b, stride * h.height) : NULL;
    if (!rows) return ONNXQ_OK;
    OQ_TRY(oq_image_new(context, h.height, h.width, 3, out, err));
    for (size_t y = 0; out->pixels && y < h.height; y++)
        read_bmp_row(&h, rows + stride * (h.top_down ? y : h.height - 1 - y), out->pixels + y * h.width * 3);
    return ONNXQ_OK;
}

// --- PGM and PPM ---

static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A decimal number behind blanks and comments.
static uint32_t read_decimal(oq_image_bytes *b) {
    const uint8_t *c = oq_image_take(b, 1);
    while (c && (is_space(*c) || *c == '#')) {
        if (*c == '#')
            while (c && *c != '\n') c = oq_image_take(b, 1);
        if (c) c = oq_image_take(b, 1);
    }
    uint32_t number = 0;
    if (!c || *c < '0' || *c > '9') b->bad = true;
    for (; c && *c >= '0' && *c <= '9'; c = oq_image_take(b, 1)) {
        if (number > UINT16_MAX * 16U) b->bad = true;
        number = number * 10 + (uint32_t)(*c - '0');
    }
    if (c && !is_space(*c)) b->bad = true; // one blank ends the number
    return number;
}

oq_status oq_image_pnm(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err) {
    const size_t channels = b.data[1] == '5' ? 1 : 3;
    b.at = 2;
    b.big_endian = true;
    const size_t width = read_decimal(&b), height = read_decimal(&b);
    const uint32_t greatest = read_decimal(&b);
    if (b.bad || !greatest || greatest > UINT16_MAX) return ONNXQ_OK;
    const int size = greatest > UINT8_MAX ? 2 : 1;
    const size_t count = width * height * channels; // below 2^44
    if (count * (size_t)size > b.count - b.at) return ONNXQ_OK;
    OQ_TRY(oq_image_new(context, height, width, channels, out, err));
    for (size_t i = 0; out->pixels && i < count; i++) {
        const uint32_t value = oq_image_number(&b, size) * UINT8_MAX + greatest / 2;
        out->pixels[i] = (uint8_t)oq_min_size(value / greatest, UINT8_MAX);
    }
    return ONNXQ_OK;
}

// --- TIFF ---

enum {
    TIFF_WIDTH = 256,
    TIFF_HEIGHT,
    TIFF_BITS,
    TIFF_COMPRESSION,
    TIFF_COLORS = 262,
    TIFF_STRIPS = 273,
    TIFF_SAMPLES = 277,
    TIFF_ROWS_PER_STRIP,
    TIFF_STRIP_BYTES,
    TIFF_PLANES = 284
};
enum { TIFF_FIELDS = 32 };
enum { TIFF_WHITE_IS_ZERO, TIFF_BLACK_IS_ZERO, TIFF_RGB };

// A field of the first directory: `count` numbers of `size` bytes from `at` on.
typedef struct tiff_field {
    size_t at, count;
    int size;
} tiff_field;

typedef struct tiff {
    oq_image_bytes b;
    tiff_field field[TIFF_FIELDS]; // by tag from TIFF_WIDTH on; count 0: not there
} tiff;

// Number `i` of a field; `otherwise` when it is not there.
static uint32_t tiff_get(tiff *t, int tag, size_t i, uint32_t otherwise) {
    const tiff_field *f = &t->field[tag - TIFF_WIDTH];
    if (i >= f->count) return otherwise;
    t->b.at = f->at + i * (size_t)f->size;
    return oq_image_number(&t->b, f->size);
}

static void read_tiff_directory(tiff *t) {
    t->b.at = 4;
    t->b.at = oq_image_number(&t->b, 4);
    const uint32_t entries = oq_image_number(&t->b, 2);
    for (uint32_t i = 0; i < entries && !t->b.bad; i++) {
        const uint32_t tag = oq_image_number(&t->b, 2), type = oq_image_number(&t->b, 2);
        const uint32_t count = oq_image_number(&t->b, 4);
        const int size = type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0; // BYTE, SHORT, LONG
        const size_t here = t->b.at, bytes = (size_t)count * (size_t)size;
        const size_t there = oq_image_number(&t->b, 4);
        if (tag >= TIFF_WIDTH && tag < TIFF_WIDTH + TIFF_FIELDS && size)
            t->field[tag - TIFF_WIDTH] =
                (tiff_field){.at = bytes <= 4 ? here : there, .count = count, .size = size};
    }
}

// Rows come in strips of so many rows each, one behind the other.
static bool read_tiff_strips(tiff *t, oq_image *image, bool invert) {
    const size_t row = image->width * image->channels;
    const size_t most = tiff_get(t, TIFF_ROWS_PER_STRIP, 0, UINT32_MAX);
    size_t strip = 0;
    for (size_t y = 0; y < image->height && most; strip++) {
        const size_t rows = oq_min_size(most, image->height - y);
        const size_t at = tiff_get(t, TIFF_STRIPS, strip, UINT32_MAX);
        t->b.at = at;
        const uint8_t *from = oq_image_take(&t->b, rows * row);
        if (!from) return false;
        uint8_t *to = image->pixels + y * row;
        for (size_t i = 0; i < rows * row; i++) to[i] = invert ? (uint8_t)~from[i] : from[i];
        y += rows;
    }
    return most > 0;
}

oq_status oq_image_tiff(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err) {
    tiff t = {.b = b};
    t.b.big_endian = b.data[0] == 'M';
    read_tiff_directory(&t);
    const uint32_t colors = tiff_get(&t, TIFF_COLORS, 0, TIFF_BLACK_IS_ZERO);
    const uint32_t channels = colors == TIFF_RGB ? 3 : 1;
    const uint32_t width = tiff_get(&t, TIFF_WIDTH, 0, 0), height = tiff_get(&t, TIFF_HEIGHT, 0, 0);
    bool plain = colors <= TIFF_RGB && tiff_get(&t, TIFF_COMPRESSION, 0, 1) == 1 &&
                 tiff_get(&t, TIFF_PLANES, 0, 1) == 1 && tiff_get(&t, TIFF_SAMPLES, 0, 1) == channels;
    for (size_t c = 0; c < channels; c++) plain = plain && tiff_get(&t, TIFF_BITS, c, 1) == 8;
    if (t.b.bad || (size_t)width * height > b.count) return ONNXQ_OK;
    if (!plain)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "of TIFF images only those of 8 bits, gray or RGB, without compression are decoded");
    OQ_TRY(oq_image_new(context, height, width, channels, out, err));
    if (out->pixels && !read_tiff_strips(&t, out, colors == TIFF_WHITE_IS_ZERO)) out->pixels = NULL;
    return ONNXQ_OK;
}
